//! What does the gateway hold of the engine?

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use antumbra_bundle::StoredObjects;
use antumbra_config::Settings;
use antumbra_crypto::{KeyRing, LiveRing};
use antumbra_jobs::{Clock, Created, Family, Job, JobId, JobState, JobStore, NewRequest};
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
    /// Keys, as they are now: somebody else changes their file while the daemon runs.
    pub ring: Arc<LiveRing>,
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

    /// Returns the key ring as it is now.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        self.parts.ring.current()
    }

    /// Returns what reads the key ring again when its file changed.
    #[must_use]
    pub const fn live_ring(&self) -> &Arc<LiveRing> {
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
    /// Nothing is recorded when its data key cannot be wrapped: no job ever waits for a key that nobody can make.
    ///
    /// A request of the compliance contract counts against `compliance.max_active`; its job waits for
    /// [`start`](Self::start) unless `compliance.autostart` is set.
    ///
    /// # Errors
    /// [`PipelineError::Store`], among them [`antumbra_jobs::StoreError::Duplicate`] and
    /// [`antumbra_jobs::StoreError::TooManyActive`]; [`PipelineError::Crypto`], which may pass when the root of the keys does
    /// not answer.
    pub async fn submit(&self, mut request: NewRequest) -> Result<Created, PipelineError> {
        crash_point("submit.received");
        let mut held = false;
        if request.family == Family::Compliance {
            let settings = &self.parts.settings.compliance;
            request.active_limit = Some(settings.max_active.get());
            held = !settings.autostart;
        }
        let tenant = request.tenant.clone();
        let store = &self.parts.store;
        let created = self
            .record_job(&tenant, held, |job| store.create_request(request.clone(), job))
            .await?;
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
        let opened = async {
            let objects = self.objects_of(job).await?;
            OpenBundle::load(self.parts.store.as_ref(), objects, job.id).await
        };
        match opened.await {
            // Its key may have been destroyed, or its time have ended, while the root of the keys was asked.
            Err(_) if self.is_gone(job.id).await? => Err(PipelineError::Gone { job: job.id }),
            opened => opened,
        }
    }

    /// Says whether a job that was published can no longer be read, whatever its objects are.
    async fn is_gone(&self, job: JobId) -> Result<bool, PipelineError> {
        let job = self.parts.store.job(job).await?;
        Ok(job.state == JobState::Expired || job.wrapped_key.is_none())
    }

    /// Returns what the sealed objects took at the end of the last sweep; `None` before the first.
    #[must_use]
    pub fn disk_use(&self) -> Option<DiskUse> {
        *self.disk_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_disk_use(&self, found: DiskUse) {
        *self.disk_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
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
