//! The trait over the embedded store: one call, one transaction.

use std::time::Duration;

use antumbra_crypto::WrappedKey;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{
    SqliteStore, api_keys, audit, commit, delivery, forget, grants, keys, leases, listing, plan,
    publish, requests, rows, segments,
};
use crate::{
    Actor, ApiKey, ApiKeyId, AuditEntry, AuditEvent, Commit, Created, Destroyed, Download,
    FileRecord, Grant, GrantId, Job, JobId, JobKey, JobState, JobStore, KeyUse, Lease, ListQuery,
    Listing, NewApiKey, NewGrant, NewJob, NewRequest, NewSection, NextJob, Progress, Published,
    Request, RequestId, SectionRecord, SegmentRecord, SliceRecord, StoreError, TenantId, WorkerId,
};

#[async_trait]
impl JobStore for SqliteStore {
    async fn create_request(
        &self,
        request: NewRequest,
        job: NewJob,
    ) -> Result<Created, StoreError> {
        self.write(move |work| requests::create(work, request, &job)).await
    }

    async fn create_job(
        &self,
        tenant: &TenantId,
        request: RequestId,
        next: NextJob,
    ) -> Result<Lease, StoreError> {
        let tenant = tenant.clone();
        self.write(move |work| requests::create_job(work, &tenant, request, &next)).await
    }

    async fn request(&self, tenant: &TenantId, id: RequestId) -> Result<Request, StoreError> {
        let tenant = tenant.clone();
        self.read(move |work| requests::find(work, &tenant, id)).await
    }

    async fn latest_job(&self, tenant: &TenantId, request: RequestId) -> Result<Job, StoreError> {
        let tenant = tenant.clone();
        self.read(move |work| requests::latest_job(work, &tenant, request)).await
    }

    async fn list(&self, tenant: &TenantId, query: ListQuery) -> Result<Listing, StoreError> {
        loop {
            let (whose, asked) = (tenant.clone(), query.clone());
            let listing = self.read(move |work| listing::list(work, &whose, &asked)).await?;
            if let Some(listing) = listing {
                return Ok(listing);
            }
            let tenant = tenant.clone();
            self.write(move |work| delivery::expire_due(work, Some(&tenant), BATCH)).await?;
        }
    }

    async fn cancel(
        &self,
        tenant: &TenantId,
        request: RequestId,
        actor: &Actor,
    ) -> Result<Job, StoreError> {
        let (tenant, actor) = (tenant.clone(), actor.clone());
        self.write(move |work| publish::cancel(work, &tenant, request, &actor)).await
    }

    async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        self.read(move |work| rows::job(work, id)).await
    }

    async fn request_of(&self, job: JobId) -> Result<Request, StoreError> {
        self.read(move |work| requests::of_job(work, job)).await
    }

    async fn lease(&self, worker: &WorkerId, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let worker = worker.clone();
        self.write(move |work| leases::lease(work, &worker, ttl)).await
    }

    async fn lease_job(
        &self,
        job: JobId,
        worker: &WorkerId,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let worker = worker.clone();
        self.write(move |work| leases::lease_job(work, job, &worker, ttl)).await
    }

    async fn heartbeat(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        let lease = lease.clone();
        self.write(move |work| leases::heartbeat(work, lease, ttl)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write(move |work| leases::release(work, &lease)).await
    }

    async fn release_all(&self) -> Result<u64, StoreError> {
        self.write(leases::release_all).await
    }

    async fn save_plan(
        &self,
        lease: &Lease,
        plan: &[u8],
        sections: &[NewSection],
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let (lease, plan) = (lease.clone(), plan.to_vec());
        let (sections, progress) = (sections.to_vec(), progress.clone());
        self.write(move |work| plan::save(work, &lease, &plan, &sections, &progress)).await
    }

    async fn plan(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |work| plan::find(work, job)).await
    }

    async fn sections(&self, job: JobId) -> Result<Vec<SectionRecord>, StoreError> {
        self.read(move |work| plan::sections(work, job)).await
    }

    async fn slices(
        &self,
        job: JobId,
        section: u32,
        from: u32,
        most: u32,
    ) -> Result<Vec<SliceRecord>, StoreError> {
        self.read(move |work| plan::slices(work, job, section, from, most)).await
    }

    async fn newest_slices(
        &self,
        job: JobId,
        section: u32,
    ) -> Result<Vec<SliceRecord>, StoreError> {
        self.read(move |work| plan::newest_slices(work, job, section)).await
    }

    async fn commit(&self, lease: &Lease, commit: Commit) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write(move |work| commit::commit(work, &lease, &commit)).await
    }

    async fn restart_section(&self, lease: &Lease, section: u32) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write(move |work| commit::restart_section(work, &lease, section)).await
    }

    async fn start_packaging(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write(move |work| publish::start_packaging(work, &lease)).await
    }

    async fn publish(&self, lease: &Lease, published: Published) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write(move |work| publish::publish(work, &lease, &published)).await
    }

    async fn fail(&self, lease: &Lease, code: &str, message: &str) -> Result<(), StoreError> {
        let (lease, code, message) = (lease.clone(), code.to_owned(), message.to_owned());
        self.write(move |work| publish::fail(work, &lease, &code, &message)).await
    }

    async fn published(&self, job: JobId) -> Result<Option<Published>, StoreError> {
        self.read(move |work| publish::find(work, job)).await
    }

    async fn files(&self, job: JobId) -> Result<Vec<FileRecord>, StoreError> {
        self.read(move |work| segments::files(work, job)).await
    }

    async fn segments(&self, job: JobId, entry: &str) -> Result<Vec<SegmentRecord>, StoreError> {
        let entry = entry.to_owned();
        self.read(move |work| segments::of_entry(work, job, &entry)).await
    }

    async fn all_segments(&self, job: JobId) -> Result<Vec<SegmentRecord>, StoreError> {
        self.read(move |work| segments::of_job(work, job)).await
    }

    async fn objects(&self, job: JobId) -> Result<Vec<String>, StoreError> {
        self.read(move |work| segments::objects(work, job)).await
    }

    async fn grants(&self, grants: NewGrant) -> Result<Vec<Grant>, StoreError> {
        self.write(move |work| grants::issue(work, grants)).await
    }

    async fn grant(&self, id: GrantId) -> Result<Grant, StoreError> {
        self.read(move |work| grants::find(work, id)).await
    }

    async fn revoke_grants(&self, job: JobId, actor: &Actor) -> Result<u64, StoreError> {
        let actor = actor.clone();
        self.write(move |work| grants::revoke(work, job, &actor)).await
    }

    async fn record_download(&self, download: Download) -> Result<(), StoreError> {
        self.write(move |work| delivery::record(work, download)).await
    }

    async fn expire_if_due(&self, job: JobId) -> Result<JobState, StoreError> {
        // Asked at every poll and download, so the common answer takes no write lock.
        match self.read(move |work| delivery::due(work, job)).await? {
            (_, true) => self.write(move |work| delivery::expire(work, job)).await,
            (state, false) => Ok(state),
        }
    }

    async fn expire_due(&self, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.write(move |work| delivery::expire_due(work, None, limit)).await
    }

    async fn forgettable(&self, limit: u32) -> Result<Vec<Job>, StoreError> {
        self.read(move |work| forget::forgettable(work, limit)).await
    }

    async fn forget_job(&self, job: JobId) -> Result<(), StoreError> {
        self.write(move |work| forget::job(work, job)).await?;
        self.scrub().await;
        Ok(())
    }

    async fn forget_grants(&self, limit: u32) -> Result<u64, StoreError> {
        self.write(move |work| {
            let ended_by = work.now.checked_sub(GRANTS_STAY).unwrap_or(Timestamp::MIN);
            grants::forget(work, ended_by, limit)
        })
        .await
    }

    async fn forget_requests(
        &self,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let forgotten = self.write(move |work| forget::requests(work, ended_before, limit)).await?;
        self.scrub().await;
        Ok(forgotten)
    }

    async fn key_use(&self) -> Result<Vec<KeyUse>, StoreError> {
        self.read(keys::in_use).await
    }

    async fn keys_not_under(
        &self,
        key_id: &str,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobKey>, StoreError> {
        let key_id = key_id.to_owned();
        self.read(move |work| keys::not_under(work, &key_id, after, limit)).await
    }

    async fn replace_key(
        &self,
        job: JobId,
        old: &[u8],
        new: &WrappedKey,
    ) -> Result<bool, StoreError> {
        let (old, new) = (old.to_vec(), new.clone());
        self.write(move |work| keys::replace(work, job, &old, &new)).await
    }

    async fn retire_key(
        &self,
        key_id: &str,
        actor: &Actor,
        tenant: &TenantId,
    ) -> Result<(), StoreError> {
        let (key_id, actor, tenant) = (key_id.to_owned(), actor.clone(), tenant.clone());
        self.write(move |work| keys::retire(work, &key_id, &actor, &tenant)).await?;
        // What the key wrapped before it was replaced is in the log until now.
        self.scrub().await;
        Ok(())
    }

    async fn destroy_key(&self, job: JobId, actor: &Actor) -> Result<Destroyed, StoreError> {
        let actor = actor.clone();
        let job = self.write(move |work| keys::destroy(work, job, &actor)).await?;
        let is_scrubbed = self.scrub().await;
        Ok(Destroyed { job, is_scrubbed })
    }

    async fn create_api_key(&self, key: NewApiKey) -> Result<ApiKey, StoreError> {
        self.write(move |work| api_keys::create(work, &key)).await
    }

    async fn api_keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>, StoreError> {
        let tenant = tenant.cloned();
        self.read(move |work| api_keys::all(work, tenant.as_ref())).await
    }

    async fn find_api_key(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let hash = *hash;
        self.read(move |work| api_keys::find(work, &hash)).await
    }

    async fn revoke_api_key(&self, id: ApiKeyId) -> Result<(), StoreError> {
        self.write(move |work| api_keys::revoke(work, id)).await
    }

    async fn audit(&self, event: AuditEvent) -> Result<(), StoreError> {
        self.write(move |work| audit::append(work, &event)).await
    }

    async fn audit_entries(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |work| audit::newest(work, limit)).await
    }
}

impl SqliteStore {
    /// Walks the whole audit chain and returns how many entries it has.
    ///
    /// # Errors
    /// [`StoreError::AuditBroken`] with the first entry that was changed, removed, added or moved;
    /// [`StoreError::Corrupt`] if the sealed end of the chain was altered.
    pub async fn verify_audit(&self) -> Result<u64, StoreError> {
        self.read(audit::verify).await
    }
}

/// How many due bundles a list expires in one transaction.
const BATCH: u32 = 500;

/// How long a grant is remembered after its time.
const GRANTS_STAY: SignedDuration = SignedDuration::from_hours(24);
