//! Which key seals a job's objects? One of its own, wrapped by the key ring and stored with the job.

use std::sync::Arc;

use antumbra_bundle::JobObjects;
use antumbra_crypto::stream::DataKey;
use antumbra_crypto::{Context, Error as CryptoError};
use antumbra_jobs::{Job, JobId, NewJob, StoreError, TenantId};
use futures::future::BoxFuture;

use crate::{Engine, PipelineError};

impl Engine {
    /// Binds the job's unwrapped data key to its objects. Asks the root of the keys, which may be far away.
    ///
    /// # Errors
    /// [`PipelineError::Gone`] when the key was destroyed; [`PipelineError::Crypto`].
    pub(crate) async fn objects_of(&self, job: &Job) -> Result<JobObjects, PipelineError> {
        let key = match self.unwrapped(job).await {
            // It may have been wrapped under another key, and that one retired, since the job was read.
            Err(PipelineError::Crypto(CryptoError::UnknownKey { .. })) => {
                self.unwrapped(&self.store().job(job.id).await?).await?
            }
            unwrapped => unwrapped?,
        };
        let store = Arc::clone(&self.parts().objects);
        Ok(JobObjects::new(store, key, job.tenant.as_str(), &job.id.to_string()))
    }

    /// Makes a job with a data key of its own and lets `record` store it.
    ///
    /// A key that was retired since the ring was read is refused by the store; the ring is read again then, and `record` is
    /// called once more with another job.
    ///
    /// # Errors
    /// What `record` returns; [`PipelineError::Crypto`], before anything is recorded.
    pub(crate) async fn record_job<'r, T>(
        &self,
        tenant: &TenantId,
        held: bool,
        mut record: impl FnMut(NewJob) -> BoxFuture<'r, Result<T, StoreError>> + Send,
    ) -> Result<T, PipelineError> {
        let recorded = record(self.new_job(tenant, held).await?).await;
        let Err(StoreError::KeyRetired { key_id }) = recorded else { return Ok(recorded?) };
        tracing::info!(key = key_id, "a key was retired elsewhere: the key ring is read again");
        self.live_ring().reload().await?;
        Ok(record(self.new_job(tenant, held).await?).await?)
    }

    async fn unwrapped(&self, job: &Job) -> Result<DataKey, PipelineError> {
        let Some(wrapped) = &job.wrapped_key else {
            return Err(PipelineError::Gone { job: job.id });
        };
        Ok(self.live_ring().unwrap(wrapped, &data_key_context(&job.tenant, job.id)).await?)
    }

    /// Makes a job with a data key of its own; it is not recorded yet.
    async fn new_job(&self, tenant: &TenantId, held: bool) -> Result<NewJob, PipelineError> {
        let id = JobId::generate();
        let key = DataKey::generate()?;
        let wrapped = self.live_ring().wrap(&key, &data_key_context(tenant, id)).await?;
        Ok(NewJob { id, wrapped_key: wrapped.bytes, key_id: wrapped.key_id, held })
    }
}

/// Names the place that a job's wrapped data key belongs to: what it is wrapped and unwrapped with.
#[must_use]
pub fn data_key_context(tenant: &TenantId, job: JobId) -> Context {
    Context::new("antumbra/data-key").with(tenant.as_str()).with(job.to_string())
}
