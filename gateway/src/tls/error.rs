//! Why is there no TLS?

use std::path::PathBuf;

/// Why a certificate, a key or an authority cannot be used. Names where the path came from and the file; never what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {setting} {}", path.display())]
    File {
        /// The setting or flag that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than the key's owner and group can read or change the key.
    #[error("{setting} {} may be read or changed by others (mode {mode:04o}): make it 0600 or 0640", path.display())]
    Open {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// What should be in the file is not.
    #[error("{setting} {}: {what}", path.display())]
    Content {
        /// The setting or flag that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The file holds something that TLS cannot use.
    #[error("{setting} {} cannot be used", path.display())]
    Unusable {
        /// The setting or flag that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// Key and certificate do not belong together.
    #[error(
        "listen.tls_key {} is not the key of the first certificate in listen.tls_certificate {}",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The setting `listen.tls_certificate`.
        certificate: PathBuf,
        /// The setting `listen.tls_key`.
        key: PathBuf,
    },
    /// This machine has no authorities.
    #[error("no certificate authorities were found on this machine (name some with --ca)")]
    NoAuthorities,
    /// The settings of TLS contradict each other.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}
