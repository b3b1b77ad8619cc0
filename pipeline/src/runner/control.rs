//! What may be done to one job from outside the worker's loop? Cancel it, start it, work it to its end, look after its bundle.

use std::sync::Arc;
use std::time::Duration;

use antumbra_jobs::{
    Actor, Family, Job, JobState, Lease, NextJob, RequestId, StoreError, TenantId, WorkerId,
};
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::open::needed_objects;
use super::worker::{self, AfterFault};
use crate::{Engine, PipelineError};

impl Engine {
    /// Cancels the latest job of a request and returns it as it is now: CANCELLED, whatever the worker that held it still does.
    ///
    /// A worker in this process is stopped at once: what it reads from a silo ends, uploads under way are given up. One in another
    /// process learns it within a second and does the same. The job's objects are deleted; what cannot be deleted now is
    /// sealed, and a later sweep tries again.
    ///
    /// # Errors
    /// [`PipelineError::Store`], among them [`StoreError::IllegalMove`] for a job that is not active.
    ///
    /// # Cancel safety
    /// A dropped call may have cancelled the job; worker and sweeper see to the rest.
    pub async fn cancel(
        &self,
        tenant: &TenantId,
        request: RequestId,
        actor: &Actor,
    ) -> Result<Job, PipelineError> {
        let job = self.store().cancel(tenant, request, actor).await?;
        tracing::info!(job = %job.id, "job cancelled");
        if !self.running().abandon(job.id, PATIENCE).await {
            tracing::warn!(job = %job.id, "the worker of a cancelled job has not put it down yet");
        }
        worker::delete_objects(self, job.id).await;
        Ok(job)
    }

    /// Leases the latest job of a request, to be given to [`drive`](Self::drive): of several callers one gets it.
    ///
    /// A READY or DELIVERED job whose objects are lost while its time is not over gets a new attempt, which is leased.
    ///
    /// # Errors
    /// [`PipelineError::NotStartable`] when the job is in another state, or somebody else was quicker;
    /// [`PipelineError::Store`], among them [`StoreError::TooManyActive`] for a new attempt; [`PipelineError::Bundle`],
    /// [`PipelineError::Crypto`].
    pub async fn start(
        &self,
        tenant: &TenantId,
        request: RequestId,
        actor: &Actor,
    ) -> Result<Lease, PipelineError> {
        let (worker, ttl) = (WorkerId::generate(), self.settings().worker.lease.duration());
        let job = self.store().latest_job(tenant, request).await?;
        if matches!(
            self.store().expire_if_due(job.id).await?,
            JobState::Ready | JobState::Delivered
        ) && !self.bundle_is_intact(&job).await?
        {
            let limit = self.store().request(tenant, request).await?.family == Family::Compliance;
            let record = |job| {
                let next = NextJob {
                    job,
                    active_limit: limit.then_some(self.settings().compliance.max_active.get()),
                    actor: actor.clone(),
                    worker: worker.clone(),
                    ttl,
                };
                self.store().create_job(tenant, request, next)
            };
            return match self.record_job(tenant, false, record).await {
                Err(PipelineError::Store(StoreError::IllegalMove(_))) => {
                    self.not_startable(tenant, request).await
                }
                Err(error) => Err(error),
                Ok(lease) => {
                    tracing::warn!(job = %lease.job, "a bundle is lost and made again");
                    Ok(lease)
                }
            };
        }
        match self.store().lease_job(job.id, &worker, ttl).await? {
            Some(lease) => Ok(lease),
            None => self.not_startable(tenant, request).await,
        }
    }

    /// Works a leased job to its end, in the caller's task, heartbeats included: READY, FAILED or whatever somebody else made of
    /// it. A fault that passes is tried again a few times and then fails the job, unless it is the job store's.
    ///
    /// On `shutdown` complete slices are committed and the lease is given back: another worker goes on.
    ///
    /// # Cancel safety
    /// A dropped call is a crashed worker: the job goes on when its lease ends.
    pub async fn drive(self: &Arc<Self>, lease: Lease, shutdown: CancellationToken) {
        worker::work_on(self, lease, &shutdown, AfterFault::Fail).await;
    }

    /// Says whether every object that the job's bundle needs is there; nothing is read. False if nothing was published.
    ///
    /// # Errors
    /// [`PipelineError::Store`], [`PipelineError::Bundle`] when the object store does not answer.
    pub async fn bundle_is_intact(&self, job: &Job) -> Result<bool, PipelineError> {
        let Some(names) = needed_objects(self.store().as_ref(), job.id).await? else {
            return Ok(false);
        };
        let objects = self.stored_of(job.id);
        let mut there = stream::iter(names)
            .map(|name| {
                let objects = objects.clone();
                async move { objects.has(&name).await }
            })
            .buffer_unordered(LOOKS_AT_ONCE);
        while let Some(there) = there.try_next().await? {
            if !there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn not_startable<T>(
        &self,
        tenant: &TenantId,
        request: RequestId,
    ) -> Result<T, PipelineError> {
        let state = self.store().latest_job(tenant, request).await?.state;
        Err(PipelineError::NotStartable { state })
    }
}

/// How long a call waits for the worker of a job it cancelled.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many objects are looked for at once.
const LOOKS_AT_ONCE: usize = 8;
