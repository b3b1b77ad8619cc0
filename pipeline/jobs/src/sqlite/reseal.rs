//! What did a store of the second schema keep in clear, and how does it become sealed?

use rusqlite::{Connection, Row, params};

use super::{Sealing, publish, rows, sums};
use crate::{ApiKeyId, JobId, StoreError};

/// Copies the rows of four tables to their successors, sealing what was in clear, and lets these take their place.
pub(super) fn second_schema(sql: &Connection, sealing: &Sealing) -> Result<(), StoreError> {
    each(sql, "SELECT id, name FROM api_keys", |row| {
        let (id, name): (ApiKeyId, String) = (row.get(0)?, row.get(1)?);
        let name = sealing.seal(&rows::name_cell(id), name.as_bytes())?;
        Ok(sql.prepare_cached(KEY)?.execute(params![id, name])?)
    })?;
    each(sql, "SELECT job, entry, crc32, sha256 FROM files", |row| {
        let (job, entry): (JobId, String) = (row.get(0)?, row.get(1)?);
        let sums = sums::seal_file(sealing, (job, &entry), row.get(2)?, &row.get(3)?)?;
        Ok(sql.prepare_cached(FILE)?.execute(params![job, entry, sums])?)
    })?;
    each(sql, "SELECT job, entry, ordinal, crc32 FROM segments", |row| {
        let (job, entry): (JobId, String) = (row.get(0)?, row.get(1)?);
        let ordinal = row.get(2)?;
        let crc32 = sums::seal_segment(sealing, (job, &entry, ordinal), row.get(3)?)?;
        Ok(sql.prepare_cached(SEGMENT)?.execute(params![job, entry, ordinal, crc32])?)
    })?;
    each(sql, "SELECT job, signature, content_sha256 FROM published", |row| {
        let (job, signature): (JobId, Vec<u8>) = (row.get(0)?, row.get(1)?);
        // A forgotten job's is empty and stays so, and what is left of its content goes.
        let (signature, content) = match signature.as_slice() {
            [] => (signature, Vec::new()),
            plain => (
                sealing.seal(&publish::signature_cell(job), plain)?,
                sums::seal_content(sealing, job, &row.get(2)?)?,
            ),
        };
        Ok(sql.prepare_cached(PUBLISHED)?.execute(params![job, signature, content])?)
    })?;
    sql.flush_prepared_statement_cache();
    sql.execute_batch(REPLACE)?;
    Ok(())
}

fn each(
    sql: &Connection,
    select: &str,
    mut copy: impl FnMut(&Row<'_>) -> Result<usize, StoreError>,
) -> Result<(), StoreError> {
    let mut select = sql.prepare(select)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        copy(row)?;
    }
    Ok(())
}

const KEY: &str = "INSERT INTO api_keys_sealed
     SELECT id, tenant, ?2, scopes, prefix, hash, created_at, expires_at, revoked_at
     FROM api_keys WHERE id = ?1";

const FILE: &str = "INSERT INTO files_sealed
     SELECT job, entry, section, position, silo, datapoint, format, media_type, rows, deflated, plain_len,
         stored_len, ?3
     FROM files WHERE job = ?1 AND entry = ?2";

const SEGMENT: &str = "INSERT INTO segments_sealed
     SELECT job, entry, ordinal, section, object, \"offset\", stored_len, plain_len, ?4, flushes
     FROM segments WHERE job = ?1 AND entry = ?2 AND ordinal = ?3";

const PUBLISHED: &str = "INSERT INTO published_sealed
     SELECT job, manifest, ?2, ?3, bundle_len, bundle_sha256, bundle_time, partial, expires_at, downloaded_at,
         downloaded_by
     FROM published WHERE job = ?1";

const REPLACE: &str = "
    DROP TABLE api_keys;
    DROP TABLE files;
    DROP TABLE segments;
    DROP TABLE published;
    ALTER TABLE api_keys_sealed RENAME TO api_keys;
    ALTER TABLE files_sealed RENAME TO files;
    ALTER TABLE segments_sealed RENAME TO segments;
    ALTER TABLE published_sealed RENAME TO published;
    CREATE INDEX segments_by_section ON segments (job, section);";
