//! How is any range of a computed byte string read?

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use crate::entry::{Body, Entry};
use crate::read::SealedReader;
use crate::{BundleError, JobObjects};

/// Bytes of a bundle in order. Each was authenticated before it is yielded; an error ends the stream.
pub type ByteStream = BoxStream<'static, Result<Bytes, BundleError>>;

/// A fixed string of bytes, some of them inline and most of them sealed in objects.
#[derive(Debug, Clone)]
pub(crate) struct Pieces {
    placed: Arc<[Placed]>,
    len: u64,
}

#[derive(Debug, Clone)]
struct Placed {
    start: u64,
    len: u64,
    piece: Piece,
}

#[derive(Debug, Clone)]
enum Piece {
    Inline(Bytes),
    Sealed { object: Arc<str>, offset: u64 },
}

impl Pieces {
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Streams a range; what lies beyond the end is left out.
    pub(crate) fn read(&self, objects: JobObjects, range: Range<u64>) -> ByteStream {
        let end = range.end.min(self.len);
        let first = self.placed.partition_point(|placed| placed.start + placed.len <= range.start);
        let placed = Arc::clone(&self.placed);
        let state = (SealedReader::new(objects), placed, first, range.start);
        stream::try_unfold(state, move |(mut reader, placed, mut index, at)| async move {
            if at >= end {
                return Ok(None);
            }
            let Some(here) = placed.get(index) else {
                return Err(BundleError::Corrupt { what: "layout".to_owned() });
            };
            let skip = at - here.start;
            let want = (here.len - skip).min(end - at);
            let bytes = match &here.piece {
                Piece::Inline(bytes) => {
                    let from = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
                    let to = usize::try_from(skip + want).unwrap_or(usize::MAX).min(bytes.len());
                    bytes.slice(from..to)
                }
                Piece::Sealed { object, offset } => {
                    reader.read_at(object, offset + skip, want).await?
                }
            };
            let at = at + bytes.len() as u64;
            if at >= here.start + here.len {
                index += 1;
            }
            Ok(Some((bytes, (reader, placed, index, at))))
        })
        .boxed()
    }
}

/// Puts pieces one behind the other.
#[derive(Debug, Default)]
pub(crate) struct PiecesBuilder {
    placed: Vec<Placed>,
    len: u64,
}

impl PiecesBuilder {
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn inline(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.push(bytes.len() as u64, Piece::Inline(bytes));
    }

    /// Appends the stored bytes of an entry: what stands between its local header and the next one.
    pub(crate) fn entry(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Inline(bytes) => self.inline(bytes.clone()),
            Body::Segments(segments) => {
                for segment in segments {
                    let object = Arc::from(segment.object.as_str());
                    self.push(segment.stored_len, Piece::Sealed { object, offset: segment.offset });
                }
                self.inline(Bytes::from_static(entry.method.end()));
            }
        }
    }

    pub(crate) fn build(self) -> Pieces {
        Pieces { placed: self.placed.into(), len: self.len }
    }

    fn push(&mut self, len: u64, piece: Piece) {
        if len > 0 {
            self.placed.push(Placed { start: self.len, len, piece });
            self.len += len;
        }
    }
}
