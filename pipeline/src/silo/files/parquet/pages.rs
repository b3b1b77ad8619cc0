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
    /// Why something could not be fetched: Arrow's errors do not carry it.
    failed: Mutex<Option<SiloError>>,
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
            chunks,
            most_ahead: (WINDOWS / columns).clamp(FIRST, MOST),
            failed: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
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
        let index = self.chunks.partition_point(|chunk| chunk.end <= start);
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
        Ok(Head { pages: self.clone(), at: start, piece: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.bytes(start, length as u64).map_err(|error| -> ParquetError { into_parquet(error) })
    }
}

/// Reads the head of a page.
#[derive(Debug)]
pub(super) struct Head {
    pages: Pages,
    at: u64,
    piece: Bytes,
}

impl Read for Head {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            let left = self.pages.inner.found.len.saturating_sub(self.at);
            self.piece = self.pages.bytes(self.at, HEAD.min(left)).map_err(fault::into_io)?;
            self.at += self.piece.len() as u64;
        }
        let len = buffer.len().min(self.piece.len());
        let given = self.piece.split_to(len);
        buffer.iter_mut().zip(given).for_each(|(to, from)| *to = from);
        Ok(len)
    }
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

/// What a window begins with.
const FIRST: u64 = 16 << 10;
/// What a window fetches ahead at most, and all windows of a row group together.
const MOST: u64 = 1 << 20;
const WINDOWS: u64 = 16 << 20;
/// Bytes of a page's head that are looked at together.
const HEAD: u64 = 256;
/// Bytes of a page at most.
const MAX_PAGE: u64 = 256 << 20;
