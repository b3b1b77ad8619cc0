//! What is an entry of a bundle, and how is one read alone?

use std::ops::Range;

use bytes::Bytes;

use crate::inflate;
use crate::pieces::{ByteStream, Pieces, PiecesBuilder};
use crate::{BundleError, JobObjects, Segment};

/// How an entry's bytes are stored: the two zip methods that every reader knows (APPNOTE 4.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Method 0: as they are.
    Stored,
    /// Method 8: raw deflate.
    Deflated,
}

impl Method {
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }

    /// The bytes after the last segment: for deflate an empty final block with fixed codes.
    pub(crate) const fn end(self) -> &'static [u8] {
        match self {
            Self::Stored => &[],
            Self::Deflated => &[0x03, 0x00],
        }
    }
}

/// Where an entry's bytes are.
#[derive(Debug, Clone)]
pub enum Body {
    /// In sealed segments, in order.
    Segments(Vec<Segment>),
    /// Here; only for stored entries.
    Inline(Bytes),
}

/// One file of a bundle.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name in the archive.
    pub name: String,
    /// How it is stored.
    pub method: Method,
    /// Its length as its reader sees it.
    pub plain_len: u64,
    /// CRC-32 of its plain bytes.
    pub crc32: u32,
    /// Where its bytes are.
    pub body: Body,
}

impl Entry {
    /// Makes a stored entry of bytes that are at hand.
    #[must_use]
    pub fn inline(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            name: name.into(),
            method: Method::Stored,
            plain_len: bytes.len() as u64,
            crc32: crc32fast::hash(&bytes),
            body: Body::Inline(bytes),
        }
    }

    /// Makes an entry of segments; length and CRC-32 are theirs combined.
    #[must_use]
    pub fn of_segments(name: impl Into<String>, method: Method, segments: Vec<Segment>) -> Self {
        let mut crc = crc32fast::Hasher::new();
        let mut plain_len = 0;
        for segment in &segments {
            crc.combine(&crc32fast::Hasher::new_with_initial_len(segment.crc32, segment.plain_len));
            plain_len += segment.plain_len;
        }
        let name = name.into();
        Self { name, method, plain_len, crc32: crc.finalize(), body: Body::Segments(segments) }
    }

    /// Returns the length of its data in the archive.
    #[must_use]
    pub fn stored_len(&self) -> u64 {
        match &self.body {
            Body::Inline(bytes) => bytes.len() as u64,
            Body::Segments(segments) => {
                segments.iter().map(|segment| segment.stored_len).sum::<u64>()
                    + self.method.end().len() as u64
            }
        }
    }
}

/// How an entry that is read alone is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentEncoding {
    /// As the file is.
    Identity,
    /// RFC 1952, made of the stored deflate blocks without compressing again.
    Gzip,
}

/// An entry that can be read alone, in either encoding, at any range.
#[derive(Debug, Clone)]
pub struct ReadableEntry {
    entry: Entry,
    stored: Pieces,
    gzip: Option<Pieces>,
}

impl ReadableEntry {
    /// Prepares an entry for reading.
    #[must_use]
    pub fn new(entry: Entry) -> Self {
        let mut stored = PiecesBuilder::default();
        stored.entry(&entry);
        let gzip = (entry.method == Method::Deflated).then(|| {
            let mut gzip = PiecesBuilder::default();
            gzip.inline(Bytes::from_static(&GZIP_HEADER));
            gzip.entry(&entry);
            let mut trailer = Vec::with_capacity(8);
            trailer.extend_from_slice(&entry.crc32.to_le_bytes());
            // RFC 1952 2.3.1: ISIZE is the length modulo 2^32.
            let [a, b, c, d, ..] = entry.plain_len.to_le_bytes();
            trailer.extend_from_slice(&[a, b, c, d]);
            gzip.inline(trailer);
            gzip.build()
        });
        Self { entry, stored: stored.build(), gzip }
    }

    /// Returns the entry.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Returns its length in an encoding; `None` if it cannot be had in it (only deflated entries have `Gzip`).
    #[must_use]
    pub fn len(&self, encoding: ContentEncoding) -> Option<u64> {
        match encoding {
            ContentEncoding::Identity => Some(self.entry.plain_len),
            ContentEncoding::Gzip => self.gzip.as_ref().map(Pieces::len),
        }
    }

    /// Streams a range of it in an encoding; `None` if it cannot be had in it.
    #[must_use]
    pub fn read(
        &self,
        objects: &JobObjects,
        encoding: ContentEncoding,
        range: Range<u64>,
    ) -> Option<ByteStream> {
        match (encoding, self.entry.method, &self.entry.body) {
            (ContentEncoding::Gzip, ..) => {
                self.gzip.as_ref().map(|gzip| gzip.read(objects.clone(), range))
            }
            (ContentEncoding::Identity, Method::Deflated, Body::Segments(segments)) => {
                Some(inflate::read(objects.clone(), segments.clone(), range))
            }
            (ContentEncoding::Identity, ..) => Some(self.stored.read(objects.clone(), range)),
        }
    }

    /// Reads the whole entry, inflated, and compares length and CRC-32 with its record.
    ///
    /// # Errors
    /// [`BundleError::Corrupt`] where they differ, and whatever reading fails with.
    pub async fn check(&self, objects: &JobObjects) -> Result<(), BundleError> {
        use futures::TryStreamExt;
        let mut crc = crc32fast::Hasher::new();
        let mut len = 0;
        let whole = 0..u64::MAX;
        let Some(mut stream) = self.read(objects, ContentEncoding::Identity, whole) else {
            return Ok(());
        };
        while let Some(bytes) = stream.try_next().await? {
            crc.update(&bytes);
            len += bytes.len() as u64;
        }
        if len == self.entry.plain_len && crc.finalize() == self.entry.crc32 {
            Ok(())
        } else {
            Err(BundleError::Corrupt { what: format!("entry {}", self.entry.name) })
        }
    }
}

/// RFC 1952 2.3: magic, deflate, no flags, no time, no extra flags, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
