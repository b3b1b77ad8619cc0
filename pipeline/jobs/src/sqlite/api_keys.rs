//! Which API keys are known?

use std::collections::BTreeMap;

use rusqlite::params;

use super::values::{Micros, Words};
use super::work::Work;
use super::{audit, rows};
use crate::{Actor, ApiKey, ApiKeyId, AuditEvent, NewApiKey, StoreError, TenantId};

/// Records an API key's hash.
pub(super) fn create(work: &Work<'_>, new: &NewApiKey) -> Result<ApiKey, StoreError> {
    let id = ApiKeyId(uuid::Uuid::now_v7());
    let scopes: Vec<String> = new.scopes.iter().map(ToString::to_string).collect();
    let words = scopes.join(" ");
    work.execute(
        "INSERT INTO api_keys (id, tenant, name, scopes, prefix, hash, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            new.tenant,
            work.sealing.seal(&rows::name_cell(id), new.name.as_bytes())?,
            Words(scopes),
            new.prefix,
            new.hash,
            Micros(work.now),
            new.expires_at.map(Micros)
        ],
    )?;
    remember(work, "api_key.created", &new.tenant, id, words)?;
    work.first("SELECT * FROM api_keys WHERE id = ?1", params![id], |row| rows::api_key(work, row))?
        .ok_or(StoreError::NotFound { what: "API key" })
}

/// Returns the keys of a tenant, or of all, the oldest first.
pub(super) fn all(work: &Work<'_>, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>, StoreError> {
    work.all(
        "SELECT * FROM api_keys WHERE ?1 IS NULL OR tenant = ?1 ORDER BY created_at, id",
        params![tenant],
        |row| rows::api_key(work, row),
    )
}

/// Finds a usable key by its hash.
///
/// The lookup's time depends on the hash only, which tells a caller nothing about any key's text.
pub(super) fn find(work: &Work<'_>, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
    work.first(
        "SELECT * FROM api_keys
         WHERE hash = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)",
        params![hash, Micros(work.now)],
        |row| rows::api_key(work, row),
    )
}

/// Revokes a key; the time of the first revocation stays.
pub(super) fn revoke(work: &Work<'_>, id: ApiKeyId) -> Result<(), StoreError> {
    let key = work
        .first("SELECT * FROM api_keys WHERE id = ?1", params![id], |row| rows::api_key(work, row))?
        .ok_or(StoreError::NotFound { what: "API key" })?;
    if key.revoked_at.is_some() {
        return Ok(());
    }
    work.execute(
        "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1",
        params![id, Micros(work.now)],
    )?;
    let words: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    remember(work, "api_key.revoked", &key.tenant, id, words.join(" "))
}

fn remember(
    work: &Work<'_>,
    action: &'static str,
    tenant: &TenantId,
    id: ApiKeyId,
    scopes: String,
) -> Result<(), StoreError> {
    audit::append(
        work,
        &AuditEvent {
            action,
            actor: Actor::Operator,
            tenant: tenant.clone(),
            request: None,
            job: None,
            facts: BTreeMap::from([("key", id.0.to_string()), ("scopes", scopes)]),
        },
    )
}
