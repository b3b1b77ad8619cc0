//! How are the pages of a row group fetched as they are needed, so that no column chunk is held as a whole?

use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::super::fault;
use super::super::job::Job;
use super::super::place::Found;
use super::file::{UNREADABLE, into_parquet};
use crate::SiloError;

/// Reads a row group on a blocking thread. Copies share what they hold.
///
/// Of each column chunk one window is held. It grows while the chunk is read on and is small again after a jump: pages that are
/// left out are not fetched, and a bucket is not asked for every page of the others.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    job: Job,
    found: Found,
    /// Where the column chunks are, ascending.
    chunks: Vec<Range<u64>>,
    /// What a window fetches ahead at most.
    most_ahead: u64,
    windows: Mutex<Vec<Window>>,
    taken: Mutex<Taken>,
    /// Why something could not be fetched: Arrow's errors do not carry it.
    failed: Mutex<Option<SiloError>>,
}

/// The pages that a batch comes from.
#[derive(Debug, Default)]
struct Taken {
    /// Whether they may be too much.
    limited: bool,
    too_much: bool,
    /// Of each column chunk.
    chunks: Vec<OfChunk>,
    /// Plain bytes of pages beyond those that every column has anyway.
    more: u64,
}

#[derive(Debug, Clone, Default)]
struct OfChunk {
    /// What the head that was read last says of its page.
    plain_len: Option<u64>,
    pages: u32,
}

#[derive(Debug, Clone, Default)]
struct Window {
    start: u64,
    bytes: Bytes,
    ahead: u64,
}

impl Pages {
    /// Makes a reader of a row group of a file, unless its footer says what cannot be.
    pub(super) fn of(
        job: &Job,
        found: &Found,
        group: &RowGroupMetaData,
    ) -> Result<Self, SiloError> {
        let chunks: Option<Vec<Range<u64>>> = group.columns().iter().map(chunk).collect();
        let mut chunks = chunks
            .filter(|chunks| chunks.iter().all(|chunk| chunk.end <= found.len))
            .ok_or_else(|| SiloError::Corrupt { reason: UNREADABLE.to_owned() })?;
        chunks.sort_unstable_by_key(|chunk| chunk.start);
        let columns = u64::try_from(chunks.len()).unwrap_or(u64::MAX).max(1);
        let inner = Inner {
            job: job.clone(),
            found: found.clone(),
            windows: Mutex::new(vec![Window::default(); chunks.len()]),
            taken: Mutex::default(),
            chunks,
            most_ahead: (WINDOWS / columns).clamp(FIRST, MOST),
            failed: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Begins with the pages of another batch. `limited`: if they are very large, reading fails, and [`too_much`](Self::too_much)
    /// says so.
    pub(super) fn begin(&self, limited: bool) {
        let chunks = vec![OfChunk::default(); self.inner.chunks.len()];
        *held(&self.inner.taken) = Taken { limited, chunks, ..Taken::default() };
    }

    /// Says whether reading failed because the batch comes from pages that are too much together.
    pub(super) fn too_much(&self) -> bool {
        held(&self.inner.taken).too_much
    }

    /// Notes what a page's head says, until the page is read.
    fn note_head(&self, start: u64, head: &[u8]) {
        if let Some(chunk) = held(&self.inner.taken).chunks.get_mut(self.inner.chunk(start)) {
            chunk.plain_len = plain_len(head);
        }
    }

    /// Counts a page that is read, with or without its head.
    fn count(&self, start: u64, page: &[u8]) -> Result<(), ParquetError> {
        let mut taken = held(&self.inner.taken);
        let Some(chunk) = taken.chunks.get_mut(self.inner.chunk(start)) else { return Ok(()) };
        let plain = chunk.plain_len.take().or_else(|| plain_len(page)).unwrap_or_default();
        chunk.pages += 1;
        if chunk.pages > USUAL_PAGES {
            taken.more = taken.more.saturating_add(plain.max(page.len() as u64));
        }
        if taken.limited && taken.more > MOST_MORE {
            taken.too_much = true;
            return Err(ParquetError::General("a batch of very large rows".to_owned()));
        }
        Ok(())
    }

    /// Returns why the last fetch failed, once.
    pub(super) fn failed(&self) -> Option<SiloError> {
        held(&self.inner.failed).take()
    }

    /// Returns bytes of a chunk.
    fn bytes(&self, start: u64, len: u64) -> Result<Bytes, SiloError> {
        let inner = &*self.inner;
        let read = inner.bytes(start, len);
        if let Err(error) = &read {
            *held(&inner.failed) = Some(error.clone());
        }
        read
    }
}

impl Inner {
    fn bytes(&self, start: u64, len: u64) -> Result<Bytes, SiloError> {
        if len > MAX_PAGE {
            let reason = "a page of it is longer than 256 MiB".to_owned();
            return Err(SiloError::Corrupt { reason });
        }
        let end = start.saturating_add(len);
        let index = self.chunk(start);
        let mut windows = held(&self.windows);
        let (Some(chunk), Some(window)) = (self.chunks.get(index), windows.get_mut(index)) else {
            drop(windows);
            return self.fetch(start..end);
        };
        let window_end = window.start + window.bytes.len() as u64;
        let goes_on = (window.start..=window_end).contains(&start) && !window.bytes.is_empty();
        let kept = match usize::try_from(start.saturating_sub(window.start)) {
            Ok(from) if goes_on => window.bytes.slice(from..),
            _ => Bytes::new(),
        };
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        if let Some(found) = kept.get(..wanted) {
            return Ok(kept.slice_ref(found));
        }
        window.ahead = if goes_on { (window.ahead * 2).min(self.most_ahead) } else { FIRST };
        let from = start + kept.len() as u64;
        let to = end.max((from + window.ahead).min(chunk.end));
        let fetched = self.fetch(from..to)?;
        let bytes = if kept.is_empty() {
            fetched
        } else {
            let mut both = BytesMut::with_capacity(kept.len() + fetched.len());
            both.extend_from_slice(&kept);
            both.extend_from_slice(&fetched);
            both.freeze()
        };
        *window = Window { start, bytes: bytes.clone(), ahead: window.ahead };
        bytes.get(..wanted).map(|found| bytes.slice_ref(found)).ok_or_else(fault::changed)
    }

    /// Returns which column chunk a place is in.
    fn chunk(&self, start: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk.end <= start)
    }

    fn fetch(&self, range: Range<u64>) -> Result<Bytes, SiloError> {
        let job = &self.job;
        job.stop.wait(&job.handle, job.place.range(&self.found, range))
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.inner.found.len
    }
}

impl ChunkReader for Pages {
    type T = Head;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Head> {
        Ok(Head { pages: self.clone(), at: start, piece: Bytes::new(), begun: false })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let read = self.bytes(start, length as u64);
        let page = read.map_err(|error| -> ParquetError { into_parquet(error) })?;
        self.count(start, &page)?;
        Ok(page)
    }
}

/// Reads the head of a page.
#[derive(Debug)]
pub(super) struct Head {
    pages: Pages,
    at: u64,
    piece: Bytes,
    /// Not at the beginning any more.
    begun: bool,
}

impl Read for Head {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            let left = self.pages.inner.found.len.saturating_sub(self.at);
            self.piece = self.pages.bytes(self.at, HEAD.min(left)).map_err(fault::into_io)?;
            if !std::mem::replace(&mut self.begun, true) {
                self.pages.note_head(self.at, &self.piece);
            }
            self.at += self.piece.len() as u64;
        }
        let len = buffer.len().min(self.piece.len());
        let given = self.piece.split_to(len);
        buffer.iter_mut().zip(given).for_each(|(to, from)| *to = from);
        Ok(len)
    }
}

/// Returns the plain bytes of a page by its head, of which the second member says it ([parquet.thrift], `PageHeader`).
///
/// [parquet.thrift]: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
fn plain_len(head: &[u8]) -> Option<u64> {
    let (_, rest) = number(head.strip_prefix(&[NEXT_I32])?)?;
    let (len, _) = number(rest.strip_prefix(&[NEXT_I32])?)?;
    // Zigzag.
    Some(len >> 1)
}

/// Reads a number in groups of seven bits, the lowest first.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let len = bytes.iter().take(5).position(|byte| *byte < 0x80)? + 1;
    let (groups, rest) = bytes.split_at_checked(len)?;
    let add = |number: u64, group: &u8| number << 7 | u64::from(group & 0x7f);
    Some((groups.iter().rev().fold(0, add), rest))
}

/// Where a column chunk is; `None` if it cannot be there. Parquet's own function takes for granted that it can.
fn chunk(column: &ColumnChunkMetaData) -> Option<Range<u64>> {
    u64::try_from(column.data_page_offset()).ok()?;
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let start = u64::try_from(start).ok()?;
    Some(start..start.checked_add(u64::try_from(column.compressed_size()).ok()?)?)
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A member of a Thrift structure, the next after the one before: a number of 32 bits.
const NEXT_I32: u8 = 0x15;
/// Pages that a batch comes from anyway, of each column: with its dictionary.
const USUAL_PAGES: u32 = 2;
/// Plain bytes of other pages that a batch of several rows may come from: far more than those of usual rows are.
const MOST_MORE: u64 = 16 << 20;
/// What a window begins with.
const FIRST: u64 = 16 << 10;
/// What a window fetches ahead at most, and all windows of a row group together.
const MOST: u64 = 1 << 20;
const WINDOWS: u64 = 16 << 20;
/// Bytes of a page's head that are looked at together.
const HEAD: u64 = 256;
/// Bytes of a page at most.
const MAX_PAGE: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_how_long_it_is() {
        // A data page of 300 plain bytes, 77 as it stands.
        assert_eq!(plain_len(&[0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x9a, 0x01]), Some(300));
        assert_eq!(plain_len(&[0x15, 0x04, 0x15, 0x0e]), Some(7));
        for cut in [&[][..], &[0x15], &[0x15, 0x00, 0x15, 0xd8], &[0x16, 0x00, 0x15, 0x02]] {
            assert_eq!(plain_len(cut), None, "{cut:?}");
        }
    }
}
