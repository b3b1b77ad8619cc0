//! How do the bundle's segments become the store's records, and back? The only place that knows both.

use std::collections::HashMap;

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
    of_segments(&file.entry, method, segments)
}

/// Makes an entry of records of segments.
pub(super) fn of_segments(entry: &str, method: Method, segments: Vec<SegmentRecord>) -> Entry {
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
    Entry::of_segments(entry, method, segments)
}

/// Parts the segments of a job by their entries.
pub(super) fn by_entry(segments: Vec<SegmentRecord>) -> HashMap<String, Vec<SegmentRecord>> {
    let mut entries: HashMap<String, Vec<SegmentRecord>> = HashMap::new();
    for segment in segments {
        match entries.get_mut(&segment.entry) {
            Some(of_entry) => of_entry.push(segment),
            None => drop(entries.insert(segment.entry.clone(), vec![segment])),
        }
    }
    entries
}

/// Says whether an entry of segments is the file that was recorded.
pub(super) fn fits(entry: &Entry, file: &FileRecord) -> bool {
    entry.plain_len == file.plain_len
        && entry.stored_len() == file.stored_len
        && entry.crc32 == file.crc32
}
