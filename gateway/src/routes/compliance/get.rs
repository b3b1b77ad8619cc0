//! `GET /v1/compliance/dsar/{id}`: where a job stands.

use http::Response;
use serde::Serialize;

use super::envelope::answer;
use super::find::current;
use super::view::JobView;
use crate::auth::admit_compliance;
use crate::http::{ApiError, Body, Call, Shared};

/// Answers with the job.
pub(in crate::routes) async fn get(
    shared: &Shared,
    call: &Call,
) -> Result<Response<Body>, ApiError> {
    let caller = admit_compliance(shared, &call.head.headers).await?;
    let (request, job) = current(shared, caller.tenant(), call).await?;
    let job = JobView::of(shared, caller.actor(), &request, &job).await?;
    answer(&OneJob { job })
}

/// `data` of the answers that hold one job.
#[derive(Debug, Serialize)]
pub(super) struct OneJob<'r> {
    pub(super) job: JobView<'r>,
}
