//! How does a list of entries become the bytes of a zip archive, without writing one?
//!
//! Follows PKWARE's APPNOTE 6.3.10: local headers carry the sizes (no data descriptors, so that a reader can work from a
//! pipe), names are UTF-8 (bit 11), and a zip64 field is written exactly where a 32-bit one cannot hold its value.

use std::collections::HashSet;
use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::entry::{Entry, Method};
use crate::pieces::{ByteStream, Pieces, PiecesBuilder};
use crate::{BundleError, JobObjects};

/// The exact bytes of a zip archive, computed from its entries.
///
/// A pure function of entries and time: the same bytes each time, of known length, readable at any range.
#[derive(Debug, Clone)]
pub struct ZipLayout {
    pieces: Pieces,
}

impl ZipLayout {
    /// Lays out an archive; `time` (UTC, two-second steps, 1980 to 2107) is written into every entry.
    ///
    /// # Errors
    /// [`BundleError::Corrupt`] when two names are equal after case folding, or a name is empty, absolute, or has a `..`,
    /// backslash or control character in it; [`BundleError::Limit`] when a name is longer than 65 535 bytes.
    pub fn new(entries: &[Entry], time: Timestamp) -> Result<Self, BundleError> {
        let mut names = HashSet::new();
        let mut pieces = PiecesBuilder::default();
        let mut directory = Vec::new();
        let time = dos_time(time);
        for entry in entries {
            check_name(&entry.name)?;
            if !names.insert(entry.name.to_lowercase()) {
                return Err(BundleError::Corrupt { what: format!("entry name {}", entry.name) });
            }
            let header = Header::of(entry, pieces.len(), time)?;
            pieces.inline(header.local());
            pieces.entry(entry);
            header.central(&mut directory);
        }
        let start = pieces.len();
        let len = directory.len() as u64;
        pieces.inline(directory);
        pieces.inline(end_of_directory(entries.len() as u64, start, len));
        Ok(Self { pieces: pieces.build() })
    }

    /// Returns the length of the archive.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.pieces.len()
    }

    /// Says whether the archive has no bytes; it always has some.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Streams a range of the archive.
    #[must_use]
    pub fn read(&self, objects: &JobObjects, range: Range<u64>) -> ByteStream {
        self.pieces.read(objects.clone(), range)
    }
}

struct Header<'a> {
    name: &'a str,
    name_len: u16,
    method: Method,
    time: (u16, u16),
    crc32: u32,
    plain_len: u64,
    stored_len: u64,
    offset: u64,
}

impl<'a> Header<'a> {
    fn of(entry: &'a Entry, offset: u64, time: (u16, u16)) -> Result<Self, BundleError> {
        let name_len = u16::try_from(entry.name.len())
            .map_err(|_| BundleError::Limit { what: "length of an entry name" })?;
        Ok(Self {
            name: &entry.name,
            name_len,
            method: entry.method,
            time,
            crc32: entry.crc32,
            plain_len: entry.plain_len,
            stored_len: entry.stored_len(),
            offset,
        })
    }

    /// APPNOTE 4.3.7. A zip64 field here must hold both sizes (4.5.3).
    fn local(&self) -> Vec<u8> {
        let zip64 = self.plain_len >= MAX32 || self.stored_len >= MAX32;
        let mut out = Vec::with_capacity(50 + self.name.len());
        put32(&mut out, 0x0403_4b50);
        self.common(&mut out, zip64, zip64);
        put16(&mut out, self.name_len);
        put16(&mut out, if zip64 { 20 } else { 0 });
        out.extend_from_slice(self.name.as_bytes());
        if zip64 {
            put16(&mut out, 1);
            put16(&mut out, 16);
            put64(&mut out, self.plain_len);
            put64(&mut out, self.stored_len);
        }
        out
    }

    /// APPNOTE 4.3.12. A zip64 field here holds only what does not fit, in fixed order (4.5.3).
    fn central(&self, out: &mut Vec<u8>) {
        let mut extra = Vec::new();
        for value in [self.plain_len, self.stored_len, self.offset] {
            if value >= MAX32 {
                put64(&mut extra, value);
            }
        }
        put32(out, 0x0201_4b50);
        put16(out, MADE_BY_UNIX);
        self.common(out, !extra.is_empty(), false);
        put16(out, self.name_len);
        let extra_len = u16::try_from(extra.len()).unwrap_or(0); // at most 24
        put16(out, if extra.is_empty() { 0 } else { extra_len + 4 });
        put16(out, 0); // comment
        put16(out, 0); // disk
        put16(out, 0); // internal attributes
        put32(out, 0o100_644 << 16);
        put32(out, clamp32(self.offset));
        out.extend_from_slice(self.name.as_bytes());
        if !extra.is_empty() {
            put16(out, 1);
            put16(out, extra_len);
            out.extend_from_slice(&extra);
        }
    }

    fn common(&self, out: &mut Vec<u8>, zip64: bool, both: bool) {
        let size = |value| if both { u32::MAX } else { clamp32(value) };
        put16(out, if zip64 { 45 } else { 20 }); // version needed
        put16(out, 1 << 11); // names are UTF-8
        put16(out, self.method.code());
        put16(out, self.time.0);
        put16(out, self.time.1);
        put32(out, self.crc32);
        put32(out, size(self.stored_len));
        put32(out, size(self.plain_len));
    }
}

/// APPNOTE 4.3.14 to 4.3.16.
fn end_of_directory(entries: u64, start: u64, len: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if entries >= MAX16 || start >= MAX32 || len >= MAX32 {
        let end = start + len;
        put32(&mut out, 0x0606_4b50);
        put64(&mut out, 44);
        put16(&mut out, MADE_BY_UNIX);
        put16(&mut out, 45);
        put32(&mut out, 0);
        put32(&mut out, 0);
        put64(&mut out, entries);
        put64(&mut out, entries);
        put64(&mut out, len);
        put64(&mut out, start);
        put32(&mut out, 0x0706_4b50);
        put32(&mut out, 0);
        put64(&mut out, end);
        put32(&mut out, 1);
    }
    let entries = u16::try_from(entries).unwrap_or(u16::MAX);
    put32(&mut out, 0x0605_4b50);
    put16(&mut out, 0);
    put16(&mut out, 0);
    put16(&mut out, entries);
    put16(&mut out, entries);
    put32(&mut out, clamp32(len));
    put32(&mut out, clamp32(start));
    put16(&mut out, 0);
    out
}

fn check_name(name: &str) -> Result<(), BundleError> {
    let bad = name.is_empty()
        || name.starts_with('/')
        || name.contains('\\')
        || name.chars().any(char::is_control)
        || name.split('/').any(|part| matches!(part, "" | "." | ".."));
    if bad { Err(BundleError::Corrupt { what: format!("entry name {name:?}") }) } else { Ok(()) }
}

/// MS-DOS time and date (APPNOTE 4.4.6), UTC.
fn dos_time(time: Timestamp) -> (u16, u16) {
    let at = TimeZone::UTC.to_datetime(time);
    let part = |value: i8| u16::try_from(value).unwrap_or(0);
    let year = u16::try_from(at.year()).unwrap_or(0);
    if year < 1980 {
        return (0, (1 << 5) | 1);
    }
    if year > 2107 {
        return (0xbf7d, 0xff9f);
    }
    let clock = part(at.hour()) << 11 | part(at.minute()) << 5 | (part(at.second()) / 2);
    let date = (year - 1980) << 9 | part(at.month()) << 5 | part(at.day());
    (clock, date)
}

fn clamp32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

const MAX16: u64 = 0xffff;
const MAX32: u64 = 0xffff_ffff;
/// Upper byte 3: Unix attributes; lower byte 45: version 4.5 of the specification.
const MADE_BY_UNIX: u16 = 3 << 8 | 45;
