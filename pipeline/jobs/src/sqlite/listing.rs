//! Which requests does a tenant have, and how many in which state?

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::moves::Head;
use super::values::Micros;
use super::work::Work;
use super::{delivery, rows};
use crate::{Family, JobState, ListQuery, Listing, Request, RequestId, StoreError, TenantId};

/// Makes a page of one unchanging view of the store; nothing while a bundle of the tenant waits for being expired.
pub(super) fn list(
    work: &Work<'_>,
    tenant: &TenantId,
    query: &ListQuery,
) -> Result<Option<Listing>, StoreError> {
    if delivery::any_due(work, tenant)? {
        return Ok(None);
    }
    let counts = counts(work, tenant, query.family)?;
    let count = |of: fn(JobState) -> bool| {
        counts.iter().filter(|(state, _)| of(**state)).map(|(_, count)| count).sum::<u64>()
    };
    let (total, active) = (count(|_| true), count(JobState::is_active));
    let filtered = query.state.map_or(total, |state| counts.get(&state).copied().unwrap_or(0));
    let mut entries = Vec::new();
    for request in page(work, tenant, query)? {
        let latest = Head::latest(work, tenant, request.id)?;
        entries.push((request, rows::job(work, latest.id)?));
    }
    Ok(Some(Listing { entries, total, filtered, counts, active }))
}

fn counts(
    work: &Work<'_>,
    tenant: &TenantId,
    family: Option<Family>,
) -> Result<BTreeMap<JobState, u64>, StoreError> {
    let mut counts: BTreeMap<JobState, u64> =
        JobState::ALL.into_iter().map(|state| (state, 0)).collect();
    for family in families(family) {
        let found: Vec<(JobState, u64)> =
            work.all(COUNTS, params![tenant, family], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (state, count) in found {
            *counts.entry(state).or_default() += count;
        }
    }
    Ok(counts)
}

/// Reads the page. Each contract's requests come in order from an index; those of two are merged.
fn page(work: &Work<'_>, tenant: &TenantId, query: &ListQuery) -> Result<Vec<Request>, StoreError> {
    let (at, id) = behind(work, tenant, query.after)?;
    let mut page = Vec::new();
    for family in families(query.family) {
        let read = |row: &rusqlite::Row<'_>| rows::request(work, row);
        page.extend(match query.state {
            None => work.all(PAGE, params![tenant, family, Micros(at), id, query.limit], read)?,
            Some(state) => work.all(
                PAGE_IN_STATE,
                params![tenant, family, Micros(at), id, query.limit, state],
                read,
            )?,
        });
    }
    page.sort_by_key(|request| Reverse((request.created_at, request.id)));
    page.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
    Ok(page)
}

/// Returns the place in the list that the page begins behind.
fn behind(
    work: &Work<'_>,
    tenant: &TenantId,
    after: Option<RequestId>,
) -> Result<(Timestamp, RequestId), StoreError> {
    let Some(after) = after else {
        return Ok((Timestamp::MAX, RequestId::from_bytes([0xff; 16])));
    };
    work.first(
        "SELECT created_at FROM requests WHERE id = ?1 AND tenant = ?2",
        params![after, tenant],
        |row| Ok((row.get::<_, Micros>(0)?.0, after)),
    )?
    .ok_or(StoreError::NotFound { what: "request" })
}

fn families(family: Option<Family>) -> Vec<Family> {
    family.map_or_else(|| Family::ALL.to_vec(), |family| vec![family])
}

/// How many requests of a contract are in each state.
pub(super) const COUNTS: &str =
    "SELECT job_state, count(*) FROM requests WHERE tenant = ?1 AND family = ?2 GROUP BY job_state";

/// The next requests of a contract.
pub(super) const PAGE: &str = "SELECT * FROM requests
     WHERE tenant = ?1 AND family = ?2 AND (created_at, id) < (?3, ?4)
     ORDER BY created_at DESC, id DESC LIMIT ?5";

/// The next requests of a contract in one state.
pub(super) const PAGE_IN_STATE: &str = "SELECT * FROM requests
     WHERE tenant = ?1 AND family = ?2 AND job_state = ?6 AND (created_at, id) < (?3, ?4)
     ORDER BY created_at DESC, id DESC LIMIT ?5";
