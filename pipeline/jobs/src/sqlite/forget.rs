//! What is left of a job and of a request when their time is over?

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::moves::{self, Head};
use super::values::Micros;
use super::work::Work;
use super::{audit, grants, requests, rows, segments};
use crate::{
    Actor, AuditEvent, Job, JobId, JobState, RequestDetails, RequestId, RequestStatus, StoreError,
    TenantId,
};

/// Returns jobs that ended and are not forgotten, the longest ended first.
pub(super) fn forgettable(work: &Work<'_>, limit: u32) -> Result<Vec<Job>, StoreError> {
    let ended = work.all(ENDED, params![limit], |row| Ok(row.get(0)?))?;
    ended.into_iter().map(|id| rows::job(work, id)).collect()
}

/// Destroys a job's key and what the store holds of its data. Once is enough.
pub(super) fn job(work: &Work<'_>, id: JobId) -> Result<(), StoreError> {
    let head = Head::find(work, id)?;
    if !matches!(head.state, JobState::Expired | JobState::Failed | JobState::Cancelled) {
        return Err(StoreError::OutOfOrder { what: "forgetting before the job's end" });
    }
    let first = work.execute(
        "UPDATE jobs SET wrapped_key = NULL, key_id = NULL, forgotten_at = ?2
         WHERE id = ?1 AND forgotten_at IS NULL",
        params![id, Micros(work.now)],
    )?;
    if first == 0 {
        return Ok(());
    }
    contents(work, id)?;
    work.execute("DELETE FROM objects WHERE job = ?1", params![id])?;
    let revoked = grants::end(work, id)?;
    moves::note(work, id, &Actor::System, "forgotten: key destroyed, data deleted")?;
    audit::append(
        work,
        &AuditEvent {
            action: "job.forgotten",
            actor: Actor::System,
            tenant: head.tenant,
            request: Some(head.request),
            job: Some(id),
            facts: BTreeMap::from([("grants_revoked", revoked.to_string())]),
        },
    )
}

/// Deletes what the store holds of a job's data. Its objects stay known.
///
/// So does the checksum of the zip, which nobody can use to confirm a guess of the data: the zip holds a signature with a
/// random part of its own, and the last copy of it that the store had is emptied here.
pub(super) fn contents(work: &Work<'_>, id: JobId) -> Result<(), StoreError> {
    segments::forget_job(work, id)?;
    work.execute("DELETE FROM plans WHERE job = ?1", params![id])?;
    work.execute("UPDATE sections SET outcome = NULL WHERE job = ?1", params![id])?;
    work.execute(
        "UPDATE published SET manifest = x'', signature = x'', content_sha256 = x'' WHERE job = ?1",
        params![id],
    )?;
    Ok(())
}

/// Empties what is personal of requests that ended before a time and whose jobs are all forgotten.
pub(super) fn requests(
    work: &Work<'_>,
    ended_before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let over: Vec<(RequestId, TenantId)> =
        work.all(OVER, params![Micros(ended_before), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut forgotten = 0;
    for (id, tenant) in over {
        request(work, id, tenant)?;
        forgotten += 1;
    }
    Ok(forgotten)
}

fn request(work: &Work<'_>, id: RequestId, tenant: TenantId) -> Result<(), StoreError> {
    let empty = requests::seal_details(work, id, &RequestDetails::default())?;
    work.execute(
        "UPDATE requests SET details = ?2, subject_lookup = NULL, status = ?3, updated_at = ?4, forgotten_at = ?4
         WHERE id = ?1",
        params![id, empty, RequestStatus::Archived, Micros(work.now)],
    )?;
    work.execute("UPDATE jobs SET failure_message = NULL WHERE request = ?1", params![id])?;
    audit::append(
        work,
        &AuditEvent {
            action: "request.forgotten",
            actor: Actor::System,
            tenant,
            request: Some(id),
            job: None,
            facts: BTreeMap::new(),
        },
    )
}

/// Jobs that ended and are not forgotten.
pub(super) const ENDED: &str = "SELECT id FROM jobs
     WHERE state IN ('EXPIRED', 'FAILED', 'CANCELLED') AND forgotten_at IS NULL
     ORDER BY updated_at, id LIMIT ?1";

/// Requests that are to be forgotten.
pub(super) const OVER: &str =
    "SELECT id, tenant FROM requests
     WHERE job_state IN ('EXPIRED', 'FAILED', 'CANCELLED') AND forgotten_at IS NULL AND updated_at < ?1
       AND NOT EXISTS (
           SELECT 1 FROM jobs WHERE jobs.request = requests.id AND jobs.forgotten_at IS NULL)
     ORDER BY updated_at, id LIMIT ?2";
