//! What is done at each sweep, and when is the next?

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use antumbra_jobs::{Job, JobId};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::leftovers::{Leftovers, Seen};
use super::staged;
use crate::{Engine, PipelineError};

/// Destroys what is over: bundles past their time, what failed and cancelled jobs left, download keys, and what is personal of
/// requests whose retention is over.
///
/// Several sweepers over one store disturb each other no more than they help.
#[derive(Debug)]
pub struct Sweeper {
    engine: Arc<Engine>,
    seen: Mutex<Seen>,
}

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Bundles whose time was over.
    pub expired: u64,
    /// Jobs whose objects, key and records were destroyed.
    pub jobs: u64,
    /// Requests whose personal details were destroyed.
    pub requests: u64,
    /// Download keys that had been over for a day.
    pub grants: u64,
    /// Objects that were deleted: those of forgotten jobs, and those no record named.
    pub objects: u64,
    /// Unfinished uploads that were removed from a local directory.
    pub uploads: u64,
    /// Jobs that objects stand under and that the store does not know; nothing of them is deleted.
    pub unknown: u64,
    /// Jobs of which something could not be deleted; the next sweep tries again.
    pub failed: u64,
}

impl Sweeper {
    /// Makes a sweeper; nothing is swept yet.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, seen: Mutex::default() }
    }

    /// Sweeps a moment after the start and then every `data.sweep_interval`, one sweep at a time, until `shutdown`.
    ///
    /// # Cancel safety
    /// A sweep that ends in the middle has destroyed some of it; the next one destroys the rest.
    pub async fn run(self, shutdown: CancellationToken) {
        let interval = self.engine.settings().data.sweep_interval.duration();
        let mut pause = interval.min(FIRST);
        loop {
            let swept = async {
                sleep(pause).await;
                self.once().await
            };
            let swept = tokio::select! {
                () = shutdown.cancelled() => return,
                swept = swept => swept,
            };
            self.report(swept);
            pause = interval;
        }
    }

    /// Sweeps once.
    ///
    /// # Errors
    /// [`PipelineError::Store`], and [`PipelineError::Bundle`] when objects cannot be listed; what was swept until then is. An
    /// object that cannot be deleted is no error: it is counted, logged, and tried again by the next sweep.
    pub async fn once(&self) -> Result<Swept, PipelineError> {
        let mut swept = Swept::default();
        self.expire(&mut swept).await?;
        self.forget_jobs(&mut swept).await?;
        self.forget_grants(&mut swept).await?;
        self.forget_requests(&mut swept).await?;
        let found = Leftovers::new(&self.engine, &self.seen).look(&mut swept).await?;
        self.engine.set_disk_use(found);
        Ok(swept)
    }

    async fn expire(&self, swept: &mut Swept) -> Result<(), PipelineError> {
        loop {
            let expired = self.engine.store().expire_due(PAGE).await?.len();
            swept.expired += expired as u64;
            if is_last(expired) {
                return Ok(());
            }
        }
    }

    /// Forgets jobs that ended without a bundle or whose bundle's time is over, each after its last object.
    async fn forget_jobs(&self, swept: &mut Swept) -> Result<(), PipelineError> {
        let store = self.engine.store();
        let mut kept: HashSet<JobId> = HashSet::new();
        loop {
            // Those that stay are found again, in front of the others.
            let limit = PAGE.saturating_add(u32::try_from(kept.len()).unwrap_or(u32::MAX));
            let jobs = store.forgettable(limit).await?;
            let found = jobs.len();
            let before = kept.len();
            for job in jobs {
                if kept.contains(&job.id) {
                    continue;
                }
                // A worker that has not put it down could write once more.
                if self.engine.running().has(job.id) || self.is_read(&job) {
                    kept.insert(job.id);
                    continue;
                }
                match self.delete(&job, swept).await {
                    Ok(()) => {
                        store.forget_job(job.id).await?;
                        swept.jobs += 1;
                    }
                    Err(error) => {
                        tracing::warn!(job = %job.id, code = error.code(), "objects are left for the next sweep");
                        swept.failed += 1;
                        kept.insert(job.id);
                    }
                }
            }
            if is_last(found.saturating_sub(before)) {
                return Ok(());
            }
        }
    }

    /// Says whether a download that began in time may still come to its end. One of a job whose key somebody destroyed may
    /// not: it breaks off at the next object that it needs.
    fn is_read(&self, job: &Job) -> bool {
        if job.wrapped_key.is_none() {
            return false;
        }
        let since = self.engine.clock().now().duration_since(job.updated_at);
        self.engine.readers().has(job.id) && since < LAST_READ
    }

    /// Deletes everything of a job that ended: what is listed, what records name, what an upload left.
    async fn delete(&self, job: &Job, swept: &mut Swept) -> Result<(), PipelineError> {
        let objects = self.engine.stored_of(job.id);
        swept.objects += objects.delete_all().await?;
        for name in self.engine.store().objects(job.id).await? {
            swept.objects += u64::from(objects.delete(&name).await?);
        }
        if let Some(directory) = &self.engine.parts().objects_dir {
            let removed = staged::remove(directory.clone(), job.id.to_string()).await;
            swept.uploads += removed.map_err(super::leftovers::unreadable)?;
        }
        Ok(())
    }

    async fn forget_grants(&self, swept: &mut Swept) -> Result<(), PipelineError> {
        loop {
            let forgotten = self.engine.store().forget_grants(PAGE).await?;
            swept.grants += forgotten;
            if forgotten < u64::from(PAGE) {
                return Ok(());
            }
        }
    }

    async fn forget_requests(&self, swept: &mut Swept) -> Result<(), PipelineError> {
        let retention = self.engine.settings().export.retention.duration();
        let ended_before = before(self.engine.clock().now(), retention);
        loop {
            let forgotten = self.engine.store().forget_requests(ended_before, PAGE).await?;
            swept.requests += forgotten;
            if forgotten < u64::from(PAGE) {
                return Ok(());
            }
        }
    }

    fn report(&self, swept: Result<Swept, PipelineError>) {
        let swept = match swept {
            Ok(swept) => swept,
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "sweep ended early");
                return;
            }
        };
        let used = self.engine.disk_use().unwrap_or_default();
        // One line, of which the level says whether anything was done.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    expired = swept.expired,
                    jobs = swept.jobs,
                    requests = swept.requests,
                    grants = swept.grants,
                    objects = swept.objects,
                    uploads = swept.uploads,
                    unknown = swept.unknown,
                    failed = swept.failed,
                    objects_left = used.objects,
                    bytes_left = used.bytes,
                    "sweep"
                )
            };
        }
        if swept == (Swept { unknown: swept.unknown, ..Swept::default() }) {
            line!(debug);
        } else {
            line!(info);
        }
    }
}

fn is_last(found: usize) -> bool {
    u32::try_from(found).is_ok_and(|found| found < PAGE)
}

fn before(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    now.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// How long after its end a bundle that somebody reads is kept.
const LAST_READ: SignedDuration = SignedDuration::from_hours(1);
/// How much of one kind is asked of the store at once.
const PAGE: u32 = 256;
/// The first sweep is soon after the start, when the daemon has begun to answer.
const FIRST: Duration = Duration::from_secs(5);
