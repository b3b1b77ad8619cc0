//! How is a range of a deflated entry read as its plain bytes?

use std::ops::Range;

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress};
use futures::stream::{self, StreamExt};

use crate::pieces::ByteStream;
use crate::read::SealedReader;
use crate::{BundleError, Flush, JobObjects, Segment};

/// Streams plain bytes of deflated segments. Starts at the last flush before the range, so that about a mebibyte at
/// most is inflated for nothing.
pub(crate) fn read(objects: JobObjects, segments: Vec<Segment>, range: Range<u64>) -> ByteStream {
    let state = Inflater::new(objects, segments, range);
    stream::try_unfold(state, |mut state| async move {
        let next = state.next().await?;
        Ok(next.map(|bytes| (bytes, state)))
    })
    .boxed()
}

struct Inflater {
    reader: SealedReader,
    segments: std::vec::IntoIter<Segment>,
    inflate: Decompress,
    current: Option<Current>,
    /// Plain bytes still to be dropped before the range begins.
    skip: u64,
    /// Plain bytes still to be yielded.
    left: u64,
}

struct Current {
    segment: Segment,
    stored_at: u64,
    plain_at: u64,
    input: Bytes,
}

impl Inflater {
    fn new(objects: JobObjects, segments: Vec<Segment>, range: Range<u64>) -> Self {
        let total: u64 = segments.iter().map(|segment| segment.plain_len).sum();
        let left = range.end.min(total).saturating_sub(range.start);
        let mut segments = segments.into_iter();
        let mut skip = range.start;
        let mut current = None;
        for segment in segments.by_ref() {
            if skip >= segment.plain_len {
                skip -= segment.plain_len;
                continue;
            }
            let start = segment.flushes.iter().rev().find(|flush| flush.plain <= skip);
            let start = start.copied().unwrap_or(Flush { plain: 0, stored: 0 });
            skip -= start.plain;
            let (stored_at, plain_at) = (start.stored, start.plain);
            current = Some(Current { segment, stored_at, plain_at, input: Bytes::new() });
            break;
        }
        let inflate = Decompress::new(false);
        Self { reader: SealedReader::new(objects), segments, inflate, current, skip, left }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BundleError> {
        while self.left > 0 {
            let Some(current) = &mut self.current else {
                return Err(BundleError::Corrupt { what: "entry".to_owned() });
            };
            if current.plain_at == current.segment.plain_len {
                self.current = self.segments.next().map(|segment| Current {
                    segment,
                    stored_at: 0,
                    plain_at: 0,
                    input: Bytes::new(),
                });
                self.inflate.reset(false);
                continue;
            }
            if current.input.is_empty() {
                let want = current.segment.stored_len.saturating_sub(current.stored_at);
                if want == 0 {
                    return Err(short(&current.segment));
                }
                let at = current.segment.offset + current.stored_at;
                current.input = self.reader.read_at(&current.segment.object, at, want).await?;
                current.stored_at += current.input.len() as u64;
            }
            let output = self.inflate_some()?;
            if !output.is_empty() {
                return Ok(Some(output));
            }
        }
        Ok(None)
    }

    fn inflate_some(&mut self) -> Result<Bytes, BundleError> {
        let Some(current) = &mut self.current else { return Ok(Bytes::new()) };
        let mut output = Vec::with_capacity(OUTPUT_LEN);
        let before = self.inflate.total_in();
        self.inflate
            .decompress_vec(&current.input, &mut output, FlushDecompress::None)
            .map_err(|_| BundleError::Deflate { what: current.segment.object.clone() })?;
        let taken = usize::try_from(self.inflate.total_in() - before)
            .map_err(|_| BundleError::Limit { what: "input" })?;
        if taken == 0 && output.is_empty() {
            return Err(short(&current.segment));
        }
        current.input = current.input.split_off(taken);
        current.plain_at += output.len() as u64;
        if current.plain_at > current.segment.plain_len {
            return Err(short(&current.segment));
        }
        let output = Bytes::from(output);
        let dropped = self.skip.min(output.len() as u64);
        self.skip -= dropped;
        let kept = (output.len() as u64 - dropped).min(self.left);
        self.left -= kept;
        let start = usize::try_from(dropped).map_err(|_| BundleError::Limit { what: "output" })?;
        let len = usize::try_from(kept).map_err(|_| BundleError::Limit { what: "output" })?;
        Ok(output.slice(start..start + len))
    }
}

fn short(segment: &Segment) -> BundleError {
    BundleError::Corrupt { what: format!("segment in object {}", segment.object) }
}

const OUTPUT_LEN: usize = 64 << 10;
