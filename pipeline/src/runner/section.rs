//! How is one section collected? Describe, read, cut into slices, encode every format, end.

use std::collections::BTreeMap;
use std::sync::Arc;

use antumbra_jobs::{FileRecord, SectionEnd, SectionOutcome};
use tokio_util::sync::CancellationToken;

use super::ahead::{Opened, Read, Rows};
use super::collect::Collector;
use super::cutting::{CommittedPart, Cutting, Subject};
use super::document::{content, defused_note, to_document};
use super::records;
use crate::encode;
use crate::plan::Planned;
use crate::silo::{Batches, SectionSource};
use crate::{PipelineError, SiloError};

/// Why a section stopped.
pub(super) enum Stop {
    /// Its silo failed: the policy decides.
    Silo(SiloError),
    /// The job cannot go on.
    Job(PipelineError),
    /// What was read in parts does not make a section: it is to be read as one stream.
    Parts(&'static str),
}

impl Collector {
    /// Reads a section from its last committed slices, or from its beginning, to its end.
    pub(super) async fn read_section(
        &mut self,
        ordinal: u32,
        planned: &Planned,
    ) -> Result<(), Stop> {
        self.desk.ledger.teller.section(planned.spec.name());
        self.desk.ledger.begin();
        if is_attachment(planned) {
            return Box::pin(self.read_attachments(ordinal, planned)).await;
        }
        let Opened { lent, answer, committed } = self.opened(ordinal, planned).await?;
        // Whatever becomes of it, another try asks what is committed.
        self.begun.insert(ordinal);
        let Read { shape, rows, resumed } = match answer {
            Ok(read) => read,
            Err(error) => {
                self.sessions.give_back(lent);
                return Err(Stop::Silo(error));
            }
        };
        let mut parts = match committed {
            Some(_) if !resumed => {
                self.forget_section(ordinal).await?;
                BTreeMap::new()
            }
            committed => committed.map(|committed| committed.parts).unwrap_or_default(),
        };
        let subject = |bounds| {
            Arc::new(Subject {
                plan: Arc::clone(&self.plan),
                ordinal,
                shape,
                bounds,
                slice_key: self.slice_key.clone(),
                redact_key: self.redact_key.clone(),
                memory: self.memory.clone(),
            })
        };
        match rows {
            Rows::Stream(batches) => {
                let subject = subject(Vec::new());
                let read = self.read_stream(subject, parts.remove(&0), batches).await;
                self.sessions.give_back(lent);
                let cutting = read?;
                Ok(self.end_files(cutting, planned).await?)
            }
            Rows::Parts(bounds) => {
                let subject = subject(bounds);
                Box::pin(self.read_parts(subject, parts, lent)).await
            }
        }
    }

    /// Encodes the rows of a section, slice by slice.
    async fn read_stream(
        &mut self,
        subject: Arc<Subject>,
        committed: Option<CommittedPart>,
        batches: Batches,
    ) -> Result<Cutting, Stop> {
        let stop = self.halt.stop().clone();
        let mut cutting = Cutting::begin(&mut self.desk, subject, 0, committed).await?;
        cutting.all(&mut self.desk, batches, &stop).await?;
        Ok(cutting)
    }

    /// Ends the files of a section, and the section.
    pub(super) async fn end_files(
        &mut self,
        cutting: Cutting,
        planned: &Planned,
    ) -> Result<(), PipelineError> {
        let mut files = Vec::new();
        let mut segments = Vec::new();
        let mut defused = 0;
        let (section, slices) = (cutting.subject.ordinal, cutting.slices);
        for (format, ended) in self.desk.end_files(section, slices, cutting.rows).await? {
            defused += ended.state.defused;
            let entry = cutting.subject.entry(format);
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
                rows: Some(cutting.rows),
                deflated: ended.method == antumbra_bundle::Method::Deflated,
                plain_len: ended.state.plain_len,
                stored_len: ended.state.zip_len(ended.method),
                crc32: ended.state.crc32,
                sha256: ended.sha256,
            });
        }
        self.desk.ledger.progress().bytes_packaged +=
            segments.iter().map(|segment| segment.stored_len).sum::<u64>();
        let outcome = if cutting.rows == 0 { "empty" } else { "complete" };
        let mut document = content(planned, Some(&cutting.subject.shape), outcome);
        document.rows = cutting.rows;
        document.notes.extend(defused_note(defused));
        let schema = cutting.redactor.schema();
        cutting.redactor.tell(&mut document);
        document.columns.retain(|column| schema.field_with_name(&column.name).is_ok());
        for column in &mut document.columns {
            if let Ok(field) = schema.field_with_name(&column.name) {
                column.data_type = field.data_type().to_string();
            }
        }
        let end = SectionEnd {
            section: cutting.subject.ordinal,
            rows: cutting.rows,
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
pub(super) async fn unless_stopped<T>(
    stop: &CancellationToken,
    answer: impl Future<Output = Result<T, SiloError>>,
) -> Result<T, Stop> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Stop::Job(PipelineError::Interrupted)),
        answer = answer => answer.map_err(Stop::Silo),
    }
}

/// Says whether a section has files instead of rows.
pub(super) const fn is_attachment(planned: &Planned) -> bool {
    matches!(planned.spec.source, SectionSource::Attachment { .. })
}
