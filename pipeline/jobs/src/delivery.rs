//! What can be downloaded, by whom, until when?

use jiff::Timestamp;

use crate::{Actor, JobId, RequestId, TenantId};

/// The `file` of a grant that covers the whole zip.
pub const GRANT_BUNDLE: &str = "*";

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Its name in the bundle, such as `shop/orders.json`.
    pub entry: String,
    /// The silo it came from; empty for the report.
    pub silo: String,
    /// The datapoint it came from; empty for the report.
    pub datapoint: String,
    /// Its format, upper case: `JSON`, `PARQUET`, `HTML`.
    pub format: String,
    /// Its media type.
    pub media_type: String,
    /// Rows in it; `None` where rows mean nothing.
    pub rows: Option<u64>,
    /// Deflated in the zip (method 8), or stored as it is (method 0).
    pub deflated: bool,
    /// Length of the file as its reader sees it.
    pub plain_len: u64,
    /// Length of its data in the zip.
    pub stored_len: u64,
    /// CRC-32 of the plain bytes.
    pub crc32: u32,
    /// SHA-256 of the plain bytes.
    pub sha256: [u8; 32],
}

/// What a worker publishes: from then on the bundle is a fixed string of bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Published {
    /// The exact bytes of `manifest.json`. Sealed in the store.
    pub manifest: Vec<u8>,
    /// The exact bytes of `manifest.jws`.
    pub signature: Vec<u8>,
    /// SHA-256 of the canonical `content` of the manifest.
    pub content_sha256: [u8; 32],
    /// Length of the zip.
    pub bundle_len: u64,
    /// SHA-256 of the zip.
    pub bundle_sha256: [u8; 32],
    /// The time written into the zip's entries.
    pub bundle_time: Timestamp,
    /// Every file in the zip's order, the two manifest entries left out.
    pub files: Vec<FileRecord>,
    /// Segments of files that belong to no section (the report).
    pub segments: Vec<crate::SegmentRecord>,
    /// Some section failed and the policy was to go on.
    pub partial: bool,
    /// When it stops being downloadable.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Published")
            .field("bundle_len", &self.bundle_len)
            .field("files", &self.files.len())
            .field("partial", &self.partial)
            .finish_non_exhaustive()
    }
}

/// The delivery part of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Length of the zip.
    pub bundle_len: u64,
    /// SHA-256 of the zip.
    pub bundle_sha256: [u8; 32],
    /// SHA-256 of the canonical `content` of the manifest; `None` once the job's key is destroyed. Who has a guess of a small
    /// content can confirm it by this.
    pub content_sha256: Option<[u8; 32]>,
    /// Some section failed and the policy was to go on.
    pub partial: bool,
    /// When it stops being downloadable.
    pub expires_at: Timestamp,
    /// When the first complete download ended.
    pub downloaded_at: Option<Timestamp>,
    /// Who downloaded it first.
    pub downloaded_by: Option<String>,
}

/// Names a grant; what a download key carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub uuid::Uuid);

/// A grant to be made, or found again.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// Whose request.
    pub tenant: TenantId,
    /// Which request.
    pub request: RequestId,
    /// Which job's bundle.
    pub job: JobId,
    /// Which files, by entry name, or [`GRANT_BUNDLE`].
    pub files: Vec<String>,
    /// How long new grants live.
    pub ttl: std::time::Duration,
    /// Who asked.
    pub actor: Actor,
}

/// The right to download one file, or the whole zip, until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Whose request.
    pub tenant: TenantId,
    /// Which request.
    pub request: RequestId,
    /// Which job's bundle.
    pub job: JobId,
    /// The file's entry name, or [`GRANT_BUNDLE`].
    pub file: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends: a whole second, as tokens count.
    pub expires_at: Timestamp,
    /// When somebody revoked it.
    pub revoked_at: Option<Timestamp>,
}

/// A download that ended, for state and audit.
#[derive(Debug, Clone)]
pub struct Download {
    /// Which job's bundle.
    pub job: JobId,
    /// The file's entry name, or [`GRANT_BUNDLE`].
    pub file: String,
    /// Who.
    pub actor: Actor,
    /// First byte sent.
    pub start: u64,
    /// Bytes sent.
    pub sent: u64,
    /// The whole file was asked for and sent.
    pub complete: bool,
}
