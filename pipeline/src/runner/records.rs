//! How do the bundle's segments become the store's records, and back? The only place that knows both.

use antumbra_bundle::{Entry, Flush, Method, Segment};
use antumbra_jobs::{FileRecord, SegmentRecord};

/// Records a segment of an entry.
pub(super) fn to_record(entry: &str, ordinal: u32, segment: Segment) -> SegmentRecord {
    let flush = |flush: Flush| antumbra_jobs::Flush { plain: flush.plain, stored: flush.stored };
    SegmentRecord {
        entry: entry.to_owned(),
        ordinal,
        object: segment.object,
        offset: segment.offset,
        stored_len: segment.stored_len,
        plain_len: segment.plain_len,
        crc32: segment.crc32,
        flushes: segment.flushes.into_iter().map(flush).collect(),
    }
}

/// Makes an entry of a file's record and its segments' records.
pub(super) fn to_entry(file: &FileRecord, segments: Vec<SegmentRecord>) -> Entry {
    let method = if file.deflated { Method::Deflated } else { Method::Stored };
    let flush = |flush: antumbra_jobs::Flush| Flush { plain: flush.plain, stored: flush.stored };
    let segments = segments
        .into_iter()
        .map(|record| Segment {
            object: record.object,
            offset: record.offset,
            stored_len: record.stored_len,
            plain_len: record.plain_len,
            crc32: record.crc32,
            flushes: record.flushes.into_iter().map(flush).collect(),
        })
        .collect();
    Entry::of_segments(file.entry.as_str(), method, segments)
}

/// Says whether an entry of segments is the file that was recorded.
pub(super) fn fits(entry: &Entry, file: &FileRecord) -> bool {
    entry.plain_len == file.plain_len
        && entry.stored_len() == file.stored_len
        && entry.crc32 == file.crc32
}
