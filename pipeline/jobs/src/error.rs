//! What can go wrong in a job store, by what the caller can do about it.

use std::path::PathBuf;

pub use antumbra_crypto::Retry;

use crate::{IllegalMove, JobId};

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing by that id belongs to the tenant that asked.
    #[error("no such {what}")]
    NotFound {
        /// The kind of thing that was looked for.
        what: &'static str,
    },
    /// The same subject has an open request of the same kind.
    #[error("an open request for the same subject exists")]
    Duplicate,
    /// The tenant has as many active jobs as it may have.
    #[error("the tenant has {limit} active jobs already, the most it may have")]
    TooManyActive {
        /// The most it may have.
        limit: u32,
    },
    /// Jobs need the key: wrap theirs anew, or destroy them, before it is retired.
    #[error("{jobs} jobs need the key {key_id}")]
    KeyNeeded {
        /// The key of the ring.
        key_id: String,
        /// How many jobs need it.
        jobs: u64,
    },
    /// The key was retired: read the key ring again and wrap with its active key.
    #[error("the key {key_id} is retired and wraps nothing any more")]
    KeyRetired {
        /// The key of the ring.
        key_id: String,
    },
    /// The job's state does not allow the move.
    #[error(transparent)]
    IllegalMove(#[from] IllegalMove),
    /// Another worker holds the job, or the job ended: stop working on it.
    #[error("the lease of job {job} is lost")]
    LeaseLost {
        /// The job whose lease was presented.
        job: JobId,
    },
    /// A stored value cannot be read back: the store was altered, or another key sealed it.
    #[error("stored {what} cannot be read")]
    Corrupt {
        /// Which column or document.
        what: &'static str,
        /// Why it could not be read, where there is a reason beyond its shape.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Sealing failed.
    #[error("sealing a field failed")]
    Crypto(#[from] antumbra_crypto::Error),
    /// What a worker wrote does not follow from what is stored: a slice after a gap, an end of a closed section, a
    /// second plan, forgetting a job that has not ended. The caller has a bug; nothing of the call was stored.
    #[error("{what} out of order")]
    OutOfOrder {
        /// What did not follow.
        what: &'static str,
    },
    /// The audit log was altered: an entry was changed, removed, added or moved.
    #[error("the audit log is broken at entry {sequence}")]
    AuditBroken {
        /// The first entry that does not fit.
        sequence: u64,
    },
    /// Another process owns the store.
    #[error("the store {} is in use by another process", .path.display())]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// The store has an older schema and a process that owns it: its daemon is of an earlier version, or has not come to the
    /// migration yet. Migrating the store under it would break it. Stop or restart the daemon, or try again.
    #[error(
        "a daemon of an earlier version runs on the store {}; stop it or restart it with this version first (schema {found}, this \
         program's is {known})",
        .path.display()
    )]
    EarlierOwner {
        /// The store's file.
        path: PathBuf,
        /// The schema found.
        found: u32,
        /// The schema of this program.
        known: u32,
    },
    /// The store was written by a newer version.
    #[error("the store has schema {found}, this program knows up to {known}")]
    TooNew {
        /// The schema found.
        found: u32,
        /// The newest schema this program knows.
        known: u32,
    },
    /// The database did not answer as it should: full disk, locked file, I/O error.
    #[error("the store's database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Returns the fixed word for logs, metrics and answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Duplicate => "duplicate_request",
            Self::TooManyActive { .. } => "too_many_active",
            Self::KeyNeeded { .. } => "key_needed",
            Self::KeyRetired { .. } => "key_retired",
            Self::IllegalMove(_) => "illegal_state",
            Self::LeaseLost { .. } => "lease_lost",
            Self::Corrupt { .. } => "store_corrupt",
            Self::Crypto(_) => "store_crypto",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::AuditBroken { .. } => "audit_broken",
            Self::InUse { .. } => "store_in_use",
            Self::EarlierOwner { .. } => "store_earlier_owner",
            Self::TooNew { .. } => "store_too_new",
            Self::Database(_) => "store_database",
        }
    }

    /// Says whether asking again helps.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::NotFound { .. }
            | Self::Duplicate
            | Self::KeyNeeded { .. }
            | Self::IllegalMove(_)
            | Self::LeaseLost { .. }
            | Self::OutOfOrder { .. } => Retry::Never,
            Self::Corrupt { .. }
            | Self::AuditBroken { .. }
            | Self::InUse { .. }
            | Self::EarlierOwner { .. }
            | Self::TooNew { .. } => Retry::Operator,
            Self::Crypto(error) => error.retry(),
            Self::TooManyActive { .. } | Self::KeyRetired { .. } | Self::Database(_) => {
                Retry::Later
            }
        }
    }
}
