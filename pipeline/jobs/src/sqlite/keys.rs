//! Which keys of the ring do jobs need, and how does a job's key change, or end?

use std::collections::BTreeMap;

use antumbra_crypto::WrappedKey;
use rusqlite::params;

use super::moves::{self, Head};
use super::values::Micros;
use super::work::Work;
use super::{audit, forget, grants, rows};
use crate::{Actor, AuditEvent, Job, JobId, JobKey, JobState, KeyUse, Move, StoreError, TenantId};

/// Returns how many jobs need each key.
pub(super) fn in_use(work: &Work<'_>) -> Result<Vec<KeyUse>, StoreError> {
    work.all(USE, [], |row| Ok(KeyUse { key_id: row.get(0)?, jobs: row.get(1)? }))
}

/// Returns the next jobs whose key another key of the ring than this one wraps.
///
/// Each of the other keys has its jobs in order in the index; those of several are merged.
pub(super) fn not_under(
    work: &Work<'_>,
    key_id: &str,
    after: Option<JobId>,
    limit: u32,
) -> Result<Vec<JobKey>, StoreError> {
    let after = after.map_or_else(Vec::new, |job| job.as_bytes().to_vec());
    let mut found = Vec::new();
    let mut other = String::new();
    while let Some(next) = work.first(NEXT, params![other], |row| Ok(row.get(0)?))?.flatten() {
        other = next;
        if other != key_id {
            found.extend(work.all(UNDER, params![other, after, limit], |row| {
                Ok(JobKey { job: row.get(0)?, tenant: row.get(1)?, wrapped_key: row.get(2)? })
            })?);
        }
    }
    found.sort_by_key(|key| key.job);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Replaces a job's wrapped key unless somebody else did, or destroyed it.
pub(super) fn replace(
    work: &Work<'_>,
    job: JobId,
    old: &[u8],
    new: &WrappedKey,
) -> Result<bool, StoreError> {
    refuse_retired(work, &new.key_id)?;
    let replaced = work.execute(
        "UPDATE jobs SET wrapped_key = ?3, key_id = ?4 WHERE id = ?1 AND wrapped_key = ?2",
        params![job, old, new.bytes, new.key_id],
    )?;
    Ok(replaced > 0)
}

/// Records that a key is retired, unless a job needs it. Once is enough.
pub(super) fn retire(
    work: &Work<'_>,
    key_id: &str,
    actor: &Actor,
    tenant: &TenantId,
) -> Result<(), StoreError> {
    let jobs: u64 = work.first(COUNT, params![key_id], |row| Ok(row.get(0)?))?.unwrap_or_default();
    if jobs > 0 {
        return Err(StoreError::KeyNeeded { key_id: key_id.to_owned(), jobs });
    }
    let first = work.execute(
        "INSERT INTO retired_keys (key_id, retired_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![key_id, Micros(work.now)],
    )?;
    if first == 0 {
        return Ok(());
    }
    audit::append(
        work,
        &AuditEvent {
            action: "key.retired",
            actor: actor.clone(),
            tenant: tenant.clone(),
            request: None,
            job: None,
            facts: BTreeMap::from([("key", key_id.to_owned())]),
        },
    )
}

/// Fails for a key that is retired: asked in the transaction that would make a job need it.
pub(super) fn refuse_retired(work: &Work<'_>, key_id: &str) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM retired_keys WHERE key_id = ?1";
    match work.first(sql, params![key_id], |_| Ok(()))? {
        Some(()) => Err(StoreError::KeyRetired { key_id: key_id.to_owned() }),
        None => Ok(()),
    }
}

/// Destroys a job's key, and ends the job if it has not ended. Once is enough.
pub(super) fn destroy(work: &Work<'_>, id: JobId, actor: &Actor) -> Result<Job, StoreError> {
    let head = Head::find(work, id)?;
    let first = work.execute(
        "UPDATE jobs SET wrapped_key = NULL, key_id = NULL WHERE id = ?1 AND wrapped_key IS NOT NULL",
        params![id],
    )?;
    if first == 0 {
        return rows::job(work, id);
    }
    match head.state {
        JobState::Requested | JobState::Collecting | JobState::Packaging => {
            head.advance(work, Move::Cancel, actor, "cancelled", BTreeMap::new())?;
        }
        JobState::Ready | JobState::Delivered => {
            head.advance(work, Move::Expire, actor, "expired", BTreeMap::new())?;
        }
        JobState::Expired | JobState::Failed | JobState::Cancelled => {}
    }
    forget::contents(work, id)?;
    let revoked = grants::end(work, id)?;
    moves::note(work, id, actor, "key destroyed")?;
    audit::append(
        work,
        &AuditEvent {
            action: "job.key_destroyed",
            actor: actor.clone(),
            tenant: head.tenant,
            request: Some(head.request),
            job: Some(id),
            facts: BTreeMap::from([("grants_revoked", revoked.to_string())]),
        },
    )?;
    rows::job(work, id)
}

/// How many jobs need each key.
pub(super) const USE: &str =
    "SELECT key_id, count(*) FROM jobs WHERE key_id IS NOT NULL GROUP BY key_id ORDER BY key_id";

/// How many jobs need one key.
pub(super) const COUNT: &str = "SELECT count(*) FROM jobs WHERE key_id = ?1";

/// The first key behind another.
pub(super) const NEXT: &str = "SELECT min(key_id) FROM jobs WHERE key_id > ?1";

/// The next jobs under one key.
pub(super) const UNDER: &str = "SELECT id, tenant, wrapped_key FROM jobs
     WHERE key_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
