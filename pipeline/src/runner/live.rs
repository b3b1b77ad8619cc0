//! How far is a job that runs here, between two commits, and what does it wait for? For whoever watches; nothing is decided by it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use antumbra_jobs::{JobId, Progress};

use crate::Engine;

/// What a job that is collected in this process has read, committed or not; or that it cannot be opened to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveProgress {
    /// `silo/datapoint` of the section that is read.
    pub section: String,
    /// Sections that ended.
    pub sections_done: u32,
    /// Rows of all sections so far. Falls when a section starts again.
    pub rows: u64,
    /// Sealed bytes of complete slices so far.
    pub bytes: u64,
    /// The root of the keys does not answer: the job stands still until it does, and was not given back.
    pub waits_for_root: bool,
}

/// The jobs that are collected in this process.
#[derive(Debug, Default)]
pub(crate) struct Live {
    jobs: Mutex<BTreeMap<JobId, LiveProgress>>,
}

/// Says how far one job is, until it is dropped.
#[derive(Debug)]
pub(super) struct Teller {
    live: Arc<Live>,
    job: JobId,
}

impl Engine {
    /// Returns how far a job is that is collected in this process, or waits here for the root of the keys; `None` for any other.
    #[must_use]
    pub fn live_progress(&self, job: JobId) -> Option<LiveProgress> {
        self.live().jobs().get(&job).cloned()
    }
}

impl Teller {
    pub(super) fn of(engine: &Engine, job: JobId) -> Self {
        Self { live: Arc::clone(engine.live()), job }
    }

    /// Names the section that is read from now on.
    pub(super) fn section(&self, name: String) {
        self.live.jobs().entry(self.job).or_default().section = name;
    }

    /// Tells that nothing goes on until the root of the keys answers.
    pub(super) fn waits_for_root(&self) {
        self.live.jobs().entry(self.job).or_default().waits_for_root = true;
    }

    /// Tells of rows: those that are counted, and those of the slice that is not complete.
    pub(super) fn rows(&self, progress: &Progress, slice: u64) {
        let mut jobs = self.live.jobs();
        let told = jobs.entry(self.job).or_default();
        told.sections_done = progress.sections_done;
        told.rows = progress.rows_collected.saturating_add(slice);
        told.bytes = progress.bytes_packaged;
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.live.jobs().remove(&self.job);
    }
}

impl Live {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, LiveProgress>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_told_of_until_it_is_put_down() {
        let live = Arc::new(Live::default());
        let job = JobId::generate();
        let teller = Teller { live: Arc::clone(&live), job };
        assert_eq!(live.jobs().get(&job), None);
        teller.section("shop/orders".to_owned());
        let progress = Progress {
            rows_collected: 40,
            bytes_packaged: 7,
            sections_done: 2,
            ..Progress::default()
        };
        teller.rows(&progress, 2);
        let told = live.jobs().get(&job).cloned();
        let section = "shop/orders".to_owned();
        let expected = LiveProgress {
            section,
            sections_done: 2,
            rows: 42,
            bytes: 7,
            ..LiveProgress::default()
        };
        assert_eq!(told, Some(expected));
        drop(teller);
        assert!(live.jobs().is_empty());
    }
}
