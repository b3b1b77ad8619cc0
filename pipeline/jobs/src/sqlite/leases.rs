//! Who works on a job?

use std::time::Duration;

use rusqlite::{Row, params};

use super::moves::{self, Head};
use super::values::Micros;
use super::work::Work;
use crate::{Actor, FenceToken, JobId, JobState, Lease, StoreError, TenantId, WorkerId};

/// Leases the oldest active job that nobody holds. Jobs that were leased often and got no further stand behind the others: one that brings its
/// workers down must not keep everybody waiting.
pub(super) fn lease(
    work: &Work<'_>,
    worker: &WorkerId,
    ttl: Duration,
) -> Result<Option<Lease>, StoreError> {
    let found = work.first(FREE, params![Micros(work.now)], Free::read)?;
    found.map(|free| free.take(work, worker, ttl)).transpose()
}

/// Leases this job if it is REQUESTED and nobody holds it.
pub(super) fn lease_job(
    work: &Work<'_>,
    job: JobId,
    worker: &WorkerId,
    ttl: Duration,
) -> Result<Option<Lease>, StoreError> {
    Head::find(work, job)?;
    let found = work.first(
        "SELECT id, tenant, fence, fruitless FROM jobs
         WHERE id = ?1 AND state = ?2 AND (lease_until IS NULL OR lease_until <= ?3)",
        params![job, JobState::Requested, Micros(work.now)],
        Free::read,
    )?;
    found.map(|free| free.take(work, worker, ttl)).transpose()
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

/// An active job that nobody holds.
struct Free {
    job: JobId,
    tenant: TenantId,
    last: FenceToken,
    fruitless: u64,
}

impl Free {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            job: row.get(0)?,
            tenant: row.get(1)?,
            last: row.get(2)?,
            fruitless: row.get(3)?,
        })
    }

    fn take(self, work: &Work<'_>, worker: &WorkerId, ttl: Duration) -> Result<Lease, StoreError> {
        let Self { job, tenant, last, fruitless } = self;
        let fruitless = fruitless.saturating_add(1);
        let fence = FenceToken(last.0.saturating_add(1));
        let until = work.after(ttl);
        work.execute(
            "UPDATE jobs SET fence = ?2, lease_worker = ?3, lease_until = ?4, worker = ?3, heartbeat_at = ?5,
                 fruitless = ?6, held = 0
             WHERE id = ?1",
            params![job, fence, worker, Micros(until), Micros(work.now), fruitless],
        )?;
        let verb = if last.0 == 0 { "leased" } else { "resumed" };
        moves::note(work, job, &Actor::Worker(worker.clone()), &format!("{verb} by {worker}"))?;
        Ok(Lease { job, tenant, worker: worker.clone(), fence, fruitless, until })
    }
}

/// The active job that is to be leased next.
pub(super) const FREE: &str = "SELECT id, tenant, fence, fruitless FROM jobs
     WHERE state IN ('REQUESTED', 'COLLECTING', 'PACKAGING')
       AND (lease_until IS NULL OR lease_until <= ?1) AND held = 0
     ORDER BY fruitless >= 8, created_at, id LIMIT 1";
