//! What the settings say about keys, once checked.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    SecretRef,
    keys::{KeysTable, table::defaults},
    value::{BaseUrl, Count, Period},
};

/// Says where the keys are. Serializes as `[keys]` is written; holds no secret, only references.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "KeysTable")]
pub struct Keys {
    /// The key ring: wrapped keys, useless without the root key. Absolute once loaded.
    pub ring: PathBuf,
    /// The root key that wraps the ring now.
    pub root: RootKey,
    /// Root keys that wrapped it before and still unwrap; none is named twice, nor `root` again.
    pub older_roots: Vec<RootKey>,
    /// How long keys that a KMS or vault unwrapped stay in memory: from a second to 24 hours.
    pub cache: Period,
    /// Whether a job's data key may be shown to an auditor.
    pub allow_export: bool,
}

impl Keys {
    /// Lists every root key, the one that wraps first.
    pub fn roots(&self) -> impl Iterator<Item = &RootKey> {
        std::iter::once(&self.root).chain(&self.older_roots)
    }

    /// Makes every relative path relative to `root`.
    pub(crate) fn resolve_paths(&mut self, root: &Path) {
        self.ring = root.join(&self.ring);
        for key in std::iter::once(&mut self.root).chain(&mut self.older_roots) {
            key.resolve_paths(root);
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            ring: PathBuf::from("keys/ring.json"),
            root: RootKey::Local(SecretRef::File(PathBuf::from("keys/root.key"))),
            older_roots: Vec::new(),
            cache: defaults::CACHE,
            allow_export: false,
        }
    }
}

/// Says where a root key is and how it is reached.
///
/// `Display` names it for people, without a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKey {
    /// 32 bytes in base64 that this process holds: a key file, a variable, a systemd credential.
    Local(SecretRef),
    /// The keys of `JWT_ECDSA_KEY`: a list, newest first; the newest wraps, all unwrap.
    Sombra {
        /// Where the list is.
        key: SecretRef,
    },
    /// A symmetric key of AWS KMS.
    AwsKms {
        /// Its ARN, its id or its alias.
        key: String,
        /// The region that holds it.
        region: String,
        /// Where the service is reached, if not at AWS's own address of the region. `http` on this machine only.
        endpoint: Option<BaseUrl>,
        /// The keys to sign with; without them the role of the machine.
        access: Option<AwsKeys>,
        /// A PEM file of the authorities that may have signed the service's certificate, instead of the machine's.
        ca: Option<PathBuf>,
        /// How long one try may take.
        timeout: Period,
        /// How often a call is tried that fails in a way that may pass.
        attempts: Count,
    },
    /// A key of the transit engine of Vault or `OpenBao`.
    Vault {
        /// Where the server is reached. `http` on this machine only.
        address: BaseUrl,
        /// Where the transit engine is mounted; no slash at either end.
        mount: String,
        /// The name of the key.
        key: String,
        /// Whether the vault derives the key of each wrap from its context.
        derived: bool,
        /// The namespace of the mount.
        namespace: Option<String>,
        /// How to log in.
        login: VaultLogin,
        /// A PEM file of the authorities that may have signed the server's certificate, instead of the machine's.
        ca: Option<PathBuf>,
        /// How long one try may take.
        timeout: Period,
        /// How often a call is tried that fails in a way that may pass.
        attempts: Count,
    },
}

/// Says where the keys are that sign requests to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// The id of the access key.
    pub access_key_id: SecretRef,
    /// The access key.
    pub secret_access_key: SecretRef,
    /// The token of a session, where the keys are those of one.
    pub session_token: Option<SecretRef>,
}

/// Says how to log in to a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultLogin {
    /// With a token.
    Token(SecretRef),
    /// With the ids of a role.
    AppRole {
        /// Where the method is mounted; no slash at either end.
        mount: String,
        /// The id of the role.
        role_id: SecretRef,
        /// The secret id of the role.
        secret_id: SecretRef,
    },
}

impl RootKey {
    /// Names the file of a local root key, if it is in one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Local(SecretRef::File(path)) => Some(path),
            Self::Local(_) | Self::Sombra { .. } | Self::AwsKms { .. } | Self::Vault { .. } => None,
        }
    }

    /// Lists the references to secrets in it.
    pub(crate) fn secrets(&self) -> Vec<&SecretRef> {
        match self {
            Self::Local(key) | Self::Sombra { key } => vec![key],
            Self::AwsKms { access: None, .. } => Vec::new(),
            Self::AwsKms { access: Some(keys), .. } => {
                let mut secrets = vec![&keys.access_key_id, &keys.secret_access_key];
                secrets.extend(&keys.session_token);
                secrets
            }
            Self::Vault { login: VaultLogin::Token(token), .. } => vec![token],
            Self::Vault { login: VaultLogin::AppRole { role_id, secret_id, .. }, .. } => {
                vec![role_id, secret_id]
            }
        }
    }

    fn resolve_paths(&mut self, root: &Path) {
        let mut secrets: Vec<&mut SecretRef> = Vec::new();
        match self {
            Self::Local(key) | Self::Sombra { key } => secrets.push(key),
            Self::AwsKms { access, ca, .. } => {
                if let Some(keys) = access {
                    secrets.extend([&mut keys.access_key_id, &mut keys.secret_access_key]);
                    secrets.extend(&mut keys.session_token);
                }
                resolve(ca, root);
            }
            Self::Vault { login, ca, .. } => {
                match login {
                    VaultLogin::Token(token) => secrets.push(token),
                    VaultLogin::AppRole { role_id, secret_id, .. } => {
                        secrets.extend([role_id, secret_id]);
                    }
                }
                resolve(ca, root);
            }
        }
        for secret in secrets {
            secret.resolve_path(root);
        }
    }
}

impl fmt::Display for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(key) => key.fmt(f),
            Self::Sombra { key } => write!(f, "sombra {key}"),
            Self::AwsKms { key, region, .. } => write!(f, "aws-kms {key} in {region}"),
            Self::Vault { address, mount, key, .. } => {
                write!(f, "vault {mount}/{key} at {address}")
            }
        }
    }
}

fn resolve(path: &mut Option<PathBuf>, root: &Path) {
    if let Some(path) = path {
        *path = root.join(&*path);
    }
}
