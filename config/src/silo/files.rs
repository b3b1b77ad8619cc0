//! The `files` silo: files in a directory or bucket.

use std::path::{Path, PathBuf};

use crate::SecretRef;

/// Describes where files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesSilo {
    /// The directory or bucket.
    pub location: FilesLocation,
    /// Whether an endpoint may be plain HTTP on another machine.
    pub insecure_http: bool,
}

/// Says where files are. Prefixes have no slash at either end; endpoints are URLs without a slash at their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesLocation {
    /// A directory of this machine.
    Local {
        /// The directory. Absolute once loaded; not checked to exist.
        path: PathBuf,
    },
    /// A bucket of S3, or of a service that speaks as S3 does.
    S3 {
        /// The bucket.
        bucket: String,
        /// The folder in it.
        prefix: Option<String>,
        /// The bucket's region.
        region: String,
        /// Where the service is reached; without it AWS's address of the region.
        endpoint: Option<String>,
        /// Which key signs requests; without it the role of the machine.
        access_key_id: Option<String>,
        /// The secret half of the key; there if `access_key_id` is.
        secret_access_key: Option<SecretRef>,
        /// The token of a session, if the key is one of a session.
        session_token: Option<SecretRef>,
        /// A PEM file of the authorities that may have signed the service's certificate.
        ca: Option<PathBuf>,
        /// Whether the bucket is named in the path rather than in the host.
        path_style: bool,
    },
    /// A bucket of Google Cloud Storage.
    Gcs {
        /// The bucket.
        bucket: String,
        /// The folder in it.
        prefix: Option<String>,
        /// Where the service is reached; without it Google's address.
        endpoint: Option<String>,
        /// The JSON key of a service account; without it the account of the machine.
        service_account: Option<SecretRef>,
        /// A PEM file of the authorities that may have signed the service's certificate.
        ca: Option<PathBuf>,
    },
    /// A container of Azure Blob Storage.
    Azure {
        /// The storage account.
        account: String,
        /// The container.
        container: String,
        /// The folder in it.
        prefix: Option<String>,
        /// Where the service is reached; without it Azure's address of the account.
        endpoint: Option<String>,
        /// The account's key. At most one of it and `sas`; without both the identity of the machine.
        access_key: Option<SecretRef>,
        /// A shared access signature.
        sas: Option<SecretRef>,
        /// A PEM file of the authorities that may have signed the service's certificate.
        ca: Option<PathBuf>,
    },
}

impl FilesSilo {
    /// Makes relative paths relative to `root`.
    pub(crate) fn resolve_paths(&mut self, root: &Path) {
        let (paths, secrets) = match &mut self.location {
            FilesLocation::Local { path } => ([Some(path)], [None, None]),
            FilesLocation::S3 { secret_access_key, session_token, ca, .. } => {
                ([ca.as_mut()], [secret_access_key.as_mut(), session_token.as_mut()])
            }
            FilesLocation::Gcs { service_account, ca, .. } => {
                ([ca.as_mut()], [service_account.as_mut(), None])
            }
            FilesLocation::Azure { access_key, sas, ca, .. } => {
                ([ca.as_mut()], [access_key.as_mut(), sas.as_mut()])
            }
        };
        for path in paths.into_iter().flatten() {
            *path = root.join(&*path);
        }
        for secret in secrets.into_iter().flatten() {
            secret.resolve_path(root);
        }
    }
}
