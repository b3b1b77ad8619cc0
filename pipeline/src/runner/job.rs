//! How is one leased job done, from wherever it stands?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use antumbra_bundle::JobObjects;
use antumbra_config::Format;
use antumbra_crypto::Retry;
use antumbra_jobs::{Job, JobState, Lease, NewSection, Progress, Request};
use tokio::runtime::Handle;

use super::backoff::{RetryPolicies, Tries, wait};
use super::chain::Chain;
use super::collect::{Collector, Prepared};
use super::package::{Packaging, package};
use super::running::Halt;
use super::sessions::Sessions;
use super::unlock::unlock;
use crate::plan::{self, Plan};
use crate::{Engine, PipelineError, crash_point};

/// Plans unless there is a plan, collects what is not collected, packages. Before all of it the job's key is unwrapped.
///
/// Faults of store and objects that may pass are tried again here, from the last commit and in the same snapshots.
pub(super) async fn run(
    engine: &Arc<Engine>,
    lease: Lease,
    halt: Halt,
) -> Result<(), PipelineError> {
    if lease.fruitless > MOST_LEASES {
        return Err(PipelineError::TooManyLeases { leases: lease.fruitless });
    }
    let mut run = Run::new(engine, lease, halt.clone());
    let ended = work(&mut run, &halt).await;
    if let Some(collector) = &mut run.collector {
        collector.put_away().await;
    }
    ended
}

async fn work(run: &mut Run<'_>, halt: &Halt) -> Result<(), PipelineError> {
    let mut tries = Tries::new(TRIES, FIRST_PAUSE);
    loop {
        let Err(error) = Box::pin(run.attempt()).await else { return Ok(()) };
        run.drop_uncommitted().await;
        if matches!(error, PipelineError::Interrupted) || !is_passing(&error) {
            return Err(error);
        }
        let Some(pause) = tries.failed(run.commits()) else { return Err(error) };
        tracing::warn!(
            job = %run.lease.job, code = error.code(), error = %Chain(&error), "job tried again"
        );
        wait(halt, pause).await?;
    }
}

/// A job under one lease, and what outlives its tries.
struct Run<'a> {
    engine: &'a Arc<Engine>,
    lease: Lease,
    halt: Halt,
    /// The job's objects, once its key is unwrapped.
    objects: Option<JobObjects>,
    sessions: Option<Sessions>,
    /// The plan, and whether this run made it.
    plan: Option<(Arc<Plan>, bool)>,
    collector: Option<Collector>,
    packagings: u32,
}

/// What a try works on.
struct Ready {
    job: Job,
    request: Request,
    plan: Arc<Plan>,
    objects: JobObjects,
}

impl<'a> Run<'a> {
    fn new(engine: &'a Arc<Engine>, lease: Lease, halt: Halt) -> Self {
        let sessions = Some(Sessions::new(&engine.parts().silos));
        Self {
            engine,
            lease,
            halt,
            objects: None,
            sessions,
            plan: None,
            collector: None,
            packagings: 0,
        }
    }

    /// Goes on from what is committed. When the job is abandoned it ends at once.
    async fn attempt(&mut self) -> Result<(), PipelineError> {
        let halt = self.halt.clone();
        let ready = unless_abandoned(&halt, self.prepare()).await?;
        if ready.job.state != JobState::Packaging {
            self.collect(&ready.plan).await?;
        }
        crash_point("package.begin");
        self.packagings += 1;
        let packaging = Packaging {
            engine: self.engine,
            lease: &self.lease,
            request: &ready.request,
            job: &ready.job,
            plan: &ready.plan,
            objects: &ready.objects,
            stop: self.halt.stop(),
            reconnected: self.collector.as_ref().is_some_and(Collector::has_reconnected),
            attempt: self.packagings,
        };
        unless_abandoned(&halt, Box::pin(package(&packaging))).await
    }

    /// Makes everything ready for collecting, unless that is done.
    async fn prepare(&mut self) -> Result<Ready, PipelineError> {
        let objects = self.objects().await?;
        let store = self.engine.store();
        let job = store.job(self.lease.job).await?;
        let request = store.request_of(self.lease.job).await?;
        let (plan, fresh) = self.plan(&request).await?;
        if job.state != JobState::Packaging
            && let Some(sessions) = self.sessions.take()
        {
            let (plan, objects) = (Arc::clone(&plan), objects.clone());
            let prepared = Prepared { plan, objects, sessions, fresh };
            let formats = formats(&request)?;
            let (lease, halt) = (self.lease.clone(), self.halt.clone());
            self.collector =
                Some(Collector::new(self.engine, lease, &job, prepared, &formats, halt)?);
        }
        Ok(Ready { job, request, plan, objects })
    }

    /// Collects. Many rows are encoded on a thread of their own, as that takes long between two awaits; for a few, waking it again and
    /// again would be most of the work.
    async fn collect(&mut self, plan: &Plan) -> Result<(), PipelineError> {
        let Some(mut collector) = self.collector.take() else { return Ok(()) };
        let halt = self.halt.clone();
        let collect = async move {
            let collected = unless_abandoned(&halt, Box::pin(collector.run())).await;
            (collector, collected)
        };
        let (collector, collected) = if plan.rows_expected().is_some_and(|rows| rows < MANY_ROWS) {
            collect.await
        } else {
            let runtime = Handle::current();
            let work = tokio::task::spawn_blocking(move || runtime.block_on(collect));
            work.await.map_err(|error| match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down and never began it.
                Err(_) => PipelineError::Interrupted,
            })?
        };
        self.collector = Some(collector);
        collected
    }

    /// Returns the job's objects; the first time after its key was unwrapped. No session is open while the root is waited for.
    async fn objects(&mut self) -> Result<JobObjects, PipelineError> {
        if let Some(objects) = &self.objects {
            return Ok(objects.clone());
        }
        let objects = unlock(self.engine, self.lease.job, &self.halt).await?;
        self.objects = Some(objects.clone());
        Ok(objects)
    }

    /// Returns the stored plan, or makes one.
    async fn plan(&mut self, request: &Request) -> Result<(Arc<Plan>, bool), PipelineError> {
        if let Some((plan, fresh)) = &self.plan {
            return Ok((Arc::clone(plan), *fresh));
        }
        let (plan, fresh) = match self.engine.store().plan(self.lease.job).await? {
            Some(bytes) => (Plan::from_bytes(&bytes)?, false),
            None => (self.make_plan(request).await?, true),
        };
        let plan = Arc::new(plan);
        self.plan = Some((Arc::clone(&plan), fresh));
        Ok((plan, fresh))
    }

    /// Plans. A silo that may answer later is asked again, everything else with it, before what it would provide counts as failed.
    async fn make_plan(&mut self, request: &Request) -> Result<Plan, PipelineError> {
        crash_point("plan.begin");
        let settings = self.engine.settings();
        let rules = plan::Rules::of(settings);
        let policies = RetryPolicies::of(settings);
        let mut tries: BTreeMap<String, Tries> = BTreeMap::new();
        let sessions =
            self.sessions.get_or_insert_with(|| Sessions::new(&self.engine.parts().silos));
        let plan = loop {
            let is_last = |silo: &str| match tries.get(silo) {
                Some(tries) => tries.is_last(),
                None => policies.tries(silo).is_last(),
            };
            let patient = |silo: &str| !is_last(silo);
            let made = tokio::select! {
                biased;
                made = plan::build(request, &settings.silos, sessions, &rules, &patient) => made,
                () = self.halt.stop().cancelled() => Err(PipelineError::Interrupted),
            };
            match made {
                Err(PipelineError::Section { silo, datapoint, source })
                    if patient(&silo) || source.is_held() =>
                {
                    let tries = tries.entry(silo.clone()).or_insert_with(|| policies.tries(&silo));
                    let Some(pause) = tries.after(&source, 0) else {
                        break Err(PipelineError::Section { silo, datapoint, source })?;
                    };
                    tracing::warn!(
                        job = %self.lease.job, silo, datapoint, code = source.code(),
                        "planned again: a silo failed"
                    );
                    sessions.forget(&silo);
                    wait(&self.halt, pause).await?;
                }
                made => break made?,
            }
        };
        crash_point("plan.made");
        self.engine.check_made(&plan, request)?;
        self.save(&plan).await?;
        Ok(plan)
    }

    async fn save(&mut self, plan: &Plan) -> Result<(), PipelineError> {
        let sections: Vec<NewSection> = (0..)
            .zip(&plan.sections)
            .map(|(ordinal, section)| NewSection {
                ordinal,
                silo: section.spec.silo.clone(),
                datapoint: section.spec.datapoint.clone(),
            })
            .collect();
        let progress = Progress {
            rows_expected: plan.rows_expected(),
            sections_total: u32::try_from(sections.len()).unwrap_or(u32::MAX),
            ..Progress::default()
        };
        let bytes = plan.to_bytes()?;
        self.engine.store().save_plan(&self.lease, &bytes, &sections, &progress).await?;
        crash_point("plan.saved");
        Ok(())
    }

    /// Gives up what is not committed, uploads that are open included.
    async fn drop_uncommitted(&mut self) {
        if let Some(collector) = &mut self.collector {
            collector.drop_uncommitted().await;
        }
    }

    fn commits(&self) -> u64 {
        self.collector.as_ref().map_or(0, Collector::commits)
    }
}

async fn unless_abandoned<T>(
    halt: &Halt,
    work: impl Future<Output = Result<T, PipelineError>>,
) -> Result<T, PipelineError> {
    tokio::select! {
        biased;
        () = halt.abandoned() => Err(PipelineError::Interrupted),
        done = work => done,
    }
}

fn formats(request: &Request) -> Result<Vec<Format>, PipelineError> {
    request
        .formats
        .iter()
        .map(|format| format.parse().map_err(|_| PipelineError::Document { what: "format" }))
        .collect()
}

/// Says whether a job that stopped on an error is left for another lease, after so many that brought it no further. A silo was asked often enough
/// by then, and an object that cannot be written is the storage's answer.
pub(super) fn may_lease(error: &PipelineError, fruitless: u64) -> bool {
    is_passing(error) && !matches!(error, PipelineError::Write(_)) && fruitless < MAX_LEASES
}

/// Says whether a fault of store or objects may pass; those of silos were tried again where they were met.
fn is_passing(error: &PipelineError) -> bool {
    error.retry() == Retry::Later && !matches!(error, PipelineError::Section { .. })
}

/// Rows that take long to encode.
const MANY_ROWS: u64 = 10_000;
/// Tries in a row, without a commit, of a job whose store or objects fail: the first and three more.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Leases in a row, none of which brought it further, after which a job is given up that came to no end nor to an error: it may be
/// what brings its workers down.
const MOST_LEASES: u64 = 32;
/// Leases in a row without getting further after which a passing fault counts as a lasting one.
const MAX_LEASES: u64 = 8;
