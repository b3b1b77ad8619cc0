//! `GET /v1/data-subject-request/{id}`: where a request stands (`sombra.md` §3.4).

use antumbra_jobs::{Family, Job, JobState, Request, RequestId, RequestStatus, Scope, TenantId};
use http::{Response, StatusCode};
use serde::Serialize;

use super::progress::JobView;
use super::view::RequestView;
use crate::auth::admit;
use crate::http::{ApiError, Body, Call, Shared, json};

/// Answers with the request and the state of its latest job.
pub(in crate::routes) async fn poll(
    shared: &Shared,
    call: &Call,
) -> Result<Response<Body>, ApiError> {
    let caller = admit(shared, &call.head.headers, Scope::RequestRead).await?;
    let (request, job) = current(shared, caller.tenant(), call.params.get("id")).await?;
    let sections = shared.store().sections(job.id).await?;
    let live = shared.engine().live_progress(job.id);
    let waits = live.is_some_and(|live| live.waits_for_root);
    let job = JobView::of(&job, &sections, waits);
    let view = Polled { request: RequestView::of(shared, &request), job };
    json(StatusCode::OK, &view)
}

/// Returns a tenant's request and its latest job, a bundle whose time is over expired first.
///
/// # Errors
/// Not found for another tenant's request, for one that came through the other contract, and for an id that is none.
pub(super) async fn current(
    shared: &Shared,
    tenant: &TenantId,
    id: &str,
) -> Result<(Request, Job), ApiError> {
    let id: RequestId = id.parse().map_err(|_| ApiError::not_found("request"))?;
    let store = shared.store();
    let mut job = store.latest_job(tenant, id).await?;
    let kept = matches!(job.state, JobState::Ready | JobState::Delivered);
    let ended = job.delivery.as_ref().is_some_and(|delivery| delivery.expires_at <= shared.now());
    if kept && ended {
        store.expire_if_due(job.id).await?;
        job = store.latest_job(tenant, id).await?;
    }
    let mut request = store.request(tenant, id).await?;
    // An export of a whole tenant is for keys with the compliance scope.
    if request.family != Family::Sombra {
        return Err(ApiError::not_found("request"));
    }
    // Read after the job: a worker may have published in between, and one answer must not say two things.
    request.status = RequestStatus::of_job(job.state);
    Ok((request, job))
}

/// The contract's fields first, then what this gateway adds.
#[derive(Debug, Serialize)]
struct Polled<'r> {
    #[serde(flatten)]
    request: RequestView<'r>,
    #[serde(flatten)]
    job: JobView<'r>,
}
