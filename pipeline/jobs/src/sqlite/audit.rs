//! What does the audit log remember, and how does a change to it show?
//!
//! Entries form one chain for each store file, the *writer*. The hash of an entry is SHA-256 over the hash before it (32 zero bytes
//! for the first) and the entry's fields, each with its length before it:
//!
//! `hash = SHA-256(previous ‖ f(writer) ‖ f(sequence) ‖ f(at) ‖ f(action) ‖ f(actor) ‖ f(tenant) ‖ o(request) ‖ o(job) ‖
//! o(subject) ‖ f(facts))`
//!
//! where `f(x)` is the length of `x` as 8 big-endian bytes and then `x`, `o(x)` is the byte 0 for an absent `x` and 1 ‖ `f(x)` for a present
//! one, numbers are 8 big-endian bytes, `at` is microseconds since 1970 and `facts` is JSON text with sorted keys.
//!
//! The last sequence and hash are also kept sealed, as the *head*. New entries follow the head, not the table: whoever cuts
//! off the end of the log leaves a gap, and whoever recomputes the chain cannot seal a head for it. An older copy of the
//! whole file is beyond what one file can show.

use std::collections::BTreeMap;

use ring::digest;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::sealing::{Cell, Sealing};
use super::values::Micros;
use super::work::Work;
use crate::{AuditEntry, AuditEvent, StoreError, facts};

/// Returns the store's id as a writer of entries. A new store gets one, with the head of an empty chain and proof of its keys.
///
/// # Errors
/// [`StoreError::Corrupt`] if other keys than `sealing` made the store.
pub(super) fn writer_id(sql: &Connection, sealing: &Sealing) -> Result<[u8; 16], StoreError> {
    let known: Option<[u8; 16]> = sql
        .query_row("SELECT value FROM meta WHERE name = 'writer'", [], |row| row.get(0))
        .optional()?;
    if let Some(writer) = known {
        let sealed: Vec<u8> =
            sql.query_row("SELECT value FROM meta WHERE name = 'proof'", [], |row| row.get(0))?;
        let proof = sealing.open(&Cell::new("meta", b"proof", "proof of keys"), &sealed)?;
        if proof.expose() != sealing.proof(&writer) {
            return Err(StoreError::Corrupt { what: "proof of keys", source: None });
        }
        return Ok(writer);
    }
    let writer = uuid::Uuid::new_v4().into_bytes();
    let proof =
        sealing.seal(&Cell::new("meta", b"proof", "proof of keys"), &sealing.proof(&writer))?;
    let head = Head { sequence: 0, hash: [0; 32] }.seal(sealing)?;
    let mut insert = sql.prepare("INSERT INTO meta (name, value) VALUES (?1, ?2)")?;
    insert.execute(params!["writer", writer])?;
    insert.execute(params!["proof", proof])?;
    insert.execute(params!["audit-head", head])?;
    Ok(writer)
}

/// Appends an entry.
pub(super) fn append(work: &Work<'_>, event: &AuditEvent) -> Result<(), StoreError> {
    debug_assert_eq!(facts::fault(event), None);
    let head = Head::read(work)?;
    let subject = work
        .first(
            "SELECT subject_pseudonym FROM requests
             WHERE id = coalesce(?1, (SELECT request FROM jobs WHERE id = ?2))",
            params![event.request, event.job],
            |row| Ok(row.get(0)?),
        )?
        .flatten();
    let facts = serde_json::to_string(&event.facts)
        .map_err(|error| StoreError::Database(Box::new(error)))?;
    let entry = Link {
        sequence: head.sequence.saturating_add(1),
        at: work.now.as_microsecond(),
        action: event.action.to_owned(),
        actor: event.actor.to_string(),
        tenant: event.tenant.to_string(),
        request: event.request.map(|id| id.to_string()),
        job: event.job.map(|id| id.to_string()),
        subject,
        facts,
    };
    let hash = entry.hash(work.writer, &head.hash);
    work.execute(
        "INSERT INTO audit (sequence, at, action, actor, tenant, request, job, subject, facts, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            entry.sequence,
            entry.at,
            entry.action,
            entry.actor,
            entry.tenant,
            entry.request,
            entry.job,
            entry.subject,
            entry.facts,
            hash
        ],
    )?;
    let head = Head { sequence: entry.sequence, hash }.seal(work.sealing)?;
    work.execute("UPDATE meta SET value = ?1 WHERE name = 'audit-head'", params![head])?;
    Ok(())
}

/// Returns the newest entries, newest first.
pub(super) fn newest(work: &Work<'_>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
    work.all(
        "SELECT sequence, at, action, actor, tenant, request, job, subject, facts, hash
         FROM audit ORDER BY sequence DESC LIMIT ?1",
        params![limit],
        |row| {
            let link = Link::read(row)?;
            let Micros(at) = row.get("at")?;
            let facts: BTreeMap<String, String> =
                serde_json::from_str(&link.facts).map_err(|error| StoreError::Corrupt {
                    what: "audit facts",
                    source: Some(Box::new(error)),
                })?;
            Ok(AuditEntry {
                sequence: link.sequence,
                at,
                action: link.action,
                actor: link.actor,
                tenant: link.tenant,
                request: link.request,
                job: link.job,
                subject: link.subject,
                facts,
                hash: row.get("hash")?,
            })
        },
    )
}

/// Walks the chain and returns its length.
pub(super) fn verify(work: &Work<'_>) -> Result<u64, StoreError> {
    let head = Head::read(work)?;
    let mut statement = work.sql.prepare_cached(
        "SELECT sequence, at, action, actor, tenant, request, job, subject, facts, hash
         FROM audit ORDER BY sequence",
    )?;
    let mut rows = statement.query([])?;
    let mut last = Head { sequence: 0, hash: [0; 32] };
    while let Some(row) = rows.next()? {
        let sequence = last.sequence.saturating_add(1);
        let link = Link::read(row)?;
        let hash: [u8; 32] = row.get("hash")?;
        if link.sequence != sequence || hash != link.hash(work.writer, &last.hash) {
            return Err(StoreError::AuditBroken { sequence });
        }
        last = Head { sequence, hash };
    }
    if last.sequence != head.sequence {
        let sequence = last.sequence.min(head.sequence).saturating_add(1);
        return Err(StoreError::AuditBroken { sequence });
    }
    if last.hash != head.hash {
        return Err(StoreError::AuditBroken { sequence: last.sequence });
    }
    Ok(last.sequence)
}

/// An entry as its hash sees it.
struct Link {
    sequence: u64,
    at: i64,
    action: String,
    actor: String,
    tenant: String,
    request: Option<String>,
    job: Option<String>,
    subject: Option<String>,
    facts: String,
}

impl Link {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            sequence: row.get("sequence")?,
            at: row.get("at")?,
            action: row.get("action")?,
            actor: row.get("actor")?,
            tenant: row.get("tenant")?,
            request: row.get("request")?,
            job: row.get("job")?,
            subject: row.get("subject")?,
            facts: row.get("facts")?,
        })
    }

    fn hash(&self, writer: &[u8; 16], previous: &[u8; 32]) -> [u8; 32] {
        let mut bytes = previous.to_vec();
        field(&mut bytes, writer);
        field(&mut bytes, &self.sequence.to_be_bytes());
        field(&mut bytes, &self.at.to_be_bytes());
        field(&mut bytes, self.action.as_bytes());
        field(&mut bytes, self.actor.as_bytes());
        field(&mut bytes, self.tenant.as_bytes());
        for optional in [&self.request, &self.job, &self.subject] {
            bytes.push(u8::from(optional.is_some()));
            if let Some(value) = optional {
                field(&mut bytes, value.as_bytes());
            }
        }
        field(&mut bytes, self.facts.as_bytes());
        let digest = digest::digest(&digest::SHA256, &bytes);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        hash
    }
}

fn field(bytes: &mut Vec<u8>, value: &[u8]) {
    let len = u64::try_from(value.len()).expect("a length in memory fits 64 bits");
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(value);
}

/// The end of the chain, kept sealed.
struct Head {
    sequence: u64,
    hash: [u8; 32],
}

impl Head {
    fn read(work: &Work<'_>) -> Result<Self, StoreError> {
        let broken = || StoreError::Corrupt { what: "audit head", source: None };
        let sealed: Vec<u8> = work
            .first("SELECT value FROM meta WHERE name = 'audit-head'", [], |row| Ok(row.get(0)?))?
            .ok_or_else(broken)?;
        let plain = work.sealing.open(&Self::cell(), &sealed)?;
        let (sequence, hash) = plain.expose().split_first_chunk::<8>().ok_or_else(broken)?;
        Ok(Self {
            sequence: u64::from_be_bytes(*sequence),
            hash: hash.try_into().map_err(|_| broken())?,
        })
    }

    fn seal(&self, sealing: &Sealing) -> Result<Vec<u8>, StoreError> {
        let mut plain = self.sequence.to_be_bytes().to_vec();
        plain.extend_from_slice(&self.hash);
        sealing.seal(&Self::cell(), &plain)
    }

    fn cell() -> Cell {
        Cell::new("meta", b"audit-head", "audit head")
    }
}
