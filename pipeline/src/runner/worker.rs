//! Who works? A loop that leases, works under a heartbeat, and drains.

use std::sync::Arc;

use antumbra_jobs::{JobId, JobState, Lease, StoreError, WorkerId};
use tokio::time::{Duration, Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::chain::Chain;
use super::job;
use super::running::Halt;
use crate::{Engine, PipelineError, SiloError};

/// Leases jobs and does them, as many at a time as settings allow.
#[derive(Debug)]
pub struct Worker {
    engine: Arc<Engine>,
}

impl Worker {
    /// Makes a worker; nothing is leased yet.
    #[must_use]
    pub const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Works until `shutdown`. Then complete slices are committed, leases are given back, and it returns: another worker, or this
    /// one after a restart, goes on from there.
    ///
    /// # Cancel safety
    /// A dropped worker is a crashed one: its jobs go on when their leases end.
    pub async fn run(self, shutdown: CancellationToken) {
        let loops = (0..self.engine.settings().worker.concurrency.get())
            .map(|_| work(Arc::clone(&self.engine), shutdown.clone()));
        futures::future::join_all(loops).await;
    }
}

/// What becomes of a job that stopped on a fault which may pass, and which was tried again in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterFault {
    /// Its lease runs out by itself: that is the pause before the next attempt, of any worker.
    LeaveToLease,
    /// It fails: somebody waits for its end.
    Fail,
}

async fn work(engine: Arc<Engine>, shutdown: CancellationToken) {
    let worker = WorkerId::generate();
    let ttl = engine.settings().worker.lease.duration();
    while !shutdown.is_cancelled() {
        match engine.store().lease(&worker, ttl).await {
            Ok(Some(lease)) => work_on(&engine, lease, &shutdown, AfterFault::LeaveToLease).await,
            Ok(None) => idle(&engine, &shutdown, IDLE).await,
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "no lease: the store failed");
                idle(&engine, &shutdown, AFTER_FAULT).await;
            }
        }
    }
}

async fn idle(engine: &Engine, shutdown: &CancellationToken, at_most: Duration) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = engine.submitted() => {}
        () = sleep(at_most) => {}
    }
}

/// Does one job, as a task of its own: the heartbeat goes on whatever the job does.
pub(super) async fn work_on(
    engine: &Arc<Engine>,
    lease: Lease,
    shutdown: &CancellationToken,
    after_fault: AfterFault,
) {
    tracing::info!(job = %lease.job, fence = lease.fence.0, "job leased");
    let halt = Halt::under(shutdown);
    // Dropped with this future, it stops the work, which nobody would keep the lease for.
    let _stop = halt.stop().clone().drop_guard();
    let begun = engine.running().begin(&lease, halt.clone());
    let (for_job, job_lease, job_halt) = (Arc::clone(engine), lease.clone(), halt.clone());
    let work = TaskTracker::new().spawn(async move {
        let _begun = begun;
        Box::pin(job::run(&for_job, job_lease, job_halt)).await
    });
    tokio::pin!(work);
    let result = tokio::select! {
        result = &mut work => result,
        () = beat(engine, &lease) => {
            halt.abandon();
            work.await
        }
    };
    match result {
        Ok(Ok(())) => tracing::info!(job = %lease.job, "job ready"),
        // A job whose key is destroyed ended in the same moment.
        Ok(Err(
            PipelineError::Store(StoreError::LeaseLost { .. }) | PipelineError::Gone { .. },
        )) => lost(engine, &lease).await,
        Ok(Err(_)) if halt.is_abandoned() => lost(engine, &lease).await,
        Ok(Err(error)) => ended(engine, &lease, error, after_fault).await,
        Err(_panic) => {
            // The panic's message is not logged: it may quote data.
            tracing::error!(job = %lease.job, "job panicked");
            give_up(engine, &lease, "internal_error", "the worker panicked").await;
        }
    }
}

/// Prolongs the lease until it is lost; returns then. A store that fails is asked again: the lease may outlive the fault.
///
/// Between two heartbeats the job is looked at, so that one that was cancelled in another process stops within a second too.
async fn beat(engine: &Engine, lease: &Lease) {
    let settings = &engine.settings().worker;
    let mut longer = lease.clone();
    let mut next = Instant::now() + settings.heartbeat.duration();
    loop {
        let look = Instant::now() + LOOK;
        sleep_until(look.min(next)).await;
        if Instant::now() < next {
            if is_lost(engine, lease).await {
                tracing::warn!(job = %lease.job, "lease lost");
                return;
            }
            continue;
        }
        next = Instant::now() + settings.heartbeat.duration();
        match engine.store().heartbeat(&longer, settings.lease.duration()).await {
            Ok(now) => longer = now,
            Err(error @ StoreError::LeaseLost { .. }) => {
                tracing::warn!(job = %lease.job, code = error.code(), "lease lost");
                return;
            }
            Err(error) => tracing::warn!(job = %lease.job, code = error.code(), "heartbeat failed"),
        }
    }
}

/// Says whether somebody else holds the job, or it was ended by somebody else. A bundle that is ready was published by its holder.
async fn is_lost(engine: &Engine, lease: &Lease) -> bool {
    let Ok(job) = engine.store().job(lease.job).await else { return false };
    job.fence != lease.fence
        || matches!(job.state, JobState::Cancelled | JobState::Failed | JobState::Expired)
}

/// The job is no longer this worker's: nothing may be recorded. What a cancelled one left is deleted.
async fn lost(engine: &Engine, lease: &Lease) {
    match engine.store().job(lease.job).await {
        Ok(job) if job.state == JobState::Cancelled => {
            tracing::info!(job = %lease.job, "cancelled job put down");
            delete_objects(engine, lease.job).await;
        }
        Ok(job) if job.fence == lease.fence && job.delivery.is_some() => {
            tracing::info!(job = %lease.job, "job ready");
        }
        _ => tracing::warn!(job = %lease.job, "job lost to another worker"),
    }
}

async fn ended(engine: &Engine, lease: &Lease, error: PipelineError, after_fault: AfterFault) {
    match &error {
        PipelineError::Interrupted => {
            tracing::info!(job = %lease.job, "job put down");
            if let Err(error) = engine.store().release(lease).await {
                tracing::warn!(job = %lease.job, code = error.code(), "lease not given back");
            }
        }
        other
            if after_fault == AfterFault::LeaveToLease
                && job::may_lease(other, lease.fruitless) =>
        {
            tracing::warn!(job = %lease.job, code = other.code(), "job interrupted by a fault");
        }
        other => {
            if let PipelineError::Crypto(_) = other {
                // Which root, and what it says: the operator has to act, and a code does not tell how.
                tracing::error!(job = %lease.job, code = other.code(), error = %Chain(other), "no key for the job");
            }
            let message = message(other);
            give_up(engine, lease, other.code(), &message).await;
        }
    }
}

async fn give_up(engine: &Engine, lease: &Lease, code: &str, message: &str) {
    tracing::warn!(job = %lease.job, code, "job failed");
    if let Err(error) = engine.store().fail(lease, code, message).await {
        tracing::warn!(job = %lease.job, code = error.code(), "failure not recorded");
        return;
    }
    delete_objects(engine, lease.job).await;
}

/// Deletes every object of a job that ended without a bundle: nothing names them any more. What cannot be removed now is
/// sealed, and a sweep tries again.
pub(super) async fn delete_objects(engine: &Engine, job: JobId) {
    if let Err(error) = engine.stored_of(job).delete_all().await {
        tracing::warn!(%job, code = error.code(), "objects of an ended job are left for the sweeper");
    }
}

/// What the operator reads. Names sections and codes; what a silo said is in the sealed column only.
fn message(error: &PipelineError) -> String {
    match error {
        PipelineError::Section { silo, datapoint, source } => {
            let SiloError::Value { .. } = source else {
                return format!("section {silo}/{datapoint}: {} ({source})", source.code());
            };
            format!("section {silo}/{datapoint}: {source}")
        }
        PipelineError::Crypto(_) => Chain(error).to_string(),
        other => other.to_string(),
    }
}

/// A submission wakes the worker; this is for leases of workers that died.
const IDLE: Duration = Duration::from_secs(1);
const AFTER_FAULT: Duration = Duration::from_secs(5);
/// How often a job that runs is looked at between heartbeats: one read, so that a cancel elsewhere is heard within a second.
const LOOK: Duration = Duration::from_millis(500);
