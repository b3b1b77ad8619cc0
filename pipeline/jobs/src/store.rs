//! What must a job store promise? The trait that gateway and workers hold.

use std::time::Duration;

use antumbra_crypto::WrappedKey;
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    Actor, ApiKey, ApiKeyId, AuditEntry, AuditEvent, Commit, Created, Destroyed, Download,
    FileRecord, Grant, GrantId, Job, JobId, JobKey, JobState, KeyUse, Lease, ListQuery, Listing,
    NewApiKey, NewGrant, NewJob, NewRequest, NewSection, NextJob, Progress, Published, Request,
    RequestId, SectionRecord, SegmentRecord, SliceRecord, StoreError, TenantId, WorkerId,
};

/// A job store.
///
/// Each call is one transaction: after `Ok` it survives a crash of process and machine, after `Err` nothing of it
/// happened. Calls that take a [`Lease`] fail with [`StoreError::LeaseLost`] unless the job is active, its fence is the
/// lease's and the lease was not given back: a worker that lost its job cannot write. A lease whose time is over is good
/// until somebody else takes the job. Dropping a call's future may still let the transaction finish.
///
/// Every change of a job's state writes its timeline, the request's status and an audit entry in the same transaction.
#[async_trait]
pub trait JobStore: std::fmt::Debug + Send + Sync {
    /// Records a request and its first job.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when `subject_key` has a request of the same tenant and action whose job is active;
    /// [`StoreError::TooManyActive`] when the tenant has `active_limit` active jobs of requests of the same family;
    /// [`StoreError::KeyRetired`] when the key that wrapped the job's was retired.
    async fn create_request(&self, request: NewRequest, job: NewJob)
    -> Result<Created, StoreError>;

    /// Records the next job of a tenant's request whose bundle can no longer be read although its time is not over, and leases
    /// it to the caller. The job before it moves to EXPIRED and its grants are revoked.
    ///
    /// # Errors
    /// [`StoreError::IllegalMove`] unless the latest job is READY or DELIVERED and its time is not over;
    /// [`StoreError::TooManyActive`] and [`StoreError::KeyRetired`] as for [`create_request`](Self::create_request).
    async fn create_job(
        &self,
        tenant: &TenantId,
        request: RequestId,
        next: NextJob,
    ) -> Result<Lease, StoreError>;

    /// Returns a tenant's request.
    async fn request(&self, tenant: &TenantId, id: RequestId) -> Result<Request, StoreError>;

    /// Returns the latest job of a tenant's request.
    async fn latest_job(&self, tenant: &TenantId, request: RequestId) -> Result<Job, StoreError>;

    /// Returns a page of a tenant's requests, the newest first. Bundles whose time is over are expired before it is made.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `after` is no request of the tenant.
    async fn list(&self, tenant: &TenantId, query: ListQuery) -> Result<Listing, StoreError>;

    /// Moves the latest job of a tenant's request to CANCELLED, ends its lease and deletes its slices, segments and file
    /// records. The worker that held it gets [`StoreError::LeaseLost`] from its next call.
    ///
    /// # Errors
    /// [`StoreError::IllegalMove`] unless the job is active.
    async fn cancel(
        &self,
        tenant: &TenantId,
        request: RequestId,
        actor: &Actor,
    ) -> Result<Job, StoreError>;

    /// Returns a job by id, whoever asks: for workers and download grants.
    async fn job(&self, id: JobId) -> Result<Job, StoreError>;

    /// Returns a job's request, whoever asks: for workers.
    async fn request_of(&self, job: JobId) -> Result<Request, StoreError>;

    /// Leases the oldest active job that nobody holds, if there is one; jobs come last that eight
    /// leases in a row brought no further. A job
    /// that was recorded as held is passed over until [`lease_job`](Self::lease_job) took it once.
    async fn lease(&self, worker: &WorkerId, ttl: Duration) -> Result<Option<Lease>, StoreError>;

    /// Leases this job if it is REQUESTED and nobody holds it; it is no longer held back afterwards. Of two callers one
    /// gets it.
    async fn lease_job(
        &self,
        job: JobId,
        worker: &WorkerId,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError>;

    /// Prolongs a lease and notes progress.
    async fn heartbeat(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError>;

    /// Gives a job back, so that another worker can go on at once.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Ends the leases of workers that are known to be dead: called by a process that owns the store alone, at its start.
    async fn release_all(&self) -> Result<u64, StoreError>;

    /// Stores the plan and its sections, and moves the job to COLLECTING.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] if there is a plan, or sections are not numbered from 0 without gaps.
    async fn save_plan(
        &self,
        lease: &Lease,
        plan: &[u8],
        sections: &[NewSection],
        progress: &Progress,
    ) -> Result<(), StoreError>;

    /// Returns the stored plan.
    async fn plan(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns the sections of a job in order.
    async fn sections(&self, job: JobId) -> Result<Vec<SectionRecord>, StoreError>;

    /// Returns the committed slices of a section in the order of their ordinals, which is that of its rows: at most so many, the first
    /// of them with the ordinal `from` or the next one there is.
    async fn slices(
        &self,
        job: JobId,
        section: u32,
        from: u32,
        most: u32,
    ) -> Result<Vec<SliceRecord>, StoreError>;

    /// Returns the newest committed slice of each part of a section, in order.
    async fn newest_slices(&self, job: JobId, section: u32)
    -> Result<Vec<SliceRecord>, StoreError>;

    /// Commits what a finished pack holds: slices, then ends of sections.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] for a slice that is not the next of its part of an open section, a second end, a segment that
    /// exists, or a flush index that goes back; [`StoreError::IllegalMove`] unless the job is COLLECTING.
    async fn commit(&self, lease: &Lease, commit: Commit) -> Result<(), StoreError>;

    /// Forgets the slices of an open section, so that it starts again from its beginning.
    async fn restart_section(&self, lease: &Lease, section: u32) -> Result<(), StoreError>;

    /// Moves the job to PACKAGING; a job that is there stays.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] while a section is open.
    async fn start_packaging(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Publishes the bundle and moves the job to READY. What the published files say replaces what their sections'
    /// ends said. The job has no lease afterwards.
    async fn publish(&self, lease: &Lease, published: Published) -> Result<(), StoreError>;

    /// Moves the job to FAILED and deletes its slices, segments and file records. Returns nothing to download.
    async fn fail(&self, lease: &Lease, code: &str, message: &str) -> Result<(), StoreError>;

    /// Returns what was published, if anything was.
    async fn published(&self, job: JobId) -> Result<Option<Published>, StoreError>;

    /// Returns the file records of a job that ended sections have, in no order that matters.
    async fn files(&self, job: JobId) -> Result<Vec<FileRecord>, StoreError>;

    /// Returns the segments of one entry in order.
    async fn segments(&self, job: JobId, entry: &str) -> Result<Vec<SegmentRecord>, StoreError>;

    /// Returns the segments of every entry of a job, in the order of the entries' names and of their ordinals.
    async fn all_segments(&self, job: JobId) -> Result<Vec<SegmentRecord>, StoreError>;

    /// Returns the names of all objects that committed segments of the job are in.
    async fn objects(&self, job: JobId) -> Result<Vec<String>, StoreError>;

    /// Finds or makes one grant for each file, in the order asked. An unexpired, unrevoked grant is used again.
    async fn grants(&self, grants: NewGrant) -> Result<Vec<Grant>, StoreError>;

    /// Returns a grant.
    async fn grant(&self, id: GrantId) -> Result<Grant, StoreError>;

    /// Revokes the grants of a job that still live, and returns how many they were.
    async fn revoke_grants(&self, job: JobId, actor: &Actor) -> Result<u64, StoreError>;

    /// Records a download; the first complete one of a READY job moves it to DELIVERED.
    async fn record_download(&self, download: Download) -> Result<(), StoreError>;

    /// Moves a READY or DELIVERED job past its time to EXPIRED and revokes its grants; returns the state it has now.
    async fn expire_if_due(&self, job: JobId) -> Result<JobState, StoreError>;

    /// Does the same to every job past its time, the longest past first, at most `limit`; returns which they were.
    async fn expire_due(&self, limit: u32) -> Result<Vec<JobId>, StoreError>;

    /// Returns EXPIRED, FAILED and CANCELLED jobs that are not forgotten yet, the longest ended first, at most `limit`.
    async fn forgettable(&self, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// Destroys the wrapped key of a job that ended and deletes its plan, its slices, segments and files, what its sections
    /// and its manifest said, and the names of its objects: to be called when no object is left. Timeline, failure, counts
    /// and audit entries stay. The key's bytes leave the store's files as soon as nobody reads them. Doing it again changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] for a job that is active, READY or DELIVERED.
    async fn forget_job(&self, job: JobId) -> Result<(), StoreError>;

    /// Deletes grants whose time has been over for 24 hours, the longest over first, at most `limit`; returns how many. A
    /// revoked grant stays as long, so that its key is told apart from a forged one. One audit entry for each tenant.
    async fn forget_grants(&self, limit: u32) -> Result<u64, StoreError>;

    /// Empties what is personal of requests whose latest job ended before that time and whose jobs are all forgotten, the
    /// longest ended first, at most `limit`; returns how many. Their status is ARCHIVED afterwards; timeline and audit
    /// entries stay.
    async fn forget_requests(&self, ended_before: Timestamp, limit: u32)
    -> Result<u64, StoreError>;

    /// Returns which keys of the ring jobs need, in the order of their ids. A key that no job needs is left out.
    async fn key_use(&self) -> Result<Vec<KeyUse>, StoreError>;

    /// Returns the wrapped keys of jobs that another key of the ring than this one wraps, in the order of the jobs' ids, at
    /// most `limit`, only those behind `after`.
    async fn keys_not_under(
        &self,
        key_id: &str,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobKey>, StoreError>;

    /// Replaces a job's wrapped key if it is still `old`; says whether it was. Nothing else of the job changes.
    ///
    /// # Errors
    /// [`StoreError::KeyRetired`] when the key that wrapped `new` was retired.
    async fn replace_key(
        &self,
        job: JobId,
        old: &[u8],
        new: &WrappedKey,
    ) -> Result<bool, StoreError>;

    /// Records that a key of the ring is retired: from then on the store takes no job under it, whatever ring a daemon still
    /// holds. Audited once, for `tenant`; doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::KeyNeeded`] while a job needs the key.
    async fn retire_key(
        &self,
        key_id: &str,
        actor: &Actor,
        tenant: &TenantId,
    ) -> Result<(), StoreError>;

    /// Destroys a job's wrapped key, whatever state the job is in: an active job moves to CANCELLED, a READY or DELIVERED one to
    /// EXPIRED. Its grants are revoked, and what the store itself holds of its data is deleted, as
    /// [`forget_job`](Self::forget_job) would, but for the names of its objects, which the sweeper needs. Doing it again
    /// changes nothing of the job, but takes the key's bytes out of the store's files where [`Destroyed::is_scrubbed`] was false.
    async fn destroy_key(&self, job: JobId, actor: &Actor) -> Result<Destroyed, StoreError>;

    /// Records an API key.
    async fn create_api_key(&self, key: NewApiKey) -> Result<ApiKey, StoreError>;

    /// Returns the API keys of a tenant, or of all tenants, revoked and expired ones too; the oldest first.
    async fn api_keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>, StoreError>;

    /// Finds a usable API key by its hash: neither revoked nor expired.
    async fn find_api_key(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError>;

    /// Revokes an API key.
    async fn revoke_api_key(&self, id: ApiKeyId) -> Result<(), StoreError>;

    /// Appends an audit entry.
    async fn audit(&self, event: AuditEvent) -> Result<(), StoreError>;

    /// Returns the newest audit entries, newest first, at most `limit`.
    async fn audit_entries(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
}
