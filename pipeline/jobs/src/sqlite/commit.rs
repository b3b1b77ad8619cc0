//! What becomes true when a pack was written?

use rusqlite::params;

use super::moves::Head;
use super::work::Work;
use super::{plan, segments};
use crate::{
    Commit, IllegalMove, JobId, JobState, Lease, Move, PART_SLICES, SectionEnd, SectionOutcome,
    SectionState, SliceCommit, StoreError,
};

/// Commits slices, then ends of sections, then progress.
pub(super) fn commit(work: &Work<'_>, lease: &Lease, commit: &Commit) -> Result<(), StoreError> {
    let job = collecting(work, lease)?;
    for name in &commit.objects {
        segments::object(work, job, name)?;
    }
    for slice in &commit.slices {
        add_slice(work, job, slice)?;
    }
    for end in &commit.ends {
        end_section(work, job, end)?;
    }
    plan::note_progress(work, job, &commit.progress)?;
    plan::reached(work, job, plan::collected(work, job)?)
}

/// Forgets what an open section has.
pub(super) fn restart_section(
    work: &Work<'_>,
    lease: &Lease,
    section: u32,
) -> Result<(), StoreError> {
    let job = collecting(work, lease)?;
    require_open(work, job, section)?;
    segments::forget_section(work, job, section)?;
    work.execute(
        "UPDATE sections SET rows = 0 WHERE job = ?1 AND ordinal = ?2",
        params![job, section],
    )?;
    Ok(())
}

/// Returns the leased job if its sections may still change.
fn collecting(work: &Work<'_>, lease: &Lease) -> Result<JobId, StoreError> {
    let head = Head::held(work, lease)?;
    if head.state == JobState::Collecting {
        Ok(head.id)
    } else {
        Err(IllegalMove { from: head.state, what: Move::Collect }.into())
    }
}

fn require_open(work: &Work<'_>, job: JobId, section: u32) -> Result<(), StoreError> {
    let state = work.first(
        "SELECT state FROM sections WHERE job = ?1 AND ordinal = ?2",
        params![job, section],
        |row| Ok(row.get(0)?),
    )?;
    match state {
        Some(SectionState::Open) => Ok(()),
        Some(SectionState::Done | SectionState::Failed) => {
            Err(StoreError::OutOfOrder { what: "write to a section that ended" })
        }
        None => Err(StoreError::OutOfOrder { what: "write to a section that is not planned" }),
    }
}

fn add_slice(work: &Work<'_>, job: JobId, slice: &SliceCommit) -> Result<(), StoreError> {
    let (section, ordinal) = (slice.section, slice.ordinal);
    require_open(work, job, section)?;
    let first = ordinal - ordinal % PART_SLICES;
    let next: Option<u32> = work.first(
        "SELECT coalesce(max(ordinal) + 1, ?3) FROM slices WHERE job = ?1 AND section = ?2 AND ordinal BETWEEN ?3 AND ?4",
        params![job, section, first, first + (PART_SLICES - 1)],
        |row| Ok(row.get(0)?),
    )?;
    if next != Some(ordinal) {
        return Err(StoreError::OutOfOrder { what: "slice" });
    }
    let seal = |column, plain: &[u8]| {
        work.sealing.seal(&plan::slice_cell(job, section, ordinal, column), plain)
    };
    work.execute(
        "INSERT INTO slices (job, section, ordinal, rows, cursor, state, kept)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            job,
            section,
            ordinal,
            slice.rows,
            seal("cursor", &slice.cursor)?,
            seal("state", &slice.state)?,
            seal("kept", &slice.kept)?
        ],
    )?;
    work.execute(
        "UPDATE sections SET rows = rows + ?3 WHERE job = ?1 AND ordinal = ?2",
        params![job, section, slice.rows],
    )?;
    segments::insert(work, job, Some(section), &slice.segments)
}

fn end_section(work: &Work<'_>, job: JobId, end: &SectionEnd) -> Result<(), StoreError> {
    require_open(work, job, end.section)?;
    let state = match &end.outcome {
        SectionOutcome::Done { files, segments } => {
            segments::insert(work, job, Some(end.section), segments)?;
            for file in files {
                segments::put_file(work, job, Some(end.section), None, file)?;
            }
            SectionState::Done
        }
        SectionOutcome::Failed => {
            segments::forget_section(work, job, end.section)?;
            SectionState::Failed
        }
    };
    let document = work.sealing.seal(&plan::outcome_cell(job, end.section), &end.document)?;
    work.execute(
        "UPDATE sections SET state = ?3, rows = ?4, outcome = ?5 WHERE job = ?1 AND ordinal = ?2",
        params![job, end.section, state, end.rows, document],
    )?;
    Ok(())
}
