//! What can go wrong with a bundle, by what the caller can do about it.

use antumbra_crypto::Retry;

/// Why bytes of a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A sealed object is not in the store any more.
    #[error("object {object} is gone")]
    ObjectLost {
        /// The object's name within its job.
        object: String,
    },
    /// A sealed object was altered, truncated, extended, swapped, or sealed with another key.
    #[error("object {object} cannot be opened")]
    Sealed {
        /// The object's name within its job.
        object: String,
        /// What the seal says.
        #[source]
        source: antumbra_crypto::Error,
    },
    /// Records and objects do not fit together.
    #[error("{what} does not fit its record")]
    Corrupt {
        /// What was compared.
        what: String,
    },
    /// The object store failed.
    #[error("the object store failed")]
    Store(#[source] object_store::Error),
    /// Sealing failed.
    #[error("sealing failed")]
    Crypto(#[source] antumbra_crypto::Error),
    /// Bytes could not be deflated or inflated.
    #[error("deflate failed in {what}")]
    Deflate {
        /// Which entry or object.
        what: String,
    },
    /// More than a field of the format can hold.
    #[error("{what} exceeds its limit")]
    Limit {
        /// Which field.
        what: &'static str,
    },
}

impl BundleError {
    /// Returns the fixed word for logs, metrics and answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ObjectLost { .. } => "object_lost",
            Self::Sealed { .. } => "object_altered",
            Self::Corrupt { .. } => "bundle_corrupt",
            Self::Store(_) => "object_store",
            Self::Crypto(_) => "bundle_crypto",
            Self::Deflate { .. } => "bundle_deflate",
            Self::Limit { .. } => "bundle_limit",
        }
    }

    /// Says whether asking again helps.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Store(_) => Retry::Later,
            Self::ObjectLost { .. } | Self::Sealed { .. } | Self::Corrupt { .. } => Retry::Operator,
            Self::Crypto(_) | Self::Deflate { .. } | Self::Limit { .. } => Retry::Never,
        }
    }
}
