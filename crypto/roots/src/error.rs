//! What can be wrong with a root key before it wraps anything.

use std::io;
use std::path::PathBuf;

use antumbra_crypto::Retry;

/// Why there is no root key. Names files and modes, never what is in them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key file cannot be read, or cannot be made.
    #[error("cannot use key file {path:?}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than the owner may read or change the key file.
    #[error("key file {path:?} has mode {mode:04o}; it must be closed to group and others (0600)")]
    KeyFileMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A new key would overwrite a file.
    #[error("{path:?} exists; a key file is never overwritten")]
    KeyFileExists {
        /// The file.
        path: PathBuf,
    },
    /// The text is not a key.
    #[error("a root key is 32 bytes in base64; this is not")]
    KeyText,
    /// No key could be made.
    #[error("cannot make a root key")]
    Generate {
        /// What the crypto room says.
        source: antumbra_crypto::Error,
    },
}

impl Error {
    /// Names the variant for response bodies, log fields and metric labels. Never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyFile { .. } => "key_file_unusable",
            Self::KeyFileMode { .. } => "key_file_open_to_others",
            Self::KeyFileExists { .. } => "key_file_exists",
            Self::KeyText => "root_key_malformed",
            Self::Generate { .. } => "root_key_not_made",
        }
    }

    /// Says whether the same call can succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::KeyFile { .. }
            | Self::KeyFileMode { .. }
            | Self::KeyFileExists { .. }
            | Self::KeyText => Retry::Operator,
            Self::Generate { source } => source.retry(),
        }
    }
}
