//! `POST /v1/compliance/dsar/{id}/run`: one synchronous walk from REQUESTED to READY.

use std::sync::Arc;

use antumbra_jobs::{Job, JobState, Request};
use antumbra_pipeline::PipelineError;
use http::Response;
use serde::Serialize;

use super::audit_report::{AuditReport, manifest};
use super::cap;
use super::envelope::answer;
use super::find::current;
use super::view::{JobView, storage_fault};
use crate::auth::{Caller, admit_compliance};
use crate::http::{ApiError, Body, Call, Shared};

/// Does a job and answers when it ended. The body is not read.
///
/// The work is the daemon's, not the connection's: a client that leaves does not stop it. A daemon that stops puts the job
/// down, and a worker goes on with it later. Where the root of the keys does not answer, job and caller wait for it.
pub(in crate::routes) async fn run(
    shared: Arc<Shared>,
    call: &Call,
) -> Result<Response<Body>, ApiError> {
    let caller = admit_compliance(&shared, &call.head.headers).await?;
    call.query()?.refuse_dry_run()?;
    // The stack lets this route take as long as the job; what comes before the job may not.
    let patience = shared.settings().listen.request_timeout.duration();
    let found = tokio::time::timeout(patience, current(&shared, caller.tenant(), call)).await;
    let (request, _) = found.map_err(|_| ApiError::timeout())??;
    let (engine, shutdown) = (Arc::clone(shared.engine()), shared.shutdown().clone());
    let (tenant, id, actor) = (caller.tenant().clone(), request.id, caller.actor());
    // One task: a job that was leased here is worked on, whenever the client leaves.
    let runs = Arc::clone(shared.runs());
    let walk = async move {
        // Before the job is leased: one that waits here can still be taken by a worker.
        let _permit = tokio::select! {
            biased;
            permit = runs.acquire_owned() => permit.ok(),
            () = shutdown.cancelled() => return Err(PipelineError::Interrupted),
        };
        let lease = engine.start(&tenant, id, &actor).await?;
        let job = lease.job;
        engine.drive(lease, shutdown).await;
        Ok(job)
    };
    let job = match shared.tasks().spawn(walk).await.map_err(ApiError::internal)? {
        Ok(job) => shared.store().job(job).await?,
        // It never began: the answer shows the job as it stands.
        Err(PipelineError::Interrupted) => {
            shared.store().latest_job(caller.tenant(), request.id).await?
        }
        Err(error) => return Err(cap::refused(&shared, &caller, error).await),
    };
    ended(&shared, &caller, &request, &job).await
}

/// Answers by what came of the job.
async fn ended(
    shared: &Shared,
    caller: &Caller,
    request: &Request,
    job: &Job,
) -> Result<Response<Body>, ApiError> {
    let view = JobView::of(shared, caller.actor(), request, job).await?;
    let error = match job.state {
        // It may have been downloaded already, by whoever watched it.
        JobState::Ready | JobState::Delivered => {
            let manifest = manifest(shared, job).await?;
            let audit_report = AuditReport::of(request, job, &manifest);
            return answer(&Done { job: view, audit_report });
        }
        JobState::Failed if job.failure.as_ref().is_some_and(|f| f.code == PLAN_CHANGED) => {
            let message = job.failure.as_ref().map(|failure| failure.message.clone());
            ApiError::plan_changed(message.unwrap_or_default())
        }
        JobState::Failed => {
            let failure = job.failure.as_ref();
            ApiError::run_failed(failure.and_then(|failure| storage_fault(&failure.code)))
        }
        JobState::Requested | JobState::Collecting | JobState::Packaging => {
            ApiError::run_interrupted()
        }
        JobState::Expired | JobState::Cancelled => ApiError::invalid_state(job.state),
    };
    let view = serde_json::to_value(&view).map_err(ApiError::internal)?;
    Err(error.about("job", view))
}

/// The code of a job that was bound to a plan which is not the one it made.
const PLAN_CHANGED: &str = "plan_changed";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Done<'r> {
    job: JobView<'r>,
    audit_report: AuditReport<'r>,
}
