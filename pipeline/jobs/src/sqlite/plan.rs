//! What will be collected? The stored plan, its sections and what is committed of them.

use std::collections::BTreeMap;

use rusqlite::{Row, params};

use super::moves::Head;
use super::sealing::Cell;
use super::values::Micros;
use super::work::Work;
use crate::{
    Actor, JobId, Lease, Move, NewSection, PART_SLICES, Progress, SectionRecord, SectionState,
    SliceRecord, StoreError,
};

/// Stores the plan and its sections.
pub(super) fn save(
    work: &Work<'_>,
    lease: &Lease,
    plan: &[u8],
    sections: &[NewSection],
    progress: &Progress,
) -> Result<(), StoreError> {
    let head = Head::held(work, lease)?;
    let notes = format!("plan stored: {} sections", sections.len());
    let facts = BTreeMap::from([("sections", sections.len().to_string())]);
    head.advance(work, Move::Collect, &Actor::Worker(lease.worker.clone()), &notes, facts)?;
    let sealed = work.sealing.seal(&plan_cell(head.id), plan)?;
    let stored = work.execute(
        "INSERT INTO plans (job, plan) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![head.id, sealed],
    )?;
    if stored == 0 {
        return Err(StoreError::OutOfOrder { what: "second plan" });
    }
    for (place, section) in (0_u32..).zip(sections) {
        if section.ordinal != place {
            return Err(StoreError::OutOfOrder { what: "section" });
        }
        work.execute(
            "INSERT INTO sections (job, ordinal, silo, datapoint, state) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![head.id, place, section.silo, section.datapoint, SectionState::Open],
        )?;
    }
    note_progress(work, head.id, progress)?;
    reached(work, head.id, PLANNED)
}

/// Notes how far a job is, in the measure of the column `reached`. Only further than ever before counts: a section that starts
/// again and commits the same slices again gets its job nowhere.
pub(super) fn reached(work: &Work<'_>, job: JobId, now: u64) -> Result<(), StoreError> {
    work.execute(
        "UPDATE jobs SET reached = ?2, fruitless = 0 WHERE id = ?1 AND reached < ?2",
        params![job, now],
    )?;
    Ok(())
}

/// Returns how far a job is that is collected.
pub(super) fn collected(work: &Work<'_>, job: JobId) -> Result<u64, StoreError> {
    let count = work.first(
        "SELECT (SELECT count(*) FROM slices WHERE job = ?1)
              + (SELECT count(*) FROM sections WHERE job = ?1 AND state <> ?2)",
        params![job, SectionState::Open],
        |row| Ok(row.get::<_, u64>(0)?),
    )?;
    Ok(PLANNED + count.unwrap_or_default())
}

/// Writes how far a job is; the sign of life is the transaction's own.
pub(super) fn note_progress(
    work: &Work<'_>,
    job: JobId,
    progress: &Progress,
) -> Result<(), StoreError> {
    work.execute(
        "UPDATE jobs SET rows_collected = ?2, rows_expected = ?3, bytes_packaged = ?4, sections_done = ?5,
             sections_total = ?6, heartbeat_at = ?7, updated_at = ?7
         WHERE id = ?1",
        params![
            job,
            progress.rows_collected,
            progress.rows_expected,
            progress.bytes_packaged,
            progress.sections_done,
            progress.sections_total,
            Micros(work.now)
        ],
    )?;
    Ok(())
}

/// Returns the stored plan.
pub(super) fn find(work: &Work<'_>, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
    work.first("SELECT plan FROM plans WHERE job = ?1", params![job], |row| {
        let sealed: Vec<u8> = row.get(0)?;
        Ok(work.sealing.open(&plan_cell(job), &sealed)?.expose().to_vec())
    })
}

/// Returns the sections of a job in order.
pub(super) fn sections(work: &Work<'_>, job: JobId) -> Result<Vec<SectionRecord>, StoreError> {
    work.all("SELECT * FROM sections WHERE job = ?1 ORDER BY ordinal", params![job], |row| {
        let ordinal = row.get("ordinal")?;
        let outcome = row
            .get::<_, Option<Vec<u8>>>("outcome")?
            .map(|sealed| work.sealing.open(&outcome_cell(job, ordinal), &sealed))
            .transpose()?;
        Ok(SectionRecord {
            ordinal,
            silo: row.get("silo")?,
            datapoint: row.get("datapoint")?,
            state: row.get("state")?,
            rows: row.get("rows")?,
            outcome: outcome.map(|plain| plain.expose().to_vec()),
        })
    })
}

/// Returns committed slices of a section in order.
pub(super) fn slices(
    work: &Work<'_>,
    job: JobId,
    section: u32,
    from: u32,
    most: u32,
) -> Result<Vec<SliceRecord>, StoreError> {
    work.all(
        "SELECT ordinal, rows, cursor, state, kept FROM slices
         WHERE job = ?1 AND section = ?2 AND ordinal >= ?3 ORDER BY ordinal LIMIT ?4",
        params![job, section, from, most],
        |row| slice(work, job, section, row),
    )
}

/// Returns the newest committed slice of each part of a section in order.
pub(super) fn newest_slices(
    work: &Work<'_>,
    job: JobId,
    section: u32,
) -> Result<Vec<SliceRecord>, StoreError> {
    work.all(
        "SELECT ordinal, rows, cursor, state, kept FROM slices
         WHERE job = ?1 AND section = ?2 AND ordinal IN (
             SELECT max(ordinal) FROM slices WHERE job = ?1 AND section = ?2 GROUP BY ordinal / ?3)
         ORDER BY ordinal",
        params![job, section, PART_SLICES],
        |row| slice(work, job, section, row),
    )
}

fn slice(
    work: &Work<'_>,
    job: JobId,
    section: u32,
    row: &Row<'_>,
) -> Result<SliceRecord, StoreError> {
    let ordinal = row.get("ordinal")?;
    let open = |column: &'static str| -> Result<Vec<u8>, StoreError> {
        let sealed: Vec<u8> = row.get(column)?;
        let cell = slice_cell(job, section, ordinal, column);
        Ok(work.sealing.open(&cell, &sealed)?.expose().to_vec())
    };
    Ok(SliceRecord {
        ordinal,
        rows: row.get("rows")?,
        cursor: open("cursor")?,
        state: open("state")?,
        kept: open("kept")?,
    })
}

/// How far a job is that has a plan.
const PLANNED: u64 = 1;

/// Where a section's outcome is sealed.
pub(super) fn outcome_cell(job: JobId, section: u32) -> Cell {
    Cell::new("sections", &[&job.as_bytes()[..], &section.to_be_bytes()].concat(), "outcome")
}

/// Where a column of a slice is sealed.
pub(super) fn slice_cell(job: JobId, section: u32, ordinal: u32, column: &'static str) -> Cell {
    let row = [&job.as_bytes()[..], &section.to_be_bytes(), &ordinal.to_be_bytes()].concat();
    Cell::new("slices", &row, column)
}

fn plan_cell(job: JobId) -> Cell {
    Cell::new("plans", job.as_bytes(), "plan")
}
