//! How do the rows of a section, or of a part of one, become slices? Cut by their content, encoded in every format, committed together.

use std::sync::Arc;

use antumbra_config::Format;
use antumbra_crypto::Secret32;
use antumbra_jobs::{PART_SLICES, SliceCommit};
use arrow_array::RecordBatch;
use tokio_util::sync::CancellationToken;

use super::collect::{Memory, TIMES_A_ROW};
use super::desk::Desk;
use super::records;
use super::section::{Stop, unless_stopped};
use super::state::SectionState;
use super::stored::{join_list, write_cursor};
use crate::encode;
use crate::guard::Guard;
use crate::plan::{Plan, Planned};
use crate::silo::{Batches, Cursor, Shape, value_bytes};
use crate::slice::{Slicer, widest};
use crate::{PipelineError, SiloError, crash_point};

/// What all parts of a section have in common.
pub(super) struct Subject {
    pub(super) plan: Arc<Plan>,
    pub(super) ordinal: u32,
    pub(super) shape: Shape,
    /// The last key of each part but the last one; none if the section is read as one stream.
    pub(super) bounds: Vec<Cursor>,
    /// Picks natural cuts.
    pub(super) slice_key: Secret32,
    /// Hashes redacted values.
    pub(super) redact_key: Secret32,
    pub(super) memory: Memory,
}

/// What earlier work on a part committed.
pub(super) struct CommittedPart {
    /// That of its newest slice.
    pub(super) state: SectionState,
    pub(super) cursor: Cursor,
    /// The ordinal of its next slice.
    pub(super) next_slice: u32,
    /// How many there are; of parts that were joined, those of all.
    pub(super) slices: u32,
}

/// A part being read.
pub(super) struct Cutting {
    pub(super) subject: Arc<Subject>,
    part: u32,
    slicer: Slicer,
    pub(super) redactor: Guard,
    /// Rows of the part, this slice's included.
    pub(super) rows: u64,
    slice_rows: u64,
    /// About as many bytes as this slice's rows take.
    slice_bytes: u64,
    next_slice: u32,
    /// The key of the last row that was encoded.
    cursor: Cursor,
    /// How many slices there are, those of earlier work included.
    pub(super) slices: u32,
}

impl Subject {
    pub(super) fn planned(&self) -> Result<&Planned, PipelineError> {
        let place = usize::try_from(self.ordinal).unwrap_or(usize::MAX);
        self.plan.sections.get(place).ok_or(PipelineError::Document { what: "plan" })
    }

    /// Returns the name of its file in a format.
    pub(super) fn entry(&self, format: Format) -> String {
        let name = self.planned().map(|planned| planned.spec.name()).unwrap_or_default();
        format!("{name}.{}", encode::extension(format))
    }
}

impl Cutting {
    /// Begins the files of a part, or goes on with them.
    pub(super) async fn begin(
        desk: &mut Desk,
        subject: Arc<Subject>,
        part: u32,
        committed: Option<CommittedPart>,
    ) -> Result<Self, Stop> {
        let planned = subject.planned()?;
        let withheld = committed.as_ref().map(|committed| committed.state.withheld.clone());
        let schema = subject.shape.schema();
        let redactor = Guard::new(&schema, planned, &subject.plan, &subject.redact_key, withheld)
            .map_err(|column| {
            let what = format!("column {column}, which is to be redacted,");
            SiloError::Missing { what }
        })?;
        let files = committed.as_ref().map_or(&[][..], |committed| &committed.state.files);
        desk.lanes.begin(&planned.spec.name(), redactor.schema(), files, part).await?;
        let slicer = Slicer::new(&subject.slice_key, &subject.shape);
        let (rows, next_slice, cursor, slices) = match committed {
            Some(CommittedPart { state, cursor, next_slice, slices }) => {
                (state.rows, next_slice, cursor, slices)
            }
            None => (0, part.saturating_mul(PART_SLICES), Cursor(Vec::new()), 0),
        };
        Ok(Self {
            subject,
            part,
            slicer,
            redactor,
            rows,
            slice_rows: 0,
            slice_bytes: 0,
            next_slice,
            cursor,
            slices,
        })
    }

    /// Encodes all that is read, slice by slice.
    pub(super) async fn all(
        &mut self,
        desk: &mut Desk,
        mut batches: Batches,
        stop: &CancellationToken,
    ) -> Result<(), Stop> {
        let before = self.rows;
        let next =
            async |batches: &mut Batches| batches.next().await.map_err(|error| error.after(before));
        // Of the slice's last large batch: until it is written, that is there several times.
        let mut right = None;
        while let Some(batch) = unless_stopped(stop, next(&mut batches)).await? {
            let of_this = batches.right();
            crash_point("collect.batch");
            let bytes = value_bytes(&batch);
            if bytes > self.subject.memory.row {
                check_widest(&batch, self.subject.memory.row, self.rows)?;
            }
            let of_batch = batch.num_rows().max(1) as u64;
            let (starts_with_cut, runs) = self.slicer.split(&batch);
            for (index, (offset, len)) in runs.into_iter().enumerate() {
                if index > 0 || starts_with_cut {
                    self.end_slice(desk).await?;
                    right = None;
                }
                let share = (bytes / of_batch).saturating_mul(len as u64);
                self.encode(desk, &batch.slice(offset, len), share).await?;
            }
            right = of_this.or(right);
        }
        drop(batches);
        if self.slice_rows > 0 {
            self.end_slice(desk).await?;
        }
        drop(right);
        Ok(())
    }

    async fn encode(
        &mut self,
        desk: &mut Desk,
        rows: &RecordBatch,
        bytes: u64,
    ) -> Result<(), Stop> {
        let Some(last) = rows.num_rows().checked_sub(1) else { return Ok(()) };
        self.cursor = self.slicer.cursor(rows, last);
        let leaving = self.redactor.apply(rows).map_err(|error| {
            Stop::Silo(SiloError::Settings { what: format!("cannot redact: {error}") })
        })?;
        desk.lanes.rows(&leaving, self.rows, bytes).await?;
        let rows = rows.num_rows() as u64;
        self.rows += rows;
        self.slice_rows += rows;
        self.slice_bytes += bytes;
        desk.ledger.rows(rows);
        Ok(())
    }

    async fn end_slice(&mut self, desk: &mut Desk) -> Result<(), Stop> {
        let ordinal = self.next_slice;
        if ordinal / PART_SLICES != self.part {
            let what = format!("more than {PART_SLICES} slices in one part of it");
            return Err(SiloError::Settings { what }.into());
        }
        let mut segments = Vec::new();
        let mut kept = Vec::new();
        let mut files = Vec::new();
        let mut bytes = 0;
        let slices = desk.lanes.end_slice(self.slice_bytes).await?;
        for (slice, (format, state)) in slices.into_iter().zip(desk.lanes.states()) {
            if let Some(segment) = slice.segment {
                bytes += segment.stored_len;
                let entry = self.subject.entry(format);
                segments.push(records::to_record(&entry, slice.ordinal, segment));
            }
            kept.push(slice.kept);
            files.push(state);
        }
        let state = SectionState {
            shape: self.subject.shape.clone(),
            rows: self.rows,
            withheld: self.redactor.counts().to_vec(),
            files,
            bounds: self.subject.bounds.clone(),
        };
        desk.pending.slice(SliceCommit {
            section: self.subject.ordinal,
            ordinal,
            rows: self.slice_rows,
            cursor: write_cursor(&self.cursor)?,
            state: state.to_bytes()?,
            kept: join_list(&kept),
            segments,
        });
        desk.ledger.slice(self.slice_rows, bytes);
        self.next_slice = ordinal.saturating_add(1);
        self.slices = self.slices.saturating_add(1);
        self.slice_rows = 0;
        self.slice_bytes = 0;
        crash_point("collect.slice");
        Ok(desk.flush_if_full().await?)
    }
}

/// Refuses a row that, with what is made of it, would take up more than a job may.
fn check_widest(batch: &RecordBatch, most: u64, before: u64) -> Result<(), SiloError> {
    let Some((row, column, bytes)) = widest(batch).filter(|(.., bytes)| *bytes > most) else {
        return Ok(());
    };
    let what = format!(
        "the row takes up {bytes} bytes, more than a {TIMES_A_ROW}th of export.max_memory; set that to at least {}",
        bytes.saturating_mul(TIMES_A_ROW)
    );
    Err(SiloError::Value { row: before + row as u64 + 1, column, what })
}
