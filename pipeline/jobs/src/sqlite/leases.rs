//! Who works on a job?

use std::time::Duration;

use rusqlite::params;

use super::moves::{self, Head};
use super::values::Micros;
use super::work::Work;
use crate::{Actor, FenceToken, JobId, Lease, StoreError, TenantId, WorkerId};

/// Leases the oldest active job that nobody holds. Jobs that were leased often stand behind the others: one that brings its
/// workers down must not keep everybody waiting.
pub(super) fn lease(
    work: &Work<'_>,
    worker: &WorkerId,
    ttl: Duration,
) -> Result<Option<Lease>, StoreError> {
    let found: Option<(JobId, TenantId, FenceToken)> = work.first(
        "SELECT id, tenant, fence FROM jobs
         WHERE state IN ('REQUESTED', 'COLLECTING', 'PACKAGING')
           AND (lease_until IS NULL OR lease_until <= ?1)
         ORDER BY fence >= 8, created_at, id LIMIT 1",
        params![Micros(work.now)],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let Some((job, tenant, last)) = found else { return Ok(None) };
    let fence = FenceToken(last.0.saturating_add(1));
    let until = work.after(ttl);
    work.execute(
        "UPDATE jobs SET fence = ?2, lease_worker = ?3, lease_until = ?4, worker = ?3, heartbeat_at = ?5
         WHERE id = ?1",
        params![job, fence, worker, Micros(until), Micros(work.now)],
    )?;
    let verb = if last.0 == 0 { "leased" } else { "resumed" };
    moves::note(work, job, &Actor::Worker(worker.clone()), &format!("{verb} by {worker}"))?;
    Ok(Some(Lease { job, tenant, worker: worker.clone(), fence, until }))
}

/// Prolongs a lease.
pub(super) fn heartbeat(work: &Work<'_>, lease: Lease, ttl: Duration) -> Result<Lease, StoreError> {
    let head = Head::held(work, &lease)?;
    let until = work.after(ttl);
    work.execute(
        "UPDATE jobs SET lease_until = ?2, heartbeat_at = ?3 WHERE id = ?1",
        params![head.id, Micros(until), Micros(work.now)],
    )?;
    Ok(Lease { until, ..lease })
}

/// Gives a job back. The lease is worth nothing afterwards.
pub(super) fn release(work: &Work<'_>, lease: &Lease) -> Result<(), StoreError> {
    let head = Head::held(work, lease)?;
    work.execute(
        "UPDATE jobs SET lease_worker = NULL, lease_until = NULL WHERE id = ?1",
        params![head.id],
    )?;
    moves::note(work, head.id, &Actor::Worker(lease.worker.clone()), "released")
}

/// Ends every lease.
pub(super) fn release_all(work: &Work<'_>) -> Result<u64, StoreError> {
    let ended = work.execute(
        "UPDATE jobs SET lease_worker = NULL, lease_until = NULL WHERE lease_worker IS NOT NULL",
        [],
    )?;
    Ok(u64::try_from(ended).unwrap_or(u64::MAX))
}
