//! Whose bundles are being read? Those that go out when their time ends are not deleted under the reader.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use antumbra_jobs::JobId;

use crate::Engine;

/// The jobs whose bundles are read in this process, and by how many.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    jobs: Mutex<BTreeMap<JobId, usize>>,
}

/// Notes that a bundle is read, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct BundleReader {
    readers: Arc<Readers>,
    job: JobId,
}

impl Engine {
    /// Notes that the bundle of a job is being read. While somebody does, a sweep leaves its objects alone for an hour past its
    /// end, so that a download which began in time comes to its end. Not so when the job's key was destroyed: its objects go
    /// with the next sweep, and what is being read ends with an error.
    pub fn reading(&self, job: JobId) -> BundleReader {
        let readers = Arc::clone(self.readers());
        *readers.jobs().entry(job).or_default() += 1;
        BundleReader { readers, job }
    }
}

impl Readers {
    /// Says whether somebody reads the bundle of a job.
    pub(crate) fn has(&self, job: JobId) -> bool {
        self.jobs().contains_key(&job)
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, usize>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BundleReader {
    fn drop(&mut self) {
        let mut jobs = self.readers.jobs();
        match jobs.get_mut(&self.job) {
            Some(readers) if *readers > 1 => *readers -= 1,
            _ => drop(jobs.remove(&self.job)),
        }
    }
}
