//! Who may download a file, and until when?

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::moves::Head;
use super::values::Micros;
use super::work::Work;
use super::{audit, rows};
use crate::{Actor, AuditEvent, Grant, GrantId, JobId, NewGrant, StoreError, TenantId};

/// Finds or makes one grant for each file, in the order asked.
pub(super) fn issue(work: &Work<'_>, asked: NewGrant) -> Result<Vec<Grant>, StoreError> {
    let head = Head::find(work, asked.job)?;
    if head.tenant != asked.tenant || head.request != asked.request {
        return Err(StoreError::NotFound { what: "job" });
    }
    let mut grants = Vec::with_capacity(asked.files.len());
    for file in &asked.files {
        let grant = match usable(work, &asked, file)? {
            Some(grant) => grant,
            None => insert(work, &asked, file)?,
        };
        grants.push(grant);
    }
    audit::append(
        work,
        &AuditEvent {
            action: "download_keys.issued",
            actor: asked.actor,
            tenant: asked.tenant,
            request: Some(asked.request),
            job: Some(asked.job),
            facts: BTreeMap::from([("count", grants.len().to_string())]),
        },
    )?;
    Ok(grants)
}

/// Returns a grant, whether it is still usable or not.
pub(super) fn find(work: &Work<'_>, id: GrantId) -> Result<Grant, StoreError> {
    work.first("SELECT * FROM grants WHERE id = ?1", params![id], rows::grant)?
        .ok_or(StoreError::NotFound { what: "grant" })
}

/// Revokes the grants of a job that still live, with one audit entry if there were any.
pub(super) fn revoke(work: &Work<'_>, job: JobId, actor: &Actor) -> Result<u64, StoreError> {
    let head = Head::find(work, job)?;
    let revoked = end(work, job)?;
    if revoked > 0 {
        audit::append(
            work,
            &AuditEvent {
                action: "download_keys.revoked",
                actor: actor.clone(),
                tenant: head.tenant,
                request: Some(head.request),
                job: Some(job),
                facts: BTreeMap::from([("count", revoked.to_string())]),
            },
        )?;
    }
    Ok(revoked)
}

/// Revokes the grants of a job that still live, for a caller that audits it.
pub(super) fn end(work: &Work<'_>, job: JobId) -> Result<u64, StoreError> {
    let revoked = work.execute(
        "UPDATE grants SET revoked_at = ?2
         WHERE job = ?1 AND expires_at > ?2 AND revoked_at IS NULL",
        params![job, Micros(work.now)],
    )?;
    Ok(u64::try_from(revoked).unwrap_or(u64::MAX))
}

/// Deletes grants whose time was over at `ended_by`, with one audit entry for each tenant.
pub(super) fn forget(work: &Work<'_>, ended_by: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let over: Vec<(GrantId, TenantId)> =
        work.all(ENDED, params![Micros(ended_by), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut deleted: BTreeMap<TenantId, u64> = BTreeMap::new();
    for (id, tenant) in over {
        work.execute("DELETE FROM grants WHERE id = ?1", params![id])?;
        *deleted.entry(tenant).or_default() += 1;
    }
    let total = deleted.values().sum();
    for (tenant, count) in deleted {
        audit::append(
            work,
            &AuditEvent {
                action: "download_keys.forgotten",
                actor: Actor::System,
                tenant,
                request: None,
                job: None,
                facts: BTreeMap::from([("count", count.to_string())]),
            },
        )?;
    }
    Ok(total)
}

fn usable(work: &Work<'_>, asked: &NewGrant, file: &str) -> Result<Option<Grant>, StoreError> {
    work.first(
        "SELECT * FROM grants
         WHERE job = ?1 AND file = ?2 AND expires_at > ?3 AND revoked_at IS NULL
         ORDER BY expires_at DESC LIMIT 1",
        params![asked.job, file, Micros(work.now)],
        rows::grant,
    )
}

fn insert(work: &Work<'_>, asked: &NewGrant, file: &str) -> Result<Grant, StoreError> {
    let grant = Grant {
        id: GrantId(uuid::Uuid::new_v4()),
        tenant: asked.tenant.clone(),
        request: asked.request,
        job: asked.job,
        file: file.to_owned(),
        created_at: work.now,
        expires_at: whole_second(work.after(asked.ttl)),
        revoked_at: None,
    };
    work.execute(
        "INSERT INTO grants (id, tenant, request, job, file, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            grant.id,
            grant.tenant,
            grant.request,
            grant.job,
            grant.file,
            Micros(grant.created_at),
            Micros(grant.expires_at)
        ],
    )?;
    Ok(grant)
}

/// Rounds down: tokens carry whole seconds, and a grant that outlives its token would be handed out when the token is over.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Grants whose time is over.
pub(super) const ENDED: &str =
    "SELECT id, tenant FROM grants WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2";
