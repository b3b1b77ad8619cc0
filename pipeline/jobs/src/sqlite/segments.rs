//! Where are the bytes? File and segment records, and the objects that hold them.

use rusqlite::params;

use super::work::Work;
use super::{flushes, rows, sums};
use crate::{FileRecord, JobId, SegmentRecord, StoreError};

/// Records segments and the objects they are in. `section` is `None` for those of no section.
///
/// # Errors
/// [`StoreError::OutOfOrder`] if the entry has a segment of that ordinal.
pub(super) fn insert(
    work: &Work<'_>,
    job: JobId,
    section: Option<u32>,
    segments: &[SegmentRecord],
) -> Result<(), StoreError> {
    for segment in segments {
        let inserted = work.execute(
            "INSERT INTO segments (job, entry, ordinal, section, object, \"offset\", stored_len, plain_len, crc32,
                 flushes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
            params![
                job,
                segment.entry,
                segment.ordinal,
                section,
                segment.object,
                segment.offset,
                segment.stored_len,
                segment.plain_len,
                sums::seal_segment(
                    work.sealing,
                    (job, &segment.entry, segment.ordinal),
                    segment.crc32
                )?,
                flushes::pack(&segment.flushes)?
            ],
        )?;
        if inserted == 0 {
            return Err(StoreError::OutOfOrder { what: "segment" });
        }
        object(work, job, &segment.object)?;
    }
    Ok(())
}

/// Remembers that an object belongs to a job.
pub(super) fn object(work: &Work<'_>, job: JobId, name: &str) -> Result<(), StoreError> {
    work.execute(
        "INSERT INTO objects (job, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![job, name],
    )?;
    Ok(())
}

/// Records a file, or replaces what is known of it. Its section stays; `position` is its place in the zip once that is known.
pub(super) fn put_file(
    work: &Work<'_>,
    job: JobId,
    section: Option<u32>,
    position: Option<u32>,
    file: &FileRecord,
) -> Result<(), StoreError> {
    work.execute(
        "INSERT INTO files (job, entry, section, position, silo, datapoint, format, media_type, rows, deflated,
             plain_len, stored_len, sums)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (job, entry) DO UPDATE SET
             position = excluded.position, silo = excluded.silo, datapoint = excluded.datapoint,
             format = excluded.format, media_type = excluded.media_type, rows = excluded.rows,
             deflated = excluded.deflated, plain_len = excluded.plain_len, stored_len = excluded.stored_len,
             sums = excluded.sums",
        params![
            job,
            file.entry,
            section,
            position,
            file.silo,
            file.datapoint,
            file.format,
            file.media_type,
            file.rows,
            file.deflated,
            file.plain_len,
            file.stored_len,
            sums::seal_file(work.sealing, (job, &file.entry), file.crc32, &file.sha256)?
        ],
    )?;
    Ok(())
}

/// Forgets the slices, segments and files of one section. Its objects stay known.
pub(super) fn forget_section(work: &Work<'_>, job: JobId, section: u32) -> Result<(), StoreError> {
    work.execute("DELETE FROM slices WHERE job = ?1 AND section = ?2", params![job, section])?;
    work.execute("DELETE FROM segments WHERE job = ?1 AND section = ?2", params![job, section])?;
    work.execute("DELETE FROM files WHERE job = ?1 AND section = ?2", params![job, section])?;
    Ok(())
}

/// Forgets every slice, segment and file of a job. Its objects stay known.
pub(super) fn forget_job(work: &Work<'_>, job: JobId) -> Result<(), StoreError> {
    work.execute("DELETE FROM slices WHERE job = ?1", params![job])?;
    work.execute("DELETE FROM segments WHERE job = ?1", params![job])?;
    work.execute("DELETE FROM files WHERE job = ?1", params![job])?;
    Ok(())
}

/// Returns the files of sections that ended.
pub(super) fn files(work: &Work<'_>, job: JobId) -> Result<Vec<FileRecord>, StoreError> {
    work.all(
        "SELECT * FROM files WHERE job = ?1 AND section IS NOT NULL ORDER BY entry",
        params![job],
        |row| rows::file(work, row),
    )
}

/// Returns the segments of one entry in order.
pub(super) fn of_entry(
    work: &Work<'_>,
    job: JobId,
    entry: &str,
) -> Result<Vec<SegmentRecord>, StoreError> {
    work.all(
        "SELECT * FROM segments WHERE job = ?1 AND entry = ?2 ORDER BY ordinal",
        params![job, entry],
        |row| rows::segment(work, row),
    )
}

/// Returns the segments of every entry, entry by entry.
pub(super) fn of_job(work: &Work<'_>, job: JobId) -> Result<Vec<SegmentRecord>, StoreError> {
    work.all("SELECT * FROM segments WHERE job = ?1 ORDER BY entry, ordinal", params![job], |row| {
        rows::segment(work, row)
    })
}

/// Returns the names of a job's objects.
pub(super) fn objects(work: &Work<'_>, job: JobId) -> Result<Vec<String>, StoreError> {
    work.all("SELECT name FROM objects WHERE job = ?1 ORDER BY name", params![job], |row| {
        Ok(row.get(0)?)
    })
}
