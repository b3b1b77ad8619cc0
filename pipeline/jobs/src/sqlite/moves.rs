//! How does a job change its state?

use std::collections::BTreeMap;

use rusqlite::params;

use super::audit;
use super::values::Micros;
use super::work::Work;
use crate::{
    Actor, AuditEvent, JobId, JobState, Lease, Move, RequestId, RequestStatus, StoreError,
    TenantId, next,
};

/// The part of a job that decides what may happen to it.
pub(super) struct Head {
    pub(super) id: JobId,
    pub(super) request: RequestId,
    pub(super) tenant: TenantId,
    pub(super) state: JobState,
}

impl Head {
    /// Reads a job's head, whoever holds the job.
    pub(super) fn find(work: &Work<'_>, id: JobId) -> Result<Self, StoreError> {
        work.first("SELECT request, tenant, state FROM jobs WHERE id = ?1", params![id], |row| {
            Ok(Self { id, request: row.get(0)?, tenant: row.get(1)?, state: row.get(2)? })
        })?
        .ok_or(StoreError::NotFound { what: "job" })
    }

    /// Reads the head of the latest job of a tenant's request.
    pub(super) fn latest(
        work: &Work<'_>,
        tenant: &TenantId,
        request: RequestId,
    ) -> Result<Self, StoreError> {
        work.first(
            "SELECT id, request, tenant, state FROM jobs
             WHERE request = ?1 AND tenant = ?2 ORDER BY attempt DESC LIMIT 1",
            params![request, tenant],
            |row| {
                Ok(Self {
                    id: row.get(0)?,
                    request: row.get(1)?,
                    tenant: row.get(2)?,
                    state: row.get(3)?,
                })
            },
        )?
        .ok_or(StoreError::NotFound { what: "request" })
    }

    /// Reads the head of a leased job: the one gate in front of everything a worker writes.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] unless the job is active, and this lease is its newest and was not given back.
    pub(super) fn held(work: &Work<'_>, lease: &Lease) -> Result<Self, StoreError> {
        work.first(
            "SELECT request, tenant, state FROM jobs
             WHERE id = ?1 AND fence = ?2 AND lease_worker = ?3
               AND state IN ('REQUESTED', 'COLLECTING', 'PACKAGING')",
            params![lease.job, lease.fence, lease.worker],
            |row| {
                Ok(Self {
                    id: lease.job,
                    request: row.get(0)?,
                    tenant: row.get(1)?,
                    state: row.get(2)?,
                })
            },
        )?
        .ok_or(StoreError::LeaseLost { job: lease.job })
    }

    /// Makes a legal move: state, request's status, timeline and audit entry together. A move that keeps the state
    /// writes nothing. A job that is no longer active is nobody's.
    pub(super) fn advance(
        &self,
        work: &Work<'_>,
        what: Move,
        actor: &Actor,
        notes: &str,
        facts: BTreeMap<&'static str, String>,
    ) -> Result<JobState, StoreError> {
        let to = next(self.state, what)?;
        if to == self.state {
            return Ok(to);
        }
        let now = Micros(work.now);
        work.execute(
            "UPDATE jobs SET state = ?2, updated_at = ?3 WHERE id = ?1",
            params![self.id, to, now],
        )?;
        if !to.is_active() {
            work.execute(
                "UPDATE jobs SET lease_worker = NULL, lease_until = NULL WHERE id = ?1",
                params![self.id],
            )?;
        }
        work.execute(
            "UPDATE requests SET status = ?3, job_state = ?4, updated_at = ?5
             WHERE id = ?1 AND NOT EXISTS (
                 SELECT 1 FROM jobs AS own JOIN jobs AS later
                     ON later.request = own.request AND later.attempt > own.attempt
                 WHERE own.id = ?2)",
            params![self.request, self.id, RequestStatus::of_job(to), to, now],
        )?;
        note(work, self.id, actor, notes)?;
        audit::append(
            work,
            &AuditEvent {
                action: action(to),
                actor: actor.clone(),
                tenant: self.tenant.clone(),
                request: Some(self.request),
                job: Some(self.id),
                facts,
            },
        )?;
        Ok(to)
    }
}

/// Adds a line to a job's timeline.
pub(super) fn note(
    work: &Work<'_>,
    job: JobId,
    actor: &Actor,
    notes: &str,
) -> Result<(), StoreError> {
    work.execute(
        "INSERT INTO timeline (job, at, actor, notes) VALUES (?1, ?2, ?3, ?4)",
        params![job, Micros(work.now), actor.to_string(), notes],
    )?;
    Ok(())
}

/// The audit log's word for reaching a state.
const fn action(state: JobState) -> &'static str {
    match state {
        JobState::Requested => "job.requested",
        JobState::Collecting => "job.collecting",
        JobState::Packaging => "job.packaging",
        JobState::Ready => "job.ready",
        JobState::Delivered => "job.delivered",
        JobState::Expired => "job.expired",
        JobState::Failed => "job.failed",
        JobState::Cancelled => "job.cancelled",
    }
}
