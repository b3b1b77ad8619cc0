//! `POST /v1/compliance/dsar`: records a job, or says what one would read.

use antumbra_pipeline::plan::Outline;
use http::Response;
use serde::Serialize;

use super::cap;
use super::envelope::answer;
use super::submission;
use super::view::JobView;
use crate::auth::admit_compliance;
use crate::http::{ApiError, Body, Call, RequestBody, Shared, read};

/// Records a job and answers with it. Beyond the cap of active jobs the answer is 429 and says when to ask again.
///
/// With `dryRun=true` nothing is recorded but that somebody looked, and the answer is the plan. With `planHash` in the body the
/// request is bound to a plan: where it is not the one that would be carried out now, the answer is 409.
pub(in crate::routes) async fn create(
    shared: &Shared,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, ApiError> {
    let caller = admit_compliance(shared, &call.head.headers).await?;
    let body = read(body).await?;
    let request = submission::read(&body, shared.settings(), &caller)?;
    // Whoever meant to look must not have recorded a job.
    if call.query()?.is_dry_run()? {
        let plan = shared.engine().preview(&request).await?;
        return answer(&Planned { plan });
    }
    shared.engine().check_plan(&request).await?;
    let created = match shared.engine().submit(request).await {
        Ok(created) => created,
        Err(error) => return Err(cap::refused(shared, &caller, error).await),
    };
    let job = JobView::of(shared, caller.actor(), &created.request, &created.job).await?;
    answer(&Created { job, active_limit: shared.settings().compliance.max_active.get() })
}

#[derive(Debug, Serialize)]
struct Planned {
    plan: Outline,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'r> {
    job: JobView<'r>,
    active_limit: u32,
}
