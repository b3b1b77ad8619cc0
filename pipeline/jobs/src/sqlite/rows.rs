//! How does a row become one of our records?

use rusqlite::{Row, params};

use super::sealing::Cell;
use super::values::{Micros, Words};
use super::work::Work;
use super::{flushes, sums};
use crate::{
    ApiKey, ApiKeyId, Delivery, Failure, FileRecord, Grant, Job, JobId, Progress, Request,
    RequestDetails, RequestId, Scope, SegmentRecord, StoreError, TimelineEntry,
};

/// Reads a row of `requests` and opens its personal part.
pub(super) fn request(work: &Work<'_>, row: &Row<'_>) -> Result<Request, StoreError> {
    let id: RequestId = row.get("id")?;
    let sealed: Vec<u8> = row.get("details")?;
    let plain = work.sealing.open(&details_cell(id), &sealed)?;
    // What serde says of bad JSON may quote it, so it is not kept.
    let details: RequestDetails = serde_json::from_slice(plain.expose())
        .map_err(|_| StoreError::Corrupt { what: "request details", source: None })?;
    let Words(formats) = row.get("formats")?;
    Ok(Request {
        id,
        tenant: row.get("tenant")?,
        family: row.get("family")?,
        action: row.get("action")?,
        subject_type: row.get("subject_type")?,
        scope: row.get("scope")?,
        formats,
        is_test: row.get("is_test")?,
        is_silent: row.get("is_silent")?,
        details,
        status: row.get("status")?,
        created_at: row.get::<_, Micros>("created_at")?.0,
        updated_at: row.get::<_, Micros>("updated_at")?.0,
    })
}

/// Where a request's personal part is sealed.
pub(super) fn details_cell(id: RequestId) -> Cell {
    Cell::new("requests", id.as_bytes(), "details")
}

/// Where a job's failure message is sealed.
pub(super) fn failure_cell(id: JobId) -> Cell {
    Cell::new("jobs", id.as_bytes(), "failure_message")
}

/// Where the name of an API key is sealed.
pub(super) fn name_cell(id: ApiKeyId) -> Cell {
    Cell::new("api_keys", id.0.as_bytes(), "name")
}

/// Reads a job with its delivery and timeline.
pub(super) fn job(work: &Work<'_>, id: JobId) -> Result<Job, StoreError> {
    let timeline = work.all(
        "SELECT at, actor, notes FROM timeline WHERE job = ?1 ORDER BY number",
        params![id],
        |row| {
            let Micros(at) = row.get(0)?;
            Ok(TimelineEntry { at, actor: row.get(1)?, notes: row.get(2)? })
        },
    )?;
    let delivery = work.first(
        "SELECT bundle_len, bundle_sha256, content_sha256, partial, expires_at, downloaded_at, downloaded_by
         FROM published WHERE job = ?1",
        params![id],
        |row| delivery(work, id, row),
    )?;
    work.first("SELECT * FROM jobs WHERE id = ?1", params![id], |row| {
        Ok(Job {
            id,
            request: row.get("request")?,
            tenant: row.get("tenant")?,
            attempt: row.get("attempt")?,
            state: row.get("state")?,
            held: row.get("held")?,
            fence: row.get("fence")?,
            wrapped_key: row.get("wrapped_key")?,
            key_id: row.get("key_id")?,
            created_at: row.get::<_, Micros>("created_at")?.0,
            updated_at: row.get::<_, Micros>("updated_at")?.0,
            progress: progress(row)?,
            delivery,
            failure: failure(work, id, row)?,
            timeline,
        })
    })?
    .ok_or(StoreError::NotFound { what: "job" })
}

fn progress(row: &Row<'_>) -> Result<Progress, StoreError> {
    Ok(Progress {
        rows_collected: row.get("rows_collected")?,
        rows_expected: row.get("rows_expected")?,
        bytes_packaged: row.get("bytes_packaged")?,
        sections_done: row.get("sections_done")?,
        sections_total: row.get("sections_total")?,
        heartbeat_at: row.get::<_, Option<Micros>>("heartbeat_at")?.map(|at| at.0),
        worker: row.get("worker")?,
    })
}

fn failure(work: &Work<'_>, id: JobId, row: &Row<'_>) -> Result<Option<Failure>, StoreError> {
    let Some(code) = row.get::<_, Option<String>>("failure_code")? else { return Ok(None) };
    let message = match row.get::<_, Option<Vec<u8>>>("failure_message")? {
        Some(sealed) => work
            .sealing
            .open(&failure_cell(id), &sealed)?
            .expose_str()
            .map_err(|_| StoreError::Corrupt { what: "failure_message", source: None })?
            .to_owned(),
        None => String::new(), // its request is forgotten
    };
    let Micros(at) = row.get("failed_at")?;
    Ok(Some(Failure { code, message, at, worker: row.get("failure_worker")? }))
}

fn delivery(work: &Work<'_>, id: JobId, row: &Row<'_>) -> Result<Delivery, StoreError> {
    let content: Vec<u8> = row.get("content_sha256")?;
    let content_sha256 = match content.as_slice() {
        [] => None, // its job is forgotten, or its key destroyed
        sealed => Some(sums::open_content(work.sealing, id, sealed)?),
    };
    Ok(Delivery {
        bundle_len: row.get("bundle_len")?,
        bundle_sha256: row.get("bundle_sha256")?,
        content_sha256,
        partial: row.get("partial")?,
        expires_at: row.get::<_, Micros>("expires_at")?.0,
        downloaded_at: row.get::<_, Option<Micros>>("downloaded_at")?.map(|at| at.0),
        downloaded_by: row.get("downloaded_by")?,
    })
}

/// Reads a row of `files`.
pub(super) fn file(work: &Work<'_>, row: &Row<'_>) -> Result<FileRecord, StoreError> {
    let entry: String = row.get("entry")?;
    let (job, sealed): (JobId, Vec<u8>) = (row.get("job")?, row.get("sums")?);
    let (crc32, sha256) = sums::open_file(work.sealing, (job, &entry), &sealed)?;
    Ok(FileRecord {
        entry,
        silo: row.get("silo")?,
        datapoint: row.get("datapoint")?,
        format: row.get("format")?,
        media_type: row.get("media_type")?,
        rows: row.get("rows")?,
        deflated: row.get("deflated")?,
        plain_len: row.get("plain_len")?,
        stored_len: row.get("stored_len")?,
        crc32,
        sha256,
    })
}

/// Reads a row of `segments`.
pub(super) fn segment(work: &Work<'_>, row: &Row<'_>) -> Result<SegmentRecord, StoreError> {
    let (entry, ordinal): (String, u32) = (row.get("entry")?, row.get("ordinal")?);
    let (job, sealed): (JobId, Vec<u8>) = (row.get("job")?, row.get("crc32")?);
    let crc32 = sums::open_segment(work.sealing, (job, &entry, ordinal), &sealed)?;
    Ok(SegmentRecord {
        entry,
        ordinal,
        object: row.get("object")?,
        offset: row.get("offset")?,
        stored_len: row.get("stored_len")?,
        plain_len: row.get("plain_len")?,
        crc32,
        flushes: flushes::unpack(&row.get::<_, Vec<u8>>("flushes")?)?,
    })
}

/// Reads a row of `grants`.
pub(super) fn grant(row: &Row<'_>) -> Result<Grant, StoreError> {
    Ok(Grant {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        request: row.get("request")?,
        job: row.get("job")?,
        file: row.get("file")?,
        created_at: row.get::<_, Micros>("created_at")?.0,
        expires_at: row.get::<_, Micros>("expires_at")?.0,
        revoked_at: row.get::<_, Option<Micros>>("revoked_at")?.map(|at| at.0),
    })
}

/// Reads a row of `api_keys`.
pub(super) fn api_key(work: &Work<'_>, row: &Row<'_>) -> Result<ApiKey, StoreError> {
    let id = row.get("id")?;
    let Words(scopes) = row.get("scopes")?;
    let scopes =
        scopes.iter().map(|word| word.parse::<Scope>()).collect::<Result<_, _>>().map_err(
            |error| StoreError::Corrupt { what: "scopes", source: Some(Box::new(error)) },
        )?;
    let name = work.sealing.open(&name_cell(id), &row.get::<_, Vec<u8>>("name")?)?;
    Ok(ApiKey {
        id,
        tenant: row.get("tenant")?,
        name: name
            .expose_str()
            .map_err(|_| StoreError::Corrupt { what: "name", source: None })?
            .to_owned(),
        scopes,
        prefix: row.get("prefix")?,
        created_at: row.get::<_, Micros>("created_at")?.0,
        expires_at: row.get::<_, Option<Micros>>("expires_at")?.map(|at| at.0),
        revoked_at: row.get::<_, Option<Micros>>("revoked_at")?.map(|at| at.0),
    })
}
