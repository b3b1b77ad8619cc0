//! How does the work on a job end: packaged, published, failed or cancelled?

use std::collections::BTreeMap;

use rusqlite::params;

use super::moves::Head;
use super::sealing::Cell;
use super::values::Micros;
use super::work::Work;
use super::{plan, rows, segments, sums};
use crate::{
    Actor, Job, JobId, Lease, Move, Published, RequestId, SectionState, StoreError, TenantId,
};

/// Moves a job whose sections all ended to PACKAGING.
pub(super) fn start_packaging(work: &Work<'_>, lease: &Lease) -> Result<(), StoreError> {
    let head = Head::held(work, lease)?;
    let actor = Actor::Worker(lease.worker.clone());
    head.advance(work, Move::Package, &actor, "packaging", BTreeMap::new())?;
    let open = work.first(
        "SELECT 1 FROM sections WHERE job = ?1 AND state = ?2 LIMIT 1",
        params![head.id, SectionState::Open],
        |_| Ok(()),
    )?;
    if open.is_some() {
        return Err(StoreError::OutOfOrder { what: "packaging before a section's end" });
    }
    plan::reached(work, head.id, plan::collected(work, head.id)? + 1)
}

/// Publishes the bundle.
pub(super) fn publish(
    work: &Work<'_>,
    lease: &Lease,
    published: &Published,
) -> Result<(), StoreError> {
    let head = Head::held(work, lease)?;
    let facts = BTreeMap::from([
        ("bundle_len", published.bundle_len.to_string()),
        ("bundle_sha256", hex(&published.bundle_sha256)),
        ("files", published.files.len().to_string()),
        ("partial", published.partial.to_string()),
    ]);
    head.advance(work, Move::Publish, &Actor::Worker(lease.worker.clone()), "ready", facts)?;
    work.execute(
        "INSERT INTO published (job, manifest, signature, content_sha256, bundle_len, bundle_sha256, bundle_time,
             partial, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            head.id,
            work.sealing.seal(&manifest_cell(head.id), &published.manifest)?,
            work.sealing.seal(&signature_cell(head.id), &published.signature)?,
            sums::seal_content(work.sealing, head.id, &published.content_sha256)?,
            published.bundle_len,
            published.bundle_sha256,
            Micros(published.bundle_time),
            published.partial,
            Micros(published.expires_at)
        ],
    )?;
    work.execute(
        "UPDATE jobs SET due_at = ?2 WHERE id = ?1",
        params![head.id, Micros(published.expires_at)],
    )?;
    for (position, file) in (0_u32..).zip(&published.files) {
        segments::put_file(work, head.id, None, Some(position), file)?;
    }
    segments::insert(work, head.id, None, &published.segments)
}

/// Returns what was published; nothing once it is forgotten.
pub(super) fn find(work: &Work<'_>, job: JobId) -> Result<Option<Published>, StoreError> {
    let files = work.all(
        "SELECT * FROM files WHERE job = ?1 AND position IS NOT NULL ORDER BY position",
        params![job],
        |row| rows::file(work, row),
    )?;
    let segments = work.all(
        "SELECT * FROM segments WHERE job = ?1 AND section IS NULL ORDER BY entry, ordinal",
        params![job],
        |row| rows::segment(work, row),
    )?;
    work.first("SELECT * FROM published WHERE job = ?1 AND manifest <> x''", params![job], |row| {
        let sealed: Vec<u8> = row.get("manifest")?;
        let (signature, content): (Vec<u8>, Vec<u8>) =
            (row.get("signature")?, row.get("content_sha256")?);
        Ok(Published {
            manifest: work.sealing.open(&manifest_cell(job), &sealed)?.expose().to_vec(),
            signature: work.sealing.open(&signature_cell(job), &signature)?.expose().to_vec(),
            content_sha256: sums::open_content(work.sealing, job, &content)?,
            bundle_len: row.get("bundle_len")?,
            bundle_sha256: row.get("bundle_sha256")?,
            bundle_time: row.get::<_, Micros>("bundle_time")?.0,
            files,
            segments,
            partial: row.get("partial")?,
            expires_at: row.get::<_, Micros>("expires_at")?.0,
        })
    })
}

/// Moves a job to FAILED and forgets what it collected.
pub(super) fn fail(
    work: &Work<'_>,
    lease: &Lease,
    code: &str,
    message: &str,
) -> Result<(), StoreError> {
    let head = Head::held(work, lease)?;
    let actor = Actor::Worker(lease.worker.clone());
    let facts = BTreeMap::from([("code", code.to_owned())]);
    head.advance(work, Move::Fail, &actor, &format!("failed: {code}"), facts)?;
    segments::forget_job(work, head.id)?;
    let sealed = work.sealing.seal(&rows::failure_cell(head.id), message.as_bytes())?;
    work.execute(
        "UPDATE jobs SET failure_code = ?2, failure_message = ?3, failure_worker = ?4, failed_at = ?5
         WHERE id = ?1",
        params![head.id, code, sealed, lease.worker, Micros(work.now)],
    )?;
    Ok(())
}

/// Moves the latest job of a tenant's request to CANCELLED and forgets what it collected.
pub(super) fn cancel(
    work: &Work<'_>,
    tenant: &TenantId,
    request: RequestId,
    actor: &Actor,
) -> Result<Job, StoreError> {
    let head = Head::latest(work, tenant, request)?;
    head.advance(work, Move::Cancel, actor, "cancelled", BTreeMap::new())?;
    segments::forget_job(work, head.id)?;
    rows::job(work, head.id)
}

fn manifest_cell(job: JobId) -> Cell {
    Cell::new("published", job.as_bytes(), "manifest")
}

/// Where a bundle's signature is sealed.
pub(super) fn signature_cell(job: JobId) -> Cell {
    Cell::new("published", job.as_bytes(), "signature")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
