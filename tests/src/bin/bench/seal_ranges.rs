//! How long does a range of 64 KiB of a sealed object of 1 GiB take, and is any chunk opened that it does not touch?
//!
//! Through the reader that answers downloads, from a directory. The file is in the page cache, as it was just written.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use antumbra_bundle::{
    ContentEncoding, Entry, JobObjects, Method, PackWriter, ReadableEntry, SegmentWriter,
};
use antumbra_crypto::stream::{CHUNK_LEN, DataKey, HEADER_LEN, TAG_LEN};
use anyhow::{Context, ensure};
use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::figures::Figure;

/// One sealed object and the ranges that are read of it.
#[derive(Debug)]
pub(crate) struct Ranges {
    store: Arc<Watched>,
    objects: JobObjects,
    entry: ReadableEntry,
    ranges: Vec<Range<u64>>,
    /// What the ranges must hold, so that a fast wrong answer is none.
    sums: Vec<u32>,
    _directory: TempDir,
}

/// What the reads of one run took.
#[derive(Debug)]
pub(crate) struct Reads {
    /// Milliseconds, ascending.
    millis: Vec<f64>,
    opened: usize,
}

impl Ranges {
    /// Writes the object; not measured.
    pub(crate) async fn prepare(key: &DataKey, plain: &[u8]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let inner = LocalFileSystem::new_with_prefix(directory.path())?;
        let store = Arc::new(Watched { inner, read: Mutex::default() });
        let objects = JobObjects::new(Arc::clone(&store) as _, key.clone(), "tenant", "job");
        let mut pack = PackWriter::create(&objects, "object".to_owned()).await?;
        let mut writer = SegmentWriter::new(Method::Stored, 0);
        for piece in plain.chunks(RANGE_LEN) {
            writer.write(piece, &mut pack).await?;
        }
        let segment = writer.finish(&mut pack).await?.context("no segment")?;
        pack.finish().await?;
        let entry = Entry::of_segments("object", Method::Stored, vec![segment]);
        let ranges: Vec<_> = offsets(plain.len() - RANGE_LEN).collect();
        let part = |range: &Range<usize>| plain.get(range.clone()).map(crc32).context("a range");
        let sums = ranges.iter().map(part).collect::<anyhow::Result<_>>()?;
        let ranges = ranges.into_iter().map(|range| range.start as u64..range.end as u64).collect();
        let entry = ReadableEntry::new(entry);
        Ok(Self { store, objects, entry, ranges, sums, _directory: directory })
    }

    /// Reads every range once.
    ///
    /// # Errors
    /// When a range is wrong, or a chunk was opened that it does not touch.
    pub(crate) async fn read(&self) -> anyhow::Result<Reads> {
        let (mut millis, mut opened) = (Vec::with_capacity(self.ranges.len()), 0);
        for (range, sum) in self.ranges.iter().zip(&self.sums) {
            let start = Instant::now();
            let stream = self.entry.read(&self.objects, ContentEncoding::Identity, range.clone());
            let bytes = stream.context("not to be had as it is")?;
            let bytes: Vec<_> = bytes.try_collect().await?;
            millis.push(start.elapsed().as_secs_f64() * 1e3);
            ensure!(crc32(bytes.concat()) == *sum, "{range:?} is not what was sealed");
            let read = self.store.take_read();
            let touched: Vec<_> = (chunk_of(range.start)..=chunk_of(range.end - 1)).collect();
            ensure!(read == touched, "{range:?} touches chunks {touched:?}, opened were {read:?}");
            opened += read.len();
        }
        millis.sort_by(f64::total_cmp);
        Ok(Reads { millis, opened })
    }
}

impl Reads {
    /// Returns the figures.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let at = |percent: usize| {
            let last = self.millis.len().saturating_sub(1);
            self.millis.get(last * percent / 100).copied().unwrap_or(f64::NAN)
        };
        #[expect(clippy::cast_precision_loss, reason = "some hundred reads")]
        let chunks = self.opened as f64 / self.millis.len() as f64;
        vec![
            Figure { name: "range p50", unit: "ms", value: at(50) },
            Figure { name: "range p99", unit: "ms", value: at(99) },
            Figure { name: "opened", unit: "chunks", value: chunks },
        ]
    }
}

/// A directory that notes which chunks were asked for: none can be opened that was not.
#[derive(Debug)]
struct Watched {
    inner: LocalFileSystem,
    read: Mutex<Vec<u64>>,
}

impl Watched {
    fn take_read(&self) -> Vec<u64> {
        std::mem::take(&mut *self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, range: Option<&GetRange>) {
        // All that is not the header is noted; what is no chunk at all touches more than the test allows.
        let chunks = match range {
            Some(GetRange::Bounded(range)) if *range == (0..HEADER_LEN as u64) => return,
            Some(GetRange::Bounded(range)) => {
                range.start / CHUNK_LEN as u64..range.end.div_ceil(CHUNK_LEN as u64)
            }
            _ => 0..u64::from(u16::MAX),
        };
        self.read.lock().unwrap_or_else(PoisonError::into_inner).extend(chunks);
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.note(options.range.as_ref());
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// The chunk that holds a plaintext offset, as `crypto/FORMAT.md` § Stream says.
fn chunk_of(offset: u64) -> u64 {
    let (first, later) = (CHUNK_LEN - HEADER_LEN - TAG_LEN, CHUNK_LEN - TAG_LEN);
    offset.checked_sub(first as u64).map_or(0, |beyond| 1 + beyond / later as u64)
}

/// Places that nobody chose, the same in every run: xorshift from a fixed seed.
fn offsets(beyond: usize) -> impl Iterator<Item = Range<usize>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let start = usize::try_from(state >> 8).unwrap_or(0) % beyond;
        start..start + RANGE_LEN
    })
    .take(READS)
}

fn crc32(bytes: impl AsRef<[u8]>) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes.as_ref());
    crc.sum()
}

const RANGE_LEN: usize = 64 << 10;
const READS: usize = 500;
