//! Who works? A loop that leases, works under a heartbeat, and drains.

use std::sync::Arc;

use antumbra_jobs::{Lease, StoreError, WorkerId};
use tokio::runtime::Handle;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::job;
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

async fn work(engine: Arc<Engine>, shutdown: CancellationToken) {
    let worker = WorkerId::generate();
    let ttl = engine.settings().worker.lease.duration();
    while !shutdown.is_cancelled() {
        match engine.store().lease(&worker, ttl).await {
            Ok(Some(lease)) => one(&engine, lease, &shutdown).await,
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

/// Does one job: on a blocking thread, because encoding takes long between two awaits; the heartbeat stays on the runtime.
async fn one(engine: &Arc<Engine>, lease: Lease, shutdown: &CancellationToken) {
    tracing::info!(job = %lease.job, fence = lease.fence.0, "job leased");
    let cancel = shutdown.child_token();
    // Dropped with this future, it stops the work on its own thread, which nobody would keep the lease for.
    let _stop = cancel.clone().drop_guard();
    let (for_job, job_lease, job_cancel) = (Arc::clone(engine), lease.clone(), cancel.clone());
    let handle = Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        handle.block_on(job::run(&for_job, job_lease, job_cancel))
    });
    tokio::pin!(work);
    let result = tokio::select! {
        result = &mut work => result,
        () = beat(engine, &lease) => {
            cancel.cancel();
            work.await
        }
    };
    match result {
        Ok(Ok(())) => tracing::info!(job = %lease.job, "job ready"),
        Ok(Err(error)) => ended(engine, &lease, error).await,
        Err(_panic) => {
            // The panic's message is not logged: it may quote data.
            tracing::error!(job = %lease.job, "job panicked");
            give_up(engine, &lease, "internal_error", "the worker panicked").await;
        }
    }
}

/// Prolongs the lease until it is lost. A store that fails is asked again: the lease may outlive the fault.
async fn beat(engine: &Engine, lease: &Lease) {
    let settings = &engine.settings().worker;
    let mut lease = lease.clone();
    loop {
        sleep(settings.heartbeat.duration()).await;
        match engine.store().heartbeat(&lease, settings.lease.duration()).await {
            Ok(longer) => lease = longer,
            Err(error @ StoreError::LeaseLost { .. }) => {
                tracing::warn!(job = %lease.job, code = error.code(), "lease lost");
                return;
            }
            Err(error) => tracing::warn!(job = %lease.job, code = error.code(), "heartbeat failed"),
        }
    }
}

async fn ended(engine: &Engine, lease: &Lease, error: PipelineError) {
    match &error {
        PipelineError::Store(StoreError::LeaseLost { .. }) => {
            tracing::warn!(job = %lease.job, "job lost to another worker");
        }
        PipelineError::Interrupted => {
            tracing::info!(job = %lease.job, "job put down");
            if let Err(error) = engine.store().release(lease).await {
                tracing::warn!(job = %lease.job, code = error.code(), "lease not given back");
            }
        }
        other => {
            if job::may_retry(other, lease.fence) {
                // The lease runs out by itself: that is the pause before the next attempt.
                tracing::warn!(job = %lease.job, code = other.code(), "job interrupted by a fault");
            } else {
                let message = message(other);
                give_up(engine, lease, other.code(), &message).await;
            }
        }
    }
}

async fn give_up(engine: &Engine, lease: &Lease, code: &str, message: &str) {
    tracing::warn!(job = %lease.job, code, "job failed");
    if let Err(error) = engine.store().fail(lease, code, message).await {
        tracing::warn!(job = %lease.job, code = error.code(), "failure not recorded");
        return;
    }
    // Nothing names its objects any more. What cannot be removed now is sealed, and stays until somebody does.
    if let Err(error) = delete_objects(engine, lease).await {
        tracing::warn!(job = %lease.job, code = error.code(), "objects of a failed job are left");
    }
}

async fn delete_objects(engine: &Engine, lease: &Lease) -> Result<(), PipelineError> {
    let job = engine.store().job(lease.job).await?;
    Ok(engine.objects_of(&job)?.delete_all().await?)
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
        other => other.to_string(),
    }
}

/// A submission wakes the worker; this is for leases of workers that died.
const IDLE: Duration = Duration::from_secs(1);
const AFTER_FAULT: Duration = Duration::from_secs(5);
