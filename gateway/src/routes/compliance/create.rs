//! `POST /v1/compliance/dsar`: records a job.

use http::Response;
use serde::Serialize;

use super::cap;
use super::envelope::answer;
use super::submission;
use super::view::JobView;
use crate::auth::admit_compliance;
use crate::http::{ApiError, Body, Call, RequestBody, Shared, read};

/// Records a job and answers with it. Beyond the cap of active jobs the answer is 429 and says when to ask again.
pub(in crate::routes) async fn create(
    shared: &Shared,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, ApiError> {
    let caller = admit_compliance(shared, &call.head.headers).await?;
    let body = read(body).await?;
    let request = submission::read(&body, shared.settings(), &caller)?;
    let created = match shared.engine().submit(request).await {
        Ok(created) => created,
        Err(error) => return Err(cap::refused(shared, &caller, error).await),
    };
    let job = JobView::of(shared, caller.actor(), &created.request, &created.job).await?;
    answer(&Created { job, active_limit: shared.settings().compliance.max_active.get() })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'r> {
    job: JobView<'r>,
    active_limit: u32,
}
