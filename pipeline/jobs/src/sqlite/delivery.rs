//! What do downloads and the passing of time do to a job?

use std::collections::BTreeMap;

use rusqlite::params;

use super::audit;
use super::moves::Head;
use super::values::Micros;
use super::work::Work;
use crate::{Actor, AuditEvent, Download, JobId, JobState, Move, StoreError};

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
        (_, true) => {
            let head = Head::find(work, job)?;
            head.advance(work, Move::Expire, &Actor::System, "expired", BTreeMap::new())
        }
        (state, false) => Ok(state),
    }
}
