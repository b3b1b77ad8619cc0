//! Which keys of the ring do jobs need, and what is left of one that was destroyed?

use crate::{Job, JobId, TenantId};

/// How many jobs need a key of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key of the ring.
    pub key_id: String,
    /// Jobs whose data key it wraps.
    pub jobs: u64,
}

/// A job's data key, to be wrapped anew.
#[derive(Clone, PartialEq, Eq)]
pub struct JobKey {
    /// The job.
    pub job: JobId,
    /// Whose job.
    pub tenant: TenantId,
    /// Its data key, wrapped by the key ring.
    pub wrapped_key: Vec<u8>,
}

/// What a job is after its key was destroyed.
#[derive(Debug, Clone)]
pub struct Destroyed {
    /// The job as it is now.
    pub job: Job,
    /// The key's bytes are in none of the store's files any more. False: somebody reads the store, and its log keeps them for
    /// now. The next call, the daemon's next sweep or its next start takes them out.
    pub is_scrubbed: bool,
}

impl std::fmt::Debug for JobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobKey")
            .field("job", &self.job)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
