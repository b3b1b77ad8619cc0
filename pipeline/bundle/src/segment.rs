//! What is a segment, and how are plain bytes turned into one?
//!
//! Deflated segments follow RFC 1951: no block sets BFINAL, the first byte is coded with an empty dictionary, the last
//! block is an empty stored one (a full flush), and about every mebibyte there is another full flush, whose place
//! is indexed. So segments can be joined in any number, and reading can start at any flush.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::deflate::Deflater;
use crate::entry::Method;
use crate::{BundleError, PackWriter};

/// A place in a segment from which inflating can start with an empty dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flush {
    /// Offset in the segment's plain bytes.
    pub plain: u64,
    /// Offset in the segment's stored bytes.
    pub stored: u64,
}

/// A sealed piece of an entry: `stored_len` bytes at `offset` of the plaintext of `object`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The sealed object that holds it.
    pub object: String,
    /// Where it starts in the object's plaintext.
    pub offset: u64,
    /// Its length there.
    pub stored_len: u64,
    /// Its length as the reader of the file sees it.
    pub plain_len: u64,
    /// CRC-32 of its plain bytes.
    pub crc32: u32,
    /// Where inflating can start inside it, ascending.
    pub flushes: Vec<Flush>,
}

/// Writes one segment into a pack.
///
/// Only one segment at a time can be written into a pack: its bytes are contiguous.
pub struct SegmentWriter {
    coder: Coder,
    /// Plain bytes since the last flush that wait for the next one ([`Coder::Fast`]), or what zlib made of them.
    buffer: Vec<u8>,
    crc: crc32fast::Hasher,
    offset: u64,
    plain_len: u64,
    stored_len: u64,
    since_flush: u64,
    flushes: Vec<Flush>,
}

/// What makes stored bytes of plain ones.
enum Coder {
    /// Nothing: they are the same.
    Stored,
    /// Level 1: all bytes up to a flush at once.
    Fast(Box<Deflater>),
    /// The other levels.
    Zlib(Box<Compress>),
}

impl SegmentWriter {
    /// Makes a writer for entries of `method`; `level` is deflate's, 0 to 9 (ignored for stored bytes). Holds at most about
    /// three mebibytes of memory.
    #[must_use]
    pub fn new(method: Method, level: u32) -> Self {
        let coder = match (method, level) {
            (Method::Stored, _) => Coder::Stored,
            (Method::Deflated, FAST) => Coder::Fast(Box::new(Deflater::new())),
            (Method::Deflated, level) => {
                Coder::Zlib(Box::new(Compress::new(Compression::new(level.min(9)), false)))
            }
        };
        Self {
            coder,
            buffer: Vec::new(),
            crc: crc32fast::Hasher::new(),
            offset: 0,
            plain_len: 0,
            stored_len: 0,
            since_flush: 0,
            flushes: Vec::new(),
        }
    }

    /// Returns the plain bytes of the segment so far.
    #[must_use]
    pub const fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// Appends plain bytes.
    ///
    /// # Errors
    /// As [`PackWriter::write`], and [`BundleError::Deflate`].
    pub async fn write(
        &mut self,
        mut plain: &[u8],
        pack: &mut PackWriter,
    ) -> Result<(), BundleError> {
        if self.plain_len == 0 {
            self.offset = pack.plain_len();
        }
        self.crc.update(plain);
        if matches!(self.coder, Coder::Stored) {
            self.plain_len += plain.len() as u64;
            self.stored_len += plain.len() as u64;
            return pack.write(plain).await;
        }
        while !plain.is_empty() {
            let room = usize::try_from(FLUSH_EVERY - self.since_flush).unwrap_or(usize::MAX);
            let (now, later) = plain.split_at(room.min(plain.len()));
            plain = later;
            self.since_flush += now.len() as u64;
            self.plain_len += now.len() as u64;
            let flush = self.since_flush == FLUSH_EVERY;
            self.compress(now, flush, pack).await?;
            if flush {
                self.since_flush = 0;
                self.flushes.push(Flush { plain: self.plain_len, stored: self.stored_len });
            }
        }
        Ok(())
    }

    /// Ends the segment and makes the writer ready for the next one. `None` if nothing was written.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn finish(&mut self, pack: &mut PackWriter) -> Result<Option<Segment>, BundleError> {
        if self.plain_len == 0 {
            return Ok(None);
        }
        if self.since_flush > 0 {
            self.compress(&[], true, pack).await?;
        }
        // A flush at the very end starts nothing.
        if self.flushes.last().is_some_and(|flush| flush.plain == self.plain_len) {
            self.flushes.pop();
        }
        let segment = Segment {
            object: pack.object().to_owned(),
            offset: self.offset,
            stored_len: self.stored_len,
            plain_len: self.plain_len,
            crc32: std::mem::take(&mut self.crc).finalize(),
            flushes: std::mem::take(&mut self.flushes),
        };
        self.plain_len = 0;
        self.stored_len = 0;
        self.since_flush = 0;
        if let Coder::Zlib(deflate) = &mut self.coder {
            deflate.reset();
        }
        Ok(Some(segment))
    }

    async fn compress(
        &mut self,
        plain: &[u8],
        flush: bool,
        pack: &mut PackWriter,
    ) -> Result<(), BundleError> {
        match &mut self.coder {
            Coder::Stored => Ok(()),
            Coder::Fast(deflater) => {
                // What comes at once need not be gathered.
                let whole = flush && self.buffer.is_empty();
                if !whole {
                    self.buffer.extend_from_slice(plain);
                }
                if !flush {
                    return Ok(());
                }
                let stored = deflater.piece(if whole { plain } else { &self.buffer });
                self.stored_len += stored.len() as u64;
                pack.write(stored).await?;
                self.buffer.clear();
                Ok(())
            }
            Coder::Zlib(deflate) => {
                deflate_into(deflate, plain, flush, &mut self.buffer)
                    .ok_or_else(|| BundleError::Deflate { what: pack.object().to_owned() })?;
                self.stored_len += self.buffer.len() as u64;
                pack.write(&self.buffer).await
            }
        }
    }
}

/// Deflates all of `plain` into `buffer`; `None` if the compressor failed.
fn deflate_into(
    deflate: &mut Compress,
    mut plain: &[u8],
    flush: bool,
    buffer: &mut Vec<u8>,
) -> Option<()> {
    let mode = if flush { FlushCompress::Full } else { FlushCompress::None };
    buffer.clear();
    loop {
        buffer.reserve(BUFFER_LEN);
        let before = deflate.total_in();
        let status = deflate.compress_vec(plain, buffer, mode).ok()?;
        plain = plain.get(usize::try_from(deflate.total_in() - before).ok()?..)?;
        // Done when all input is taken and the compressor left room: it has nothing more to say.
        if plain.is_empty() && buffer.len() < buffer.capacity() {
            return Some(());
        }
        if status == Status::StreamEnd {
            return None;
        }
    }
}

impl fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentWriter")
            .field("plain_len", &self.plain_len)
            .field("stored_len", &self.stored_len)
            .finish_non_exhaustive()
    }
}

/// Plain bytes between two flushes: what a range read inflates at most to reach its first byte.
const FLUSH_EVERY: u64 = 1 << 20;
/// The level that is ours, the default.
const FAST: u32 = 1;
const BUFFER_LEN: usize = 64 << 10;
