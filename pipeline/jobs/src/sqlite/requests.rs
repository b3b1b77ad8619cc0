//! How is a request recorded and found, and how does it get another job?

use std::collections::BTreeMap;

use rusqlite::params;

use super::moves::{self, Head};
use super::values::{Micros, Words};
use super::work::Work;
use super::{audit, delivery, keys, leases, rows};
use crate::{
    Actor, AuditEvent, Created, Family, IllegalMove, Job, JobId, JobState, Lease, Move, NewJob,
    NewRequest, NextJob, Request, RequestDetails, RequestId, RequestStatus, StoreError, TenantId,
};

/// Records a request, its first job, the first line of the timeline and the first audit entry.
pub(super) fn create(
    work: &Work<'_>,
    request: NewRequest,
    job: &NewJob,
) -> Result<Created, StoreError> {
    let subject = request.subject_key.as_ref();
    let lookup = subject.map(|key| work.sealing.lookup(&request.tenant, key));
    if let Some(lookup) = &lookup {
        refuse_duplicate(work, &request, lookup)?;
    }
    if let Some(limit) = request.active_limit {
        refuse_crowd(work, &request.tenant, request.family, limit)?;
    }
    insert_request(work, &request, lookup)?;
    insert_job(work, &request.tenant, request.id, job, &request.actor)?;
    let (id, tenant) = (request.id, request.tenant.clone());
    audit::append(
        work,
        &AuditEvent {
            action: "request.created",
            actor: request.actor,
            tenant: request.tenant,
            request: Some(id),
            job: Some(job.id),
            facts: BTreeMap::from([
                ("action", request.action),
                ("family", request.family.as_str().to_owned()),
                ("scope", request.scope.as_str().to_owned()),
                ("test", request.is_test.to_string()),
            ]),
        },
    )?;
    Ok(Created { request: find(work, &tenant, id)?, job: rows::job(work, job.id)? })
}

/// Gives a request whose bundle can no longer be read its next job.
pub(super) fn create_job(
    work: &Work<'_>,
    tenant: &TenantId,
    request: RequestId,
    next: &NextJob,
) -> Result<Lease, StoreError> {
    let NextJob { job, active_limit, actor, worker, ttl } = next;
    let last = Head::latest(work, tenant, request)?;
    if let (_, true) = delivery::due(work, last.id)? {
        // Its time is over: whoever asks next finds it EXPIRED.
        return Err(IllegalMove { from: JobState::Expired, what: Move::Expire }.into());
    }
    delivery::end(work, &last, actor, "expired: its objects are lost")?;
    if let Some(limit) = active_limit {
        refuse_crowd(work, tenant, find(work, tenant, request)?.family, *limit)?;
    }
    insert_job(work, tenant, request, job, actor)?;
    let now = Micros(work.now);
    work.execute(
        "UPDATE requests SET status = ?2, job_state = ?3, updated_at = ?4 WHERE id = ?1",
        params![request, RequestStatus::of_job(JobState::Requested), JobState::Requested, now],
    )?;
    let created = rows::job(work, job.id)?;
    audit::append(
        work,
        &AuditEvent {
            action: "job.requested",
            actor: actor.clone(),
            tenant: tenant.clone(),
            request: Some(request),
            job: Some(job.id),
            facts: BTreeMap::from([("attempt", created.attempt.to_string())]),
        },
    )?;
    leases::lease_job(work, job.id, worker, *ttl)?.ok_or(StoreError::NotFound { what: "job" })
}

/// Returns a tenant's request.
pub(super) fn find(
    work: &Work<'_>,
    tenant: &TenantId,
    id: RequestId,
) -> Result<Request, StoreError> {
    work.first(
        "SELECT * FROM requests WHERE id = ?1 AND tenant = ?2",
        params![id, tenant],
        |row| rows::request(work, row),
    )?
    .ok_or(StoreError::NotFound { what: "request" })
}

/// Returns the request a job answers.
pub(super) fn of_job(work: &Work<'_>, job: JobId) -> Result<Request, StoreError> {
    work.first(
        "SELECT * FROM requests WHERE id = (SELECT request FROM jobs WHERE id = ?1)",
        params![job],
        |row| rows::request(work, row),
    )?
    .ok_or(StoreError::NotFound { what: "job" })
}

/// Returns the newest job of a tenant's request.
pub(super) fn latest_job(
    work: &Work<'_>,
    tenant: &TenantId,
    request: RequestId,
) -> Result<Job, StoreError> {
    rows::job(work, Head::latest(work, tenant, request)?.id)
}

/// Seals the personal part of a request for its row.
pub(super) fn seal_details(
    work: &Work<'_>,
    id: RequestId,
    details: &RequestDetails,
) -> Result<Vec<u8>, StoreError> {
    let plain = antumbra_crypto::SecretBytes::from(
        serde_json::to_vec(details).map_err(|error| StoreError::Database(Box::new(error)))?,
    );
    work.sealing.seal(&rows::details_cell(id), plain.expose())
}

fn refuse_duplicate(
    work: &Work<'_>,
    request: &NewRequest,
    lookup: &[u8; 32],
) -> Result<(), StoreError> {
    let open = work.first(
        "SELECT 1 FROM requests JOIN jobs ON jobs.request = requests.id
         WHERE requests.tenant = ?1 AND requests.action = ?2 AND requests.subject_lookup = ?3
           AND jobs.state IN ('REQUESTED', 'COLLECTING', 'PACKAGING')
         LIMIT 1",
        params![request.tenant, request.action, lookup],
        |_| Ok(()),
    )?;
    open.map_or(Ok(()), |()| Err(StoreError::Duplicate))
}

fn refuse_crowd(
    work: &Work<'_>,
    tenant: &TenantId,
    family: Family,
    limit: u32,
) -> Result<(), StoreError> {
    // A request's earlier jobs have ended, so its latest one speaks for all.
    let active: Option<u64> = work.first(ACTIVE, params![tenant, family], |row| Ok(row.get(0)?))?;
    if active < Some(limit.into()) { Ok(()) } else { Err(StoreError::TooManyActive { limit }) }
}

fn insert_job(
    work: &Work<'_>,
    tenant: &TenantId,
    request: RequestId,
    job: &NewJob,
    actor: &Actor,
) -> Result<(), StoreError> {
    keys::refuse_retired(work, &job.key_id)?;
    work.execute(
        "INSERT INTO jobs (id, request, tenant, attempt, state, wrapped_key, key_id, held, created_at, updated_at)
         VALUES (?1, ?2, ?3, (SELECT coalesce(max(attempt), 0) + 1 FROM jobs WHERE request = ?2), ?4, ?5, ?6,
             ?7, ?8, ?8)",
        params![
            job.id,
            request,
            tenant,
            JobState::Requested,
            job.wrapped_key,
            job.key_id,
            job.held,
            Micros(work.now)
        ],
    )?;
    moves::note(work, job.id, actor, "recorded")
}

fn insert_request(
    work: &Work<'_>,
    request: &NewRequest,
    lookup: Option<[u8; 32]>,
) -> Result<(), StoreError> {
    let details = seal_details(work, request.id, &request.details)?;
    let pseudonym =
        request.subject_key.as_ref().map(|key| work.sealing.pseudonym(&request.tenant, key));
    work.execute(
        "INSERT INTO requests (id, tenant, family, action, subject_type, scope, formats, is_test, is_silent,
             details, subject_lookup, subject_pseudonym, status, job_state, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)",
        params![
            request.id,
            request.tenant,
            request.family,
            request.action,
            request.subject_type,
            request.scope,
            Words(request.formats.clone()),
            request.is_test,
            request.is_silent,
            details,
            lookup,
            pseudonym,
            RequestStatus::of_job(JobState::Requested),
            JobState::Requested,
            Micros(work.now)
        ],
    )?;
    Ok(())
}

/// How many requests of a contract have an active job.
pub(super) const ACTIVE: &str = "SELECT count(*) FROM requests
     WHERE tenant = ?1 AND family = ?2 AND job_state IN ('REQUESTED', 'COLLECTING', 'PACKAGING')";
