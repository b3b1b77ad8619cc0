//! How do the parts of a section become its files? Lengths and checksums are combined; hashes are not, so that what the first part
//! has not hashed is read once more, as whoever gets the file will read it.

use std::sync::Arc;

use antumbra_bundle::{BundleError, ContentEncoding, JobObjects, ReadableEntry};
use antumbra_config::Format;
use antumbra_jobs::{PART_SLICES, SegmentRecord};
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::collect::Collector;
use super::cutting::{CommittedPart, Cutting, Subject};
use super::records;
use super::section::Stop;
use super::state::FileState;
use crate::{PipelineError, crash_point, encode};

impl Collector {
    /// Ends a section whose parts are all committed to their ends.
    pub(super) async fn join_parts(&mut self, subject: Arc<Subject>) -> Result<(), Stop> {
        let committed = self.committed(subject.ordinal).await?;
        let mut parts = committed.map(|committed| committed.parts).unwrap_or_default();
        let first = parts.remove(&0);
        if first.is_none() && !parts.is_empty() {
            // Its rows are gone since another run bounded it, and nothing stands where the files begin.
            return Err(Stop::Parts("no row in the first part"));
        }
        let mut withheld = Vec::new();
        let joined = match first {
            Some(mut joined) => {
                for part in parts.into_values() {
                    withheld.push(join(&mut joined, part));
                }
                let ends =
                    u32::try_from(subject.bounds.len()).unwrap_or(u32::MAX).saturating_add(1);
                for file in &mut joined.state.files {
                    file.next_segment = ends.saturating_mul(PART_SLICES);
                }
                self.hash(&subject, &mut joined.state.files).await?;
                Some(joined)
            }
            None => None,
        };
        crash_point("collect.joined");
        let planned = subject.planned()?;
        let cutting = Cutting::begin(&mut self.desk, Arc::clone(&subject), 0, joined);
        let mut cutting = cutting.await?;
        for counts in withheld {
            cutting.redactor.add(counts);
        }
        Ok(self.end_files(cutting, planned).await?)
    }

    /// Takes the hash of each file up to where its last part ends; the files are read at the same time.
    async fn hash(
        &mut self,
        subject: &Subject,
        files: &mut [FileState],
    ) -> Result<(), PipelineError> {
        let mut reading = Vec::new();
        for (format, file) in self.lane_maker.formats.iter().zip(files.iter()) {
            let entry = subject.entry(*format);
            let segments = self.desk.store.segments(self.desk.lease.job, &entry).await?;
            let behind = segments.into_iter().filter(|segment| segment.ordinal >= PART_SLICES);
            let rest = Rest {
                format: *format,
                entry,
                segments: behind.collect(),
                objects: self.lane_maker.objects.clone(),
            };
            let task = rest.hash(file.hasher()?, self.halt.stop().clone());
            reading.push(AbortOnDropHandle::new(self.ahead.tasks.spawn(task)));
        }
        for (file, hashed) in files.iter_mut().zip(reading) {
            let hashed = hashed.await.map_err(|_| PipelineError::Document { what: "segment" })?;
            file.keep(&hashed?);
        }
        Ok(())
    }
}

/// Puts a part behind those before it, and returns what was withheld of it.
fn join(joined: &mut CommittedPart, part: CommittedPart) -> Vec<u64> {
    joined.state.rows += part.state.rows;
    for (file, follows) in joined.state.files.iter_mut().zip(&part.state.files) {
        file.follow(follows);
    }
    joined.slices = joined.slices.saturating_add(part.slices);
    part.state.withheld
}

/// The segments of a file that are not hashed.
struct Rest {
    format: Format,
    entry: String,
    segments: Vec<SegmentRecord>,
    objects: JobObjects,
}

impl Rest {
    /// Reads them, authenticated and inflated, and compares their length and checksum with what was recorded.
    async fn hash(
        self,
        mut sha256: Sha256,
        stop: CancellationToken,
    ) -> Result<Sha256, PipelineError> {
        let corrupt = || BundleError::Corrupt { what: format!("entry {}", self.entry) };
        let method = encode::method(self.format);
        let entry = records::of_segments(&self.entry, method, self.segments);
        let (plain_len, crc32) = (entry.plain_len, entry.crc32);
        let entry = ReadableEntry::new(entry);
        let read = entry.read(&self.objects, ContentEncoding::Identity, 0..plain_len);
        let mut bytes = read.ok_or_else(corrupt)?;
        let mut crc = crc32fast::Hasher::new();
        let mut len = 0;
        loop {
            let piece = tokio::select! {
                biased;
                () = stop.cancelled() => return Err(PipelineError::Interrupted),
                piece = bytes.try_next() => piece?,
            };
            let Some(piece) = piece else { break };
            sha256.update(&piece);
            crc.update(&piece);
            len += piece.len() as u64;
        }
        if len != plain_len || crc.finalize() != crc32 {
            return Err(corrupt().into());
        }
        Ok(sha256)
    }
}
