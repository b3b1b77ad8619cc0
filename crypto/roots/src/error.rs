//! What can be wrong with a root key, before and while it wraps.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use antumbra_crypto::Retry;

/// Why there is no root key, or why it cannot be used.
///
/// The variants from [`Unreachable`](Self::Unreachable) on are the `source` of
/// [`antumbra_crypto::Error::Root`]. Names files, modes, settings and hosts, never what is in them;
/// an answer is never quoted.
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
    /// An entry of the list in `JWT_ECDSA_KEY` is no key.
    #[error("key {position} of the list {what}")]
    SombraKey {
        /// Its place in the list; the first is 1.
        position: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A setting of a KMS or a vault cannot be used.
    #[error("`{field}` {what}")]
    Setting {
        /// The field, as [`AwsKms`](crate::AwsKms) and [`Vault`](crate::Vault) call it.
        field: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file of certificate authorities cannot be read, or none is in it.
    #[error("cannot use certificate file {path:?}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// This machine trusts no certificate authority, and no file names one.
    #[error("this machine trusts no certificate authority; set `ca`")]
    NoAuthorities,
    /// A token or an id could not be read from where it is kept.
    #[error("cannot read `{field}`")]
    Secret {
        /// Which of them.
        field: &'static str,
        /// What the source of it says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The provider cannot be reached, or the connection broke.
    #[error("cannot reach {host}")]
    Unreachable {
        /// Its host and port.
        host: String,
        /// What broke.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The provider took too long.
    #[error("{host} gave no answer within {limit:?}")]
    NoAnswer {
        /// Its host and port.
        host: String,
        /// How long it had.
        limit: Duration,
    },
    /// The provider says that it cannot answer now: overloaded, failing, sealed.
    #[error("{host} cannot answer now: {what}")]
    Unavailable {
        /// Its host and port.
        host: String,
        /// Its status, or its word for the fault.
        what: String,
    },
    /// The provider's certificate comes from nobody who is trusted here, or is not good.
    #[error("the certificate of {host} is not trusted")]
    Untrusted {
        /// Its host and port.
        host: String,
        /// What is wrong with it.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The provider refuses: no permission, no such key, a disabled key, bad credentials.
    #[error("{host} refused: {what}")]
    Refused {
        /// Its host and port.
        host: String,
        /// Its status, or its word for the fault.
        what: String,
    },
    /// What answered is not the provider that the settings promise.
    #[error("the answer of {host} is not understood: {what}")]
    Answer {
        /// Its host and port.
        host: String,
        /// What is wrong with the answer.
        what: &'static str,
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
            Self::SombraKey { .. } => "sombra_key_malformed",
            Self::Setting { .. } => "root_setting_invalid",
            Self::CaFile { .. } => "ca_file_unusable",
            Self::NoAuthorities => "no_certificate_authorities",
            Self::Secret { .. } => "root_secret_unreadable",
            Self::Unreachable { .. } => "root_unreachable",
            Self::NoAnswer { .. } => "root_timeout",
            Self::Unavailable { .. } => "root_unavailable",
            Self::Untrusted { .. } => "root_untrusted",
            Self::Refused { .. } => "root_refused",
            Self::Answer { .. } => "root_answer_malformed",
        }
    }

    /// Says whether the same call can succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::KeyFile { .. }
            | Self::KeyFileMode { .. }
            | Self::KeyFileExists { .. }
            | Self::KeyText
            | Self::SombraKey { .. }
            | Self::Setting { .. }
            | Self::CaFile { .. }
            | Self::NoAuthorities
            | Self::Secret { .. }
            | Self::Untrusted { .. }
            | Self::Refused { .. }
            | Self::Answer { .. } => Retry::Operator,
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::Unavailable { .. } => {
                Retry::Later
            }
            Self::Generate { source } => source.retry(),
        }
    }
}
