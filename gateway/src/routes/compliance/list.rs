//! `GET /v1/compliance/dsar`: a tenant's jobs, the newest first.

use std::collections::BTreeMap;

use antumbra_jobs::{Family, JobState, ListQuery, Listing};
use http::Response;
use serde::Serialize;

use super::envelope::answer;
use super::find;
use super::view::JobView;
use crate::auth::admit_compliance;
use crate::http::{ApiError, Body, Call, Query, Shared};

/// Answers with a page of jobs, and with how many there are in each state.
///
/// `state` is the contract's filter; `limit` and `after`, the last id of the page before, are this gateway's own.
pub(in crate::routes) async fn list(
    shared: &Shared,
    call: &Call,
) -> Result<Response<Body>, ApiError> {
    let caller = admit_compliance(shared, &call.head.headers).await?;
    let query = read(&call.query()?)?;
    let found = shared.store().list(caller.tenant(), query).await.map_err(ApiError::from);
    let listing = found.map_err(|error| {
        // Nothing else is looked for by its name here.
        if error.is_not_found() { ApiError::field("after", NO_SUCH_JOB) } else { error }
    })?;
    let mut jobs = Vec::with_capacity(listing.entries.len());
    for (request, job) in &listing.entries {
        jobs.push(JobView::of(shared, caller.actor(), request, job).await?);
    }
    answer(&Page {
        jobs,
        total: listing.total,
        filtered_count: listing.filtered,
        counts: counts(&listing),
        active_count: listing.active,
        active_limit: shared.settings().compliance.max_active.get(),
    })
}

fn read(query: &Query) -> Result<ListQuery, ApiError> {
    let state = query.one("state")?.map(|text| text.parse().map_err(|_| unknown_state()));
    let after = query
        .one("after")?
        .map(|text| find::parse(text).ok_or_else(|| ApiError::field("after", NO_SUCH_JOB)));
    let limit = query.number("limit", 1, MOST, USUAL)?;
    Ok(ListQuery {
        family: Some(Family::Compliance),
        state: state.transpose()?,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        after: after.transpose()?,
    })
}

fn unknown_state() -> ApiError {
    let known: Vec<_> = JobState::ALL.iter().map(|state| state.as_str()).collect();
    ApiError::field("state", &format!("is no known state; there are {}", known.join(", ")))
}

/// Names every state, also those that no job is in.
fn counts(listing: &Listing) -> BTreeMap<&'static str, u64> {
    let count = |state| listing.counts.get(&state).copied().unwrap_or_default();
    JobState::ALL.into_iter().map(|state| (state.as_str(), count(state))).collect()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'r> {
    jobs: Vec<JobView<'r>>,
    total: u64,
    filtered_count: u64,
    counts: BTreeMap<&'static str, u64>,
    active_count: u64,
    active_limit: u32,
}

const NO_SUCH_JOB: &str = "expected the id of a job in the list";
const USUAL: u64 = 100;
const MOST: u64 = 1000;
