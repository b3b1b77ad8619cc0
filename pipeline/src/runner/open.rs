//! How is a published bundle read?

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use antumbra_bundle::{
    BundleError, ByteStream, ContentEncoding, Entry, JobObjects, MANIFEST_NAME, ReadableEntry,
    SIGNATURE_NAME, ZipLayout,
};
use antumbra_jobs::{FileRecord, JobId, JobStore};

use super::records;
use crate::PipelineError;

/// A published bundle, ready to be read at any range: whole, or file by file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OpenBundle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    objects: JobObjects,
    layout: ZipLayout,
    entries: BTreeMap<String, ReadableEntry>,
    files: Vec<FileRecord>,
    bundle_sha256: [u8; 32],
}

impl OpenBundle {
    pub(crate) async fn load(
        store: &dyn JobStore,
        objects: JobObjects,
        job: JobId,
    ) -> Result<Self, PipelineError> {
        let Some(published) = store.published(job).await? else {
            return Err(PipelineError::Document { what: "publication" });
        };
        let mut segments = records::by_entry(store.all_segments(job).await?);
        let mut entries = Vec::with_capacity(published.files.len() + 2);
        for file in &published.files {
            let entry = records::to_entry(file, segments.remove(&file.entry).unwrap_or_default());
            if !records::fits(&entry, file) {
                return Err(BundleError::Corrupt { what: format!("entry {}", file.entry) }.into());
            }
            entries.push(entry);
        }
        entries.push(Entry::inline(MANIFEST_NAME, published.manifest));
        entries.push(Entry::inline(SIGNATURE_NAME, published.signature));
        let layout = ZipLayout::new(&entries, published.bundle_time)?;
        if layout.len() != published.bundle_len {
            return Err(BundleError::Corrupt { what: "length of the bundle".to_owned() }.into());
        }
        let entries = entries
            .into_iter()
            .map(|entry| (entry.name.clone(), ReadableEntry::new(entry)))
            .collect();
        let bundle_sha256 = published.bundle_sha256;
        let files = published.files;
        Ok(Self { inner: Arc::new(Inner { objects, layout, entries, files, bundle_sha256 }) })
    }

    /// Returns the files in the zip's order, the report included; manifest and signature can be read by name too.
    #[must_use]
    pub fn files(&self) -> &[FileRecord] {
        &self.inner.files
    }

    /// Returns the record of a file.
    #[must_use]
    pub fn file(&self, entry: &str) -> Option<&FileRecord> {
        self.inner.files.iter().find(|file| file.entry == entry)
    }

    /// Returns the length of the zip.
    #[must_use]
    pub fn bundle_len(&self) -> u64 {
        self.inner.layout.len()
    }

    /// Returns the SHA-256 of the zip.
    #[must_use]
    pub fn bundle_sha256(&self) -> [u8; 32] {
        self.inner.bundle_sha256
    }

    /// Streams a range of the zip.
    #[must_use]
    pub fn read_bundle(&self, range: Range<u64>) -> ByteStream {
        self.inner.layout.read(&self.inner.objects, range)
    }

    /// Returns the length of a file in an encoding; `None` if there is no such file, or not in this encoding.
    #[must_use]
    pub fn file_len(&self, entry: &str, encoding: ContentEncoding) -> Option<u64> {
        self.inner.entries.get(entry)?.len(encoding)
    }

    /// Streams a range of a file in an encoding; `None` as for [`file_len`](Self::file_len).
    #[must_use]
    pub fn read_file(
        &self,
        entry: &str,
        encoding: ContentEncoding,
        range: Range<u64>,
    ) -> Option<ByteStream> {
        self.inner.entries.get(entry)?.read(&self.inner.objects, encoding, range)
    }
}

/// Returns the objects that a job's bundle is made of; `None` if nothing was published.
pub(crate) async fn needed_objects(
    store: &dyn JobStore,
    job: JobId,
) -> Result<Option<BTreeSet<String>>, PipelineError> {
    let Some(published) = store.published(job).await? else { return Ok(None) };
    let files: BTreeSet<&str> = published.files.iter().map(|file| file.entry.as_str()).collect();
    let segments = store.all_segments(job).await?.into_iter();
    let needed = segments.filter(|segment| files.contains(segment.entry.as_str()));
    Ok(Some(needed.map(|segment| segment.object).collect()))
}
