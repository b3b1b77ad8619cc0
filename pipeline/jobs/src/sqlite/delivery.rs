//! What do downloads and the passing of time do to a job?

use std::collections::BTreeMap;

use rusqlite::params;

use super::moves::Head;
use super::values::Micros;
use super::work::Work;
use super::{audit, grants};
use crate::{Actor, AuditEvent, Download, JobId, JobState, Move, StoreError, TenantId};

/// Records a download. The first complete one of a READY job delivers it.
pub(super) fn record(work: &Work<'_>, download: Download) -> Result<(), StoreError> {
    let head = Head::find(work, download.job)?;
    if download.complete && head.state == JobState::Ready {
        work.execute(
            "UPDATE published SET downloaded_at = ?2, downloaded_by = ?3 WHERE job = ?1",
            params![head.id, Micros(work.now), download.actor.to_string()],
        )?;
        head.advance(work, Move::Deliver, &download.actor, "downloaded", BTreeMap::new())?;
    }
    audit::append(
        work,
        &AuditEvent {
            action: "bundle.downloaded",
            actor: download.actor,
            tenant: head.tenant,
            request: Some(head.request),
            job: Some(head.id),
            facts: BTreeMap::from([
                ("complete", download.complete.to_string()),
                ("file", download.file),
                ("sent", download.sent.to_string()),
                ("start", download.start.to_string()),
            ]),
        },
    )
}

/// Returns a job's state, and whether its bundle is still downloadable although its time is over.
pub(super) fn due(work: &Work<'_>, job: JobId) -> Result<(JobState, bool), StoreError> {
    let head = Head::find(work, job)?;
    let over = work.first(
        "SELECT 1 FROM published WHERE job = ?1 AND expires_at <= ?2",
        params![job, Micros(work.now)],
        |_| Ok(()),
    )?;
    let downloadable = matches!(head.state, JobState::Ready | JobState::Delivered);
    Ok((head.state, downloadable && over.is_some()))
}

/// Expires a job that is [`due`], and returns the state it has now.
pub(super) fn expire(work: &Work<'_>, job: JobId) -> Result<JobState, StoreError> {
    match due(work, job)? {
        (_, true) => end(work, &Head::find(work, job)?, &Actor::System, "expired"),
        (state, false) => Ok(state),
    }
}

/// Expires the jobs that are past their time for longest, of one tenant or of all.
pub(super) fn expire_due(
    work: &Work<'_>,
    tenant: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let due: Vec<JobId> =
        work.all(DUE, params![Micros(work.now), tenant, limit], |row| Ok(row.get(0)?))?;
    for &job in &due {
        end(work, &Head::find(work, job)?, &Actor::System, "expired")?;
    }
    Ok(due)
}

/// Says whether a tenant has a job that is [`due`].
pub(super) fn any_due(work: &Work<'_>, tenant: &TenantId) -> Result<bool, StoreError> {
    let found = work.first(ANY_DUE, params![Micros(work.now), tenant], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Moves a job to EXPIRED and revokes its grants.
pub(super) fn end(
    work: &Work<'_>,
    head: &Head,
    actor: &Actor,
    notes: &str,
) -> Result<JobState, StoreError> {
    let revoked = grants::end(work, head.id)?;
    let facts = BTreeMap::from([("grants_revoked", revoked.to_string())]);
    head.advance(work, Move::Expire, actor, notes, facts)
}

/// Any bundle of a tenant that is past its time.
pub(super) const ANY_DUE: &str = "SELECT 1 FROM jobs
     WHERE state IN ('READY', 'DELIVERED') AND due_at <= ?1 AND tenant = ?2 LIMIT 1";

/// Bundles that are past their time.
pub(super) const DUE: &str = "SELECT id FROM jobs
     WHERE state IN ('READY', 'DELIVERED') AND due_at <= ?1 AND (?2 IS NULL OR tenant = ?2)
     ORDER BY due_at, id LIMIT ?3";
