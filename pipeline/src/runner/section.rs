//! How is one section collected? Describe, read, cut into slices, encode every format, end.

use std::sync::Arc;

use antumbra_bundle::SectionContent;
use antumbra_config::OnSiloError;
use antumbra_jobs::{FileRecord, SectionEnd, SectionOutcome, SliceCommit};
use arrow_array::RecordBatch;
use tokio_util::sync::CancellationToken;

use super::collect::Collector;
use super::document::{content, defused_note, to_document};
use super::job::may_retry;
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
enum Stop {
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
    /// Collects a section to its end, whatever that is; `Ok` unless the job has to stop.
    pub(super) async fn section(&mut self, ordinal: u32) -> Result<(), PipelineError> {
        let plan = Arc::clone(&self.plan);
        let place = usize::try_from(ordinal).unwrap_or(usize::MAX);
        let planned = plan.sections.get(place).ok_or(PipelineError::Document { what: "plan" })?;
        if let Some(skipped) = &planned.skipped {
            let failed = skipped.outcome == "failed";
            let mut document = content(planned, None, &skipped.outcome);
            document.reason = Some(skipped.reason.clone());
            document.code.clone_from(&skipped.code);
            self.end_without_files(ordinal, &document, failed).await?;
            if failed && self.policy == OnSiloError::Fail {
                self.flush().await?;
                return Err(failure(planned, provider_failed(skipped)));
            }
            return Ok(());
        }
        for attempt in 1.. {
            match self.read_section(ordinal, planned).await {
                Ok(()) => return Ok(()),
                // The daemon stops or the lease is lost.
                Err(Stop::Job(PipelineError::Interrupted)) => {
                    self.put_down().await?;
                    return Err(PipelineError::Interrupted);
                }
                Err(Stop::Job(error)) => return Err(error),
                Err(Stop::Silo(SiloError::ShapeChanged)) if attempt < SHAPE_ATTEMPTS => {
                    self.forget_section(ordinal).await?;
                }
                Err(Stop::Silo(error)) => {
                    let failure = failure(planned, error.clone());
                    if self.policy == OnSiloError::Fail && may_retry(&failure, self.lease.fence) {
                        // The next lease goes on after the last slice.
                        self.put_down().await?;
                        return Err(failure);
                    }
                    self.forget_section(ordinal).await?;
                    return self.section_failed(ordinal, planned, error).await;
                }
            }
        }
        Ok(())
    }

    async fn read_section(&mut self, ordinal: u32, planned: &Planned) -> Result<(), Stop> {
        let (mut reading, mut batches) = self.open(ordinal, planned).await?;
        let before = reading.rows;
        let cancel = self.cancel.clone();
        while let Some(batch) = unless_cancelled(&cancel, async {
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
        let session = self.sessions.of(&spec.silo).await?;
        let shape = match &planned.shape {
            Some(shape) if self.fresh => shape.clone(),
            _ => unless_cancelled(&self.cancel, session.describe(spec, known)).await?,
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
        let batches = session.read(spec, &self.plan.identifiers, &shape, cursor.clone()).await?;
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
        let first = reading.rows == 0;
        let (lanes, objects, mut names) = self.lanes();
        for lane in lanes {
            let format = lane.format;
            lane.rows(&leaving, first, objects, || names.next(format)).await?;
        }
        reading.rows += rows.num_rows() as u64;
        reading.slice_rows += rows.num_rows() as u64;
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

    /// Ends a section as failed, and stops the job if that is the policy; the section is named in the status either way.
    async fn section_failed(
        &mut self,
        ordinal: u32,
        planned: &Planned,
        error: SiloError,
    ) -> Result<(), PipelineError> {
        tracing::warn!(
            job = %self.lease.job, silo = planned.spec.silo, datapoint = planned.spec.datapoint,
            code = error.code(), "section failed"
        );
        let mut document = content(planned, None, "failed");
        document.code = Some(error.code().to_owned());
        document.reason = Some(error.to_string());
        self.end_without_files(ordinal, &document, true).await?;
        if self.policy == OnSiloError::Fail {
            self.flush().await?;
            return Err(failure(planned, error));
        }
        Ok(())
    }

    async fn end_without_files(
        &mut self,
        section: u32,
        document: &SectionContent,
        failed: bool,
    ) -> Result<(), PipelineError> {
        let outcome = if failed {
            SectionOutcome::Failed
        } else {
            SectionOutcome::Done { files: Vec::new(), segments: Vec::new() }
        };
        let document = to_document(document)?;
        self.end_section(SectionEnd { section, rows: 0, outcome, document }).await
    }

    /// Drops what is pending or committed of a section, so that it can start again or end as failed.
    async fn forget_section(&mut self, ordinal: u32) -> Result<(), PipelineError> {
        for lane in &mut self.lanes {
            lane.give_up();
        }
        self.pending.give_up(ordinal);
        self.store.restart_section(&self.lease, ordinal).await?;
        let sections = self.store.sections(self.lease.job).await?;
        let committed: u64 = sections.iter().map(|section| section.rows).sum();
        self.progress.rows_collected = committed + self.pending.rows();
        Ok(())
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
            PipelineError::Encode { format, reason, .. } => {
                Self::Silo(SiloError::Settings { what: format!("no {format} of it: {reason}") })
            }
            error => Self::Job(error),
        }
    }
}

/// Waits for a silo unless the job is to stop; then the silo's session, when it is dropped, ends what it was doing.
async fn unless_cancelled<T>(
    cancel: &CancellationToken,
    answer: impl Future<Output = Result<T, SiloError>>,
) -> Result<T, Stop> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Stop::Job(PipelineError::Interrupted)),
        answer = answer => answer.map_err(Stop::Silo),
    }
}

fn entry_name(plan: &crate::plan::Plan, ordinal: u32, format: antumbra_config::Format) -> String {
    let place = usize::try_from(ordinal).unwrap_or(usize::MAX);
    let name = plan.sections.get(place).map(|section| section.spec.name()).unwrap_or_default();
    format!("{name}.{}", encode::extension(format))
}

fn failure(planned: &Planned, source: SiloError) -> PipelineError {
    let (silo, datapoint) = (planned.spec.silo.clone(), planned.spec.datapoint.clone());
    PipelineError::Section { silo, datapoint, source }
}

fn provider_failed(skipped: &crate::plan::Skipped) -> SiloError {
    SiloError::Settings { what: skipped.reason.clone() }
}

/// How often a section is begun when its shape changes under it.
const SHAPE_ATTEMPTS: u32 = 3;
