//! What does the gateway hold of the engine?

use std::sync::Arc;

use antumbra_bundle::JobObjects;
use antumbra_config::Settings;
use antumbra_crypto::stream::DataKey;
use antumbra_crypto::{Context, KeyRing};
use antumbra_jobs::{Clock, Created, Job, JobId, JobState, JobStore, NewJob, NewRequest, TenantId};
use object_store::ObjectStore;
use tokio::sync::Notify;

use crate::runner::OpenBundle;
use crate::{PipelineError, crash_point};

/// Everything that gateway and worker share: store, objects, keys, settings, clock.
#[derive(Debug)]
pub struct Engine {
    parts: EngineParts,
    wake: Notify,
}

/// What an engine is made of.
#[derive(Debug)]
pub struct EngineParts {
    /// Requests, jobs, grants, audit.
    pub store: Arc<dyn JobStore>,
    /// Sealed objects.
    pub objects: Arc<dyn ObjectStore>,
    /// Keys.
    pub ring: Arc<KeyRing>,
    /// Settings.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Engine {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: EngineParts) -> Self {
        Self { parts, wake: Notify::new() }
    }

    /// Returns the job store.
    #[must_use]
    pub const fn store(&self) -> &Arc<dyn JobStore> {
        &self.parts.store
    }

    /// Returns the key ring.
    #[must_use]
    pub const fn ring(&self) -> &Arc<KeyRing> {
        &self.parts.ring
    }

    /// Returns the settings.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.parts.settings
    }

    /// Returns the clock.
    #[must_use]
    pub const fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// Records a request with its first job and wakes a worker. Once this returned `Ok` the job will be done, whatever crashes.
    ///
    /// # Errors
    /// [`PipelineError::Store`], among them [`antumbra_jobs::StoreError::Duplicate`]; [`PipelineError::Crypto`].
    pub async fn submit(&self, request: NewRequest) -> Result<Created, PipelineError> {
        crash_point("submit.received");
        let id = JobId::generate();
        let key = DataKey::generate()?;
        let wrapped_key = self.parts.ring.wrap(&key, &key_context(&request.tenant, id))?;
        let created = self.parts.store.create_request(request, NewJob { id, wrapped_key }).await?;
        crash_point("submit.recorded");
        self.wake.notify_one();
        Ok(created)
    }

    /// Opens a published bundle for reading.
    ///
    /// # Errors
    /// [`PipelineError::Gone`] when its time is over or its key destroyed; [`PipelineError::NotReady`] when there is none;
    /// [`PipelineError::Store`], [`PipelineError::Crypto`], [`PipelineError::Bundle`].
    pub async fn open_bundle(&self, job: &Job) -> Result<OpenBundle, PipelineError> {
        let state = self.parts.store.expire_if_due(job.id).await?;
        match state {
            JobState::Ready | JobState::Delivered => {}
            JobState::Expired => return Err(PipelineError::Gone { job: job.id }),
            _ => return Err(PipelineError::NotReady { job: job.id, state }),
        }
        let objects = self.objects_of(job)?;
        OpenBundle::load(self.parts.store.as_ref(), objects, job.id).await
    }

    /// Binds the job's unwrapped data key to its objects.
    pub(crate) fn objects_of(&self, job: &Job) -> Result<JobObjects, PipelineError> {
        let Some(wrapped) = &job.wrapped_key else {
            return Err(PipelineError::Gone { job: job.id });
        };
        let key = self.parts.ring.unwrap(wrapped, &key_context(&job.tenant, job.id))?;
        let store = Arc::clone(&self.parts.objects);
        Ok(JobObjects::new(store, key, job.tenant.as_str(), &job.id.to_string()))
    }

    /// Waits until a request was submitted; a submission while nobody waited counts.
    pub(crate) async fn submitted(&self) {
        self.wake.notified().await;
    }
}

fn key_context(tenant: &TenantId, job: JobId) -> Context {
    Context::new("antumbra/data-key").with(tenant.as_str()).with(job.to_string())
}
