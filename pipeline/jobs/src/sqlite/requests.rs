//! How is a request recorded and found?

use std::collections::BTreeMap;

use rusqlite::params;

use super::values::{Micros, Words};
use super::work::Work;
use super::{audit, moves, rows};
use crate::{
    AuditEvent, Created, Job, JobId, JobState, NewJob, NewRequest, Request, RequestId,
    RequestStatus, StoreError, TenantId,
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
    insert_request(work, &request, lookup)?;
    work.execute(
        "INSERT INTO jobs (id, request, tenant, attempt, state, wrapped_key, created_at, updated_at)
         VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?6)",
        params![
            job.id,
            request.id,
            request.tenant,
            JobState::Requested,
            job.wrapped_key,
            Micros(work.now)
        ],
    )?;
    moves::note(work, job.id, &request.actor, "recorded")?;
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
    let id = work
        .first(
            "SELECT id FROM jobs WHERE request = ?1 AND tenant = ?2 ORDER BY attempt DESC LIMIT 1",
            params![request, tenant],
            |row| Ok(row.get(0)?),
        )?
        .ok_or(StoreError::NotFound { what: "request" })?;
    rows::job(work, id)
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

fn insert_request(
    work: &Work<'_>,
    request: &NewRequest,
    lookup: Option<[u8; 32]>,
) -> Result<(), StoreError> {
    let plain = antumbra_crypto::SecretBytes::from(
        serde_json::to_vec(&request.details)
            .map_err(|error| StoreError::Database(Box::new(error)))?,
    );
    let details = work.sealing.seal(&rows::details_cell(request.id), plain.expose())?;
    let pseudonym =
        request.subject_key.as_ref().map(|key| work.sealing.pseudonym(&request.tenant, key));
    work.execute(
        "INSERT INTO requests (id, tenant, family, action, subject_type, scope, formats, is_test, is_silent,
             details, subject_lookup, subject_pseudonym, status, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14)",
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
            Micros(work.now)
        ],
    )?;
    Ok(())
}
