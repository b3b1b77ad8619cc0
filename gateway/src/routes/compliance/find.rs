//! Which job does an id name, for this caller?

use antumbra_jobs::{Family, Job, JobState, Request, RequestId, TenantId};
use percent_encoding::percent_decode_str;

use crate::http::{ApiError, Call, Shared};

/// Returns the contract's id of a request.
pub(super) fn job_id(request: RequestId) -> String {
    format!("{PREFIX}{request}")
}

/// Reads an id of the contract, as [`job_id`] writes it.
pub(super) fn parse(text: &str) -> Option<RequestId> {
    text.strip_prefix(PREFIX)?.parse().ok()
}

/// Returns the request that the path names and its latest job, a bundle whose time is over expired first.
///
/// # Errors
/// Not found for what is no id, another tenant's job, and a request that came through the other contract: one answer for
/// all of them.
pub(super) async fn current(
    shared: &Shared,
    tenant: &TenantId,
    call: &Call,
) -> Result<(Request, Job), ApiError> {
    // Clients that are careful with `:` in a path encode it.
    let id = percent_decode_str(call.params.get("id")).decode_utf8().ok();
    let id = id.and_then(|id| parse(&id)).ok_or_else(|| ApiError::not_found(JOB))?;
    let found = latest(shared, tenant, id).await;
    found.map_err(|error| if error.is_not_found() { ApiError::not_found(JOB) } else { error })
}

/// Returns a tenant's request and its latest job as they are now.
async fn latest(
    shared: &Shared,
    tenant: &TenantId,
    id: RequestId,
) -> Result<(Request, Job), ApiError> {
    let store = shared.store();
    let request = store.request(tenant, id).await?;
    if request.family != Family::Compliance {
        return Err(ApiError::not_found(JOB));
    }
    let mut job = store.latest_job(tenant, id).await?;
    let kept = matches!(job.state, JobState::Ready | JobState::Delivered);
    let ended = job.delivery.as_ref().is_some_and(|delivery| delivery.expires_at <= shared.now());
    if kept && ended {
        store.expire_if_due(job.id).await?;
        job = store.latest_job(tenant, id).await?;
    }
    Ok((request, job))
}

const JOB: &str = "job";
const PREFIX: &str = "dsar:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is() {
        let request = RequestId::generate();
        let id = job_id(request);
        assert_eq!(parse(&id), Some(request));
        let bare = request.to_string();
        for text in ["", "dsar:", "dsar:7", &bare, &format!("DSAR:{bare}"), &format!(" {id}")] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
