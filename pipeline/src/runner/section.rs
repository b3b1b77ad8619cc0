//! How is one section collected? Describe, read, cut into slices, encode every format, end.

use std::sync::Arc;

use antumbra_jobs::{FileRecord, SectionEnd, SectionOutcome, SliceCommit};
use arrow_array::RecordBatch;
use tokio_util::sync::CancellationToken;

use super::collect::Collector;
use super::document::{content, defused_note, to_document};
use super::records;
use super::state::SectionState;
use super::stored::{join_list, read_cursor, split_list, write_cursor};
use crate::encode;
use crate::plan::Planned;
use crate::redact::Redactor;
use crate::silo::{Cursor, Shape};
use crate::slice::Slicer;
use crate::{PipelineError, SiloError, crash_point};

/// Why a section stopped.
pub(super) enum Stop {
    /// Its silo failed: the policy decides.
    Silo(SiloError),
    /// The job cannot go on.
    Job(PipelineError),
}

/// A section being read.
struct Reading {
    ordinal: u32,
    shape: Shape,
    slicer: Slicer,
    redactor: Redactor,
    /// Rows of the section, this slice's included.
    rows: u64,
    slice_rows: u64,
    next_slice: u32,
    /// The key of the last row that was encoded.
    cursor: Cursor,
    /// What each slice left, for each lane.
    kept: Vec<Vec<Vec<u8>>>,
}

impl Collector {
    /// Reads a section from its last committed slice, or from its beginning, to its end.
    pub(super) async fn read_section(
        &mut self,
        ordinal: u32,
        planned: &Planned,
    ) -> Result<(), Stop> {
        self.teller.section(planned.spec.name());
        let (mut reading, mut batches) = self.open(ordinal, planned).await?;
        let before = reading.rows;
        let stop = self.halt.stop().clone();
        while let Some(batch) = unless_stopped(&stop, async {
            batches.next().await.map_err(|error| error.after(before))
        })
        .await?
        {
            crash_point("collect.batch");
            let (starts_with_cut, runs) = reading.slicer.split(&batch);
            for (index, (offset, len)) in runs.into_iter().enumerate() {
                if index > 0 || starts_with_cut {
                    self.end_slice(&mut reading).await?;
                }
                self.encode(&mut reading, &batch.slice(offset, len)).await?;
            }
        }
        if reading.slice_rows > 0 {
            self.end_slice(&mut reading).await?;
        }
        Ok(self.end_files(reading, planned).await?)
    }

    /// Describes the section and starts reading where its last committed slice ended, or at its beginning.
    async fn open(
        &mut self,
        ordinal: u32,
        planned: &Planned,
    ) -> Result<(Reading, crate::silo::Batches), Stop> {
        let spec = &planned.spec;
        let known = &self.plan.identifiers;
        let session = unless_stopped(self.halt.stop(), self.sessions.of(&spec.silo)).await?;
        let shape = match &planned.shape {
            Some(shape) if self.fresh && !self.reconnected.contains(&spec.silo) => shape.clone(),
            _ => unless_stopped(self.halt.stop(), session.describe(spec, known)).await?,
        };
        let slices =
            self.store.slices(self.lease.job, ordinal).await.map_err(PipelineError::from)?;
        let mut state = None;
        let mut cursor = None;
        let mut kept = vec![Vec::new(); self.lanes.len()];
        if let Some(last) = slices.last() {
            let last_state = SectionState::from_bytes(&last.state)?;
            if !shape.keyed || !last_state.shape.same_columns(&shape) {
                self.forget_section(ordinal).await?;
            } else {
                cursor = Some(read_cursor(&last.cursor)?);
                for slice in &slices {
                    let parts = split_list(&slice.kept)?;
                    for (lane, part) in kept.iter_mut().zip(parts) {
                        lane.push(part);
                    }
                }
                state = Some((last_state, last.ordinal + 1));
            }
        }
        let withheld = state.as_ref().map(|(state, _)| state.withheld.clone());
        let redactor =
            Redactor::new(&shape.schema(), &planned.redactions, &self.redact_key, withheld)
                .map_err(|column| {
                    let what = format!("column {column}, which is to be redacted,");
                    SiloError::Missing { what }
                })?;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let file = state.as_ref().and_then(|(state, _)| state.files.get(index).cloned());
            lane.begin(spec.name(), redactor.schema(), file.unwrap_or_default())?;
        }
        let session = self.sessions.of(&spec.silo).await?;
        let reading = session.read(spec, &self.plan.identifiers, &shape, cursor.clone());
        let batches = unless_stopped(self.halt.stop(), reading).await?;
        let (rows, next_slice) = state.map_or((0, 0), |(state, next)| (state.rows, next));
        let slicer = Slicer::new(&self.slice_key, &shape);
        let cursor = cursor.unwrap_or(Cursor(Vec::new()));
        let reading = Reading {
            ordinal,
            shape,
            slicer,
            redactor,
            rows,
            slice_rows: 0,
            next_slice,
            cursor,
            kept,
        };
        Ok((reading, batches))
    }

    async fn encode(&mut self, reading: &mut Reading, rows: &RecordBatch) -> Result<(), Stop> {
        let Some(last) = rows.num_rows().checked_sub(1) else { return Ok(()) };
        reading.cursor = reading.slicer.cursor(rows, last);
        let leaving = reading.redactor.apply(rows).map_err(|error| {
            Stop::Silo(SiloError::Settings { what: format!("cannot redact: {error}") })
        })?;
        let before = reading.rows;
        let (lanes, objects, mut names) = self.lanes();
        for lane in lanes {
            let format = lane.format;
            lane.rows(&leaving, before, objects, || names.next(format)).await?;
        }
        reading.rows += rows.num_rows() as u64;
        reading.slice_rows += rows.num_rows() as u64;
        self.teller.rows(&self.progress, reading.slice_rows);
        Ok(())
    }

    async fn end_slice(&mut self, reading: &mut Reading) -> Result<(), PipelineError> {
        let plan = Arc::clone(&self.plan);
        let mut segments = Vec::new();
        let mut kept = Vec::new();
        let mut files = Vec::new();
        let mut bytes = 0;
        let (lanes, objects, mut names) = self.lanes();
        for (lane, kept_before) in lanes.iter_mut().zip(&mut reading.kept) {
            let format = lane.format;
            let slice = lane.end_slice(objects, || names.next(format)).await?;
            if let Some(segment) = slice.segment {
                bytes += segment.stored_len;
                let entry = entry_name(&plan, reading.ordinal, format);
                segments.push(records::to_record(&entry, slice.ordinal, segment));
            }
            kept_before.push(slice.kept.clone());
            kept.push(slice.kept);
            files.push(lane.state());
        }
        let state = SectionState {
            shape: reading.shape.clone(),
            rows: reading.rows,
            withheld: reading.redactor.counts().to_vec(),
            files,
        };
        self.pending.slice(SliceCommit {
            section: reading.ordinal,
            ordinal: reading.next_slice,
            rows: reading.slice_rows,
            cursor: write_cursor(&reading.cursor)?,
            state: state.to_bytes()?,
            kept: join_list(&kept),
            segments,
        });
        self.progress.rows_collected += reading.slice_rows;
        self.progress.bytes_packaged += bytes;
        reading.next_slice += 1;
        reading.slice_rows = 0;
        crash_point("collect.slice");
        self.flush_if_full().await
    }

    async fn end_files(
        &mut self,
        reading: Reading,
        planned: &Planned,
    ) -> Result<(), PipelineError> {
        let plan = Arc::clone(&self.plan);
        let mut files = Vec::new();
        let mut segments = Vec::new();
        let mut defused = 0;
        let (lanes, objects, mut names) = self.lanes();
        for (lane, kept) in lanes.iter_mut().zip(&reading.kept) {
            let format = lane.format;
            let ended = lane.end(kept, objects, || names.next(format)).await?;
            defused += ended.state.defused;
            let entry = entry_name(&plan, reading.ordinal, format);
            if let Some(segment) = ended.last {
                let ordinal = ended.state.next_segment.saturating_sub(1);
                segments.push(records::to_record(&entry, ordinal, segment));
            }
            files.push(FileRecord {
                entry,
                silo: planned.spec.silo.clone(),
                datapoint: planned.spec.datapoint.clone(),
                format: format.as_str().to_owned(),
                media_type: encode::media_type(format).to_owned(),
                rows: Some(reading.rows),
                deflated: ended.method == antumbra_bundle::Method::Deflated,
                plain_len: ended.state.plain_len,
                stored_len: ended.state.zip_len(ended.method),
                crc32: ended.state.crc32,
                sha256: ended.sha256,
            });
        }
        self.progress.bytes_packaged +=
            segments.iter().map(|segment| segment.stored_len).sum::<u64>();
        let outcome = if reading.rows == 0 { "empty" } else { "complete" };
        let mut document = content(planned, Some(&reading.shape), outcome);
        document.rows = reading.rows;
        document.notes.extend(defused_note(defused));
        for (redaction, count) in document.redactions.iter_mut().zip(reading.redactor.counts()) {
            redaction.values = *count;
        }
        document
            .columns
            .retain(|column| reading.redactor.schema().field_with_name(&column.name).is_ok());
        for column in &mut document.columns {
            if let Ok(field) = reading.redactor.schema().field_with_name(&column.name) {
                column.data_type = field.data_type().to_string();
            }
        }
        let end = SectionEnd {
            section: reading.ordinal,
            rows: reading.rows,
            outcome: SectionOutcome::Done { files, segments },
            document: to_document(&document)?,
        };
        self.end_section(end).await
    }
}

impl From<SiloError> for Stop {
    fn from(error: SiloError) -> Self {
        Self::Silo(error)
    }
}

impl From<PipelineError> for Stop {
    fn from(error: PipelineError) -> Self {
        match error {
            // What one section's rows cannot be written as is that section's fault.
            PipelineError::Encode { format, reason, place, .. } => {
                let what = format!("no {format} of it: {reason}");
                Self::Silo(match place {
                    Some((row, column)) => SiloError::Value { row, column, what },
                    None => SiloError::Settings { what },
                })
            }
            error => Self::Job(error),
        }
    }
}

/// Waits for a silo unless the job is to stop; then the silo's session, when it is dropped, ends what it was doing.
async fn unless_stopped<T>(
    stop: &CancellationToken,
    answer: impl Future<Output = Result<T, SiloError>>,
) -> Result<T, Stop> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Stop::Job(PipelineError::Interrupted)),
        answer = answer => answer.map_err(Stop::Silo),
    }
}

fn entry_name(plan: &crate::plan::Plan, ordinal: u32, format: antumbra_config::Format) -> String {
    let place = usize::try_from(ordinal).unwrap_or(usize::MAX);
    let name = plan.sections.get(place).map(|section| section.spec.name()).unwrap_or_default();
    format!("{name}.{}", encode::extension(format))
}
