//! How does one format get from batches into a sealed pack?

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use antumbra_bundle::{JobObjects, Method, PackWriter, Segment, SegmentWriter};
use antumbra_config::{CsvFormulas, Format};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sha2::{Digest, Sha256};

use super::state::FileState;
use crate::PipelineError;
use crate::encode::{self, EncodeError, Encoder};

/// One format of a job: its open pack, and the file of the section under way.
///
/// Each format has packs of its own: the bytes of a segment stand together, and several formats grow at once.
pub(super) struct Lane {
    pub(super) format: Format,
    level: u32,
    formulas: CsvFormulas,
    objects: JobObjects,
    names: PackNames,
    pack: Option<PackWriter>,
    file: Option<File>,
}

/// Makes names of packs that are never used twice: the fence makes them new for each lease.
#[derive(Debug, Clone)]
pub(super) struct PackNames {
    fence: u64,
    made: Arc<AtomicU32>,
}

/// The file of the section under way.
struct File {
    section: String,
    encoder: Encoder,
    writer: SegmentWriter,
    sha256: Option<Sha256>,
    state: FileState,
    out: Vec<u8>,
}

/// A file that ended.
pub(super) struct EndedFile {
    pub(super) state: FileState,
    pub(super) sha256: [u8; 32],
    pub(super) method: Method,
    /// The segment after the last slice.
    pub(super) last: Option<Segment>,
}

/// What a slice leaves in one lane.
pub(super) struct LaneSlice {
    pub(super) segment: Option<Segment>,
    pub(super) ordinal: u32,
    pub(super) kept: Vec<u8>,
}

impl Lane {
    /// Makes one that begins with no pack.
    pub(super) fn new(
        format: Format,
        (level, formulas): (u32, CsvFormulas),
        objects: &JobObjects,
        names: &PackNames,
    ) -> Self {
        let (objects, names) = (objects.clone(), names.clone());
        Self { format, level, formulas, objects, names, pack: None, file: None }
    }

    /// Returns the sealed bytes that wait for a commit.
    pub(super) fn uncommitted(&self) -> u64 {
        self.pack.as_ref().map_or(0, PackWriter::plain_len)
    }

    /// Begins, or goes on with, a section's file, or what a part of the section gives to it.
    pub(super) fn begin(
        &mut self,
        section: String,
        schema: &SchemaRef,
        state: FileState,
        part: u32,
    ) -> Result<(), PipelineError> {
        let mut encoder = Encoder::new(self.format, schema, self.formulas, state.defused)
            .map_err(|error| unencodable(&section, self.format, error))?;
        let mut out = Vec::new();
        if part > 0 {
            encoder.follow();
        } else if state.plain_len == 0 {
            encoder.prologue(&mut out);
        }
        let writer = SegmentWriter::new(encode::method(self.format), self.level);
        // What stands before a part is not known to it, so that its bytes are hashed when the whole is.
        let sha256 = if part == 0 { Some(state.hasher()?) } else { None };
        self.file = Some(File { section, encoder, writer, sha256, state, out });
        Ok(())
    }

    /// Encodes rows behind `before` rows of the file into the pack.
    pub(super) async fn rows(
        &mut self,
        batch: &RecordBatch,
        before: u64,
    ) -> Result<(), PipelineError> {
        let (format, file, pack) = self.parts().await?;
        let mut rows = file
            .encoder
            .begin(batch, before)
            .map_err(|error| unencodable(&file.section, format, error))?;
        while file.encoder.some(&mut rows, &mut file.out) {
            file.drain(pack).await?;
        }
        file.drain(pack).await
    }

    /// Ends a slice.
    pub(super) async fn end_slice(&mut self) -> Result<LaneSlice, PipelineError> {
        let (format, file, pack) = self.parts().await?;
        let kept = file
            .encoder
            .end_slice(&mut file.out)
            .map_err(|error| unencodable(&file.section, format, error))?;
        file.drain(pack).await?;
        let ordinal = file.state.next_segment;
        let segment = file.writer.finish(pack).await.map_err(PipelineError::writing)?;
        if let Some(segment) = &segment {
            file.state.add(segment);
        }
        Ok(LaneSlice { segment, ordinal, kept })
    }

    /// Returns how far the file is, as it is stored with a slice.
    pub(super) fn state(&self) -> FileState {
        self.file.as_ref().map_or_else(FileState::default, |file| {
            let mut state = file.state.clone();
            if let Some(sha256) = &file.sha256 {
                state.keep(sha256);
            }
            state.defused = file.encoder.defused();
            state
        })
    }

    /// Begins the end of a file of so many slices and rows.
    pub(super) async fn begin_end(&mut self, slices: u32, rows: u64) -> Result<(), PipelineError> {
        let (format, file, _) = self.parts().await?;
        file.encoder
            .begin_end(usize::try_from(slices).unwrap_or(usize::MAX), rows, &mut file.out)
            .map_err(|error| unencodable(&file.section, format, error))
    }

    /// Writes what the file's end says of its next slice, which left `kept`.
    pub(super) async fn in_end(&mut self, kept: &[u8]) -> Result<(), PipelineError> {
        let (format, file, pack) = self.parts().await?;
        file.encoder
            .in_end(kept, &mut file.out)
            .map_err(|error| unencodable(&file.section, format, error))?;
        file.drain(pack).await
    }

    /// Ends the file, all of whose slices were named.
    pub(super) async fn end(&mut self) -> Result<EndedFile, PipelineError> {
        let (format, file, pack) = self.parts().await?;
        file.encoder
            .end(&mut file.out)
            .map_err(|error| unencodable(&file.section, format, error))?;
        file.drain(pack).await?;
        let last = file.writer.finish(pack).await.map_err(PipelineError::writing)?;
        let mut state = file.state.clone();
        state.defused = file.encoder.defused();
        let sha256 = file.sha256.take().unwrap_or_default().finalize().into();
        if let Some(segment) = &last {
            state.add(segment);
        }
        self.file = None;
        Ok(EndedFile { state, sha256, method: encode::method(format), last })
    }

    /// Gives the section's file up; what it wrote into the pack is never named.
    pub(super) fn give_up(&mut self) {
        self.file = None;
    }

    /// Takes the open pack, to be finished; the next write opens a new one.
    pub(super) fn take_pack(&mut self) -> Option<PackWriter> {
        self.pack.take()
    }

    async fn parts(&mut self) -> Result<(Format, &mut File, &mut PackWriter), PipelineError> {
        if self.pack.is_none() {
            let pack = PackWriter::create(&self.objects, self.names.next(self.format)).await;
            self.pack = Some(pack.map_err(PipelineError::writing)?);
        }
        match (&mut self.file, &mut self.pack) {
            (Some(file), Some(pack)) => Ok((self.format, file, pack)),
            _ => Err(PipelineError::Document { what: "lane" }),
        }
    }
}

impl PackNames {
    /// Begins with the first name under a lease.
    pub(super) fn new(fence: u64) -> Self {
        Self { fence, made: Arc::default() }
    }

    fn next(&self, format: Format) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{:04}-{number:05}-{}", self.fence, format.as_str().to_lowercase())
    }
}

impl File {
    async fn drain(&mut self, pack: &mut PackWriter) -> Result<(), PipelineError> {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(&self.out);
        }
        self.writer.write(&self.out, pack).await.map_err(PipelineError::writing)?;
        if self.out.capacity() > MOST_KEPT {
            self.out = Vec::new();
        }
        self.out.clear();
        Ok(())
    }
}

/// Bytes that are kept for the next rows. A slice of usual rows has them, as Parquet.
const MOST_KEPT: usize = 8 << 20;

fn unencodable(section: &str, format: Format, error: EncodeError) -> PipelineError {
    let (reason, place) = match error {
        EncodeError::Format(reason) => (reason, None),
        EncodeError::Value { row, column, what } => (what.to_owned(), Some((row, column))),
    };
    PipelineError::Encode { section: section.to_owned(), format: format.as_str(), reason, place }
}
