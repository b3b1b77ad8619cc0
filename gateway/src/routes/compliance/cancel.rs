//! `POST /v1/compliance/dsar/{id}/cancel`: stops a job. What it collected so far is deleted.

use http::Response;

use super::envelope::answer;
use super::find::current;
use super::get::OneJob;
use super::view::JobView;
use crate::auth::admit_compliance;
use crate::http::{ApiError, Body, Call, Shared};

/// Cancels an active job and answers with it; a job that ended is left as it is, and the answer says in which state.
pub(in crate::routes) async fn cancel(
    shared: &Shared,
    call: &Call,
) -> Result<Response<Body>, ApiError> {
    let caller = admit_compliance(shared, &call.head.headers).await?;
    let (request, _) = current(shared, caller.tenant(), call).await?;
    let job = shared.engine().cancel(caller.tenant(), request.id, &caller.actor()).await?;
    let job = JobView::of(shared, caller.actor(), &request, &job).await?;
    answer(&OneJob { job })
}
