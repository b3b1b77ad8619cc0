//! What does the gateway hold of the engine?

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use antumbra_bundle::{JobObjects, StoredObjects};
use antumbra_config::Settings;
use antumbra_crypto::stream::DataKey;
use antumbra_crypto::{Context, KeyRing};
use antumbra_jobs::{
    Clock, Created, Family, Job, JobId, JobState, JobStore, NewJob, NewRequest, TenantId,
};
use object_store::ObjectStore;
use tokio::sync::Notify;

use crate::runner::{Live, OpenBundle, Readers, Running};
use crate::silo::Silos;
use crate::sweeper::DiskUse;
use crate::{PipelineError, crash_point};

/// Everything that gateway and worker share: store, objects, keys, settings, clock.
#[derive(Debug)]
pub struct Engine {
    parts: EngineParts,
    wake: Notify,
    running: Arc<Running>,
    readers: Arc<Readers>,
    live: Arc<Live>,
    disk_use: Mutex<Option<DiskUse>>,
}

/// What an engine is made of.
#[derive(Debug)]
pub struct EngineParts {
    /// Requests, jobs, grants, audit.
    pub store: Arc<dyn JobStore>,
    /// Sealed objects.
    pub objects: Arc<dyn ObjectStore>,
    /// Where `objects` keeps its files, if it is a directory of this machine: uploads that nobody finished are found there.
    pub objects_dir: Option<PathBuf>,
    /// The systems that hold data, their secrets resolved.
    pub silos: Silos,
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
        Self {
            parts,
            wake: Notify::new(),
            running: Arc::default(),
            readers: Arc::default(),
            live: Arc::default(),
            disk_use: Mutex::default(),
        }
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
    /// A request of the compliance contract counts against `compliance.max_active`; its job waits for
    /// [`start`](Self::start) unless `compliance.autostart` is set.
    ///
    /// # Errors
    /// [`PipelineError::Store`], among them [`antumbra_jobs::StoreError::Duplicate`] and
    /// [`antumbra_jobs::StoreError::TooManyActive`]; [`PipelineError::Crypto`].
    pub async fn submit(&self, mut request: NewRequest) -> Result<Created, PipelineError> {
        crash_point("submit.received");
        let mut held = false;
        if request.family == Family::Compliance {
            let settings = &self.parts.settings.compliance;
            request.active_limit = Some(settings.max_active.get());
            held = !settings.autostart;
        }
        let job = self.new_job(&request.tenant, held)?;
        let created = self.parts.store.create_request(request, job).await?;
        crash_point("submit.recorded");
        if !held {
            self.wake.notify_one();
        }
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

    /// Returns what the sealed objects took at the end of the last sweep; `None` before the first.
    #[must_use]
    pub fn disk_use(&self) -> Option<DiskUse> {
        *self.disk_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_disk_use(&self, found: DiskUse) {
        *self.disk_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// Makes a job with a data key of its own; it is not recorded yet.
    pub(crate) fn new_job(&self, tenant: &TenantId, held: bool) -> Result<NewJob, PipelineError> {
        let id = JobId::generate();
        let key = DataKey::generate()?;
        let wrapped_key = self.parts.ring.wrap(&key, &key_context(tenant, id))?;
        Ok(NewJob { id, wrapped_key, held })
    }

    /// Names the job's objects as the object store has them: to find and delete them needs no key.
    pub(crate) fn stored_of(&self, job: JobId) -> StoredObjects {
        StoredObjects::new(Arc::clone(&self.parts.objects), &job.to_string())
    }

    pub(crate) const fn parts(&self) -> &EngineParts {
        &self.parts
    }

    /// Returns the jobs that run in this process.
    pub(crate) const fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// Returns the jobs that are collected in this process.
    pub(crate) const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Returns the jobs whose bundles are read in this process.
    pub(crate) const fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// Waits until a request was submitted; a submission while nobody waited counts.
    pub(crate) async fn submitted(&self) {
        self.wake.notified().await;
    }
}

fn key_context(tenant: &TenantId, job: JobId) -> Context {
    Context::new("antumbra/data-key").with(tenant.as_str()).with(job.to_string())
}
