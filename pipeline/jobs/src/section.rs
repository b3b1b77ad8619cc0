//! What does a worker commit while it collects? Leases, sections, slices, segments.

use jiff::Timestamp;

use crate::{FenceToken, FileRecord, JobId, Progress, TenantId, WorkerId};

/// The right to work on a job until a time; presented with every write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Whose job.
    pub tenant: TenantId,
    /// Who holds the lease.
    pub worker: WorkerId,
    /// Refused as soon as somebody else holds a newer one.
    pub fence: FenceToken,
    /// How many leases there were since the job last got further than ever before, this one included: 1 after one that did.
    pub fruitless: u64,
    /// When it ends unless a heartbeat prolongs it.
    pub until: Timestamp,
}

/// Where a section stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SectionState {
    /// Nothing committed yet, or some slices are.
    Open,
    /// Complete.
    Done,
    /// Its silo failed; it has no segments.
    Failed,
}

impl SectionState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Open, Self::Done, Self::Failed];

    /// Returns the word used in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
        }
    }
}

/// A section as the plan orders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSection {
    /// Its place in the plan, from 0, without gaps.
    pub ordinal: u32,
    /// The silo it reads.
    pub silo: String,
    /// The datapoint it reads.
    pub datapoint: String,
}

/// A recorded section.
#[derive(Clone, PartialEq, Eq)]
pub struct SectionRecord {
    /// Its place in the plan.
    pub ordinal: u32,
    /// The silo it reads.
    pub silo: String,
    /// The datapoint it reads.
    pub datapoint: String,
    /// Where it stands.
    pub state: SectionState,
    /// Rows committed.
    pub rows: u64,
    /// How it ended, once it did: bytes to this room, sealed in the store.
    pub outcome: Option<Vec<u8>>,
}

impl std::fmt::Debug for SectionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SectionRecord")
            .field("ordinal", &self.ordinal)
            .field("silo", &self.silo)
            .field("datapoint", &self.datapoint)
            .field("state", &self.state)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// How many slices a part of a section may have. Parts of one section are collected at the same time and in no order; their slices
/// have ordinals of their own, so that those of a section are in the order of its rows whichever was committed first.
pub const PART_SLICES: u32 = 1 << 20;

/// A run of rows that was cut, encoded and committed together.
#[derive(Clone, PartialEq, Eq)]
pub struct SliceCommit {
    /// Its section.
    pub section: u32,
    /// Its place in the section: from [`PART_SLICES`] times its part's number on, without gaps. A section that is read as one
    /// stream is its part 0.
    pub ordinal: u32,
    /// Its rows.
    pub rows: u64,
    /// Where reading goes on after it. Sealed in the store.
    pub cursor: Vec<u8>,
    /// What encoders need to go on after it: running hashes, lengths. Only the newest of a part is needed. Sealed in the store.
    pub state: Vec<u8>,
    /// What encoders need of this slice at the end of the file (Parquet's row-group metadata). Sealed in the store.
    pub kept: Vec<u8>,
    /// One segment for each format.
    pub segments: Vec<SegmentRecord>,
}

impl std::fmt::Debug for SliceCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SliceCommit")
            .field("section", &self.section)
            .field("ordinal", &self.ordinal)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// A committed slice, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct SliceRecord {
    /// Its place in the section; see [`SliceCommit::ordinal`].
    pub ordinal: u32,
    /// Its rows.
    pub rows: u64,
    /// Where reading goes on after it.
    pub cursor: Vec<u8>,
    /// What encoders need to go on after it.
    pub state: Vec<u8>,
    /// What encoders need of it at the end of the file.
    pub kept: Vec<u8>,
}

impl std::fmt::Debug for SliceRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SliceRecord")
            .field("ordinal", &self.ordinal)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// A place in a segment from which inflating can start with an empty dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flush {
    /// Offset in the segment's plain bytes.
    pub plain: u64,
    /// Offset in the segment's stored bytes.
    pub stored: u64,
}

/// A sealed piece of a bundle entry: `stored_len` bytes at `offset` of the plaintext of `object`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRecord {
    /// The bundle entry it is part of.
    pub entry: String,
    /// Its place in the entry; ascending, gaps allowed.
    pub ordinal: u32,
    /// The sealed object that holds it.
    pub object: String,
    /// Where it starts in the object's plaintext.
    pub offset: u64,
    /// Its length there: deflated, or the same as `plain_len` when stored.
    pub stored_len: u64,
    /// Its length as the reader of the file sees it.
    pub plain_len: u64,
    /// CRC-32 of its plain bytes.
    pub crc32: u32,
    /// Where inflating can start inside it, ascending; empty for stored bytes.
    pub flushes: Vec<Flush>,
}

/// How a section ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionOutcome {
    /// Complete: its files, and the segments after the last slice (epilogues).
    Done {
        /// The section's files, one for each format.
        files: Vec<FileRecord>,
        /// Segments that belong to no slice.
        segments: Vec<SegmentRecord>,
    },
    /// Its silo failed: the store deletes its slices, segments and files.
    Failed,
}

/// The end of a section.
#[derive(Clone, PartialEq, Eq)]
pub struct SectionEnd {
    /// Which section.
    pub section: u32,
    /// Rows in all.
    pub rows: u64,
    /// How it ended.
    pub outcome: SectionOutcome,
    /// What manifest and report will say of it. Sealed in the store.
    pub document: Vec<u8>,
}

impl std::fmt::Debug for SectionEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SectionEnd")
            .field("section", &self.section)
            .field("rows", &self.rows)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// Everything that becomes true together when a pack was written: one transaction.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Slices, those of each part in order.
    pub slices: Vec<SliceCommit>,
    /// Sections that ended, after their slices.
    pub ends: Vec<SectionEnd>,
    /// Names of objects that these segments are in.
    pub objects: Vec<String>,
    /// How far the job is now.
    pub progress: Progress,
}
