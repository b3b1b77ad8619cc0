//! Who may download a file, and until when?

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::moves::Head;
use super::values::Micros;
use super::work::Work;
use super::{audit, rows};
use crate::{AuditEvent, Grant, GrantId, NewGrant, StoreError};

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
