//! `[keys]` and the tables of root keys as they stand in the file: every key optional, nothing compared.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    AwsKeys, Keys, RootKey, SecretRef, VaultLogin,
    value::{BaseUrl, Count, Period, RootType},
};

/// `[keys]`: where the keys are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct KeysTable {
    /// The key ring: wrapped keys, useless without the root key. Changes are noticed within seconds, or at once on SIGHUP.
    #[serde(serialize_with = "serialize_path")]
    #[cfg_attr(test, schemars(extend("x-type" = "path")))]
    pub(crate) ring: PathBuf,
    /// The root key, which unwraps the ring: a secret, or a table whose `type` says where it is. As variable or flag:
    /// `keys.root.file`, `keys.root.env`, `keys.root.credential`; other root keys in the file only.
    #[cfg_attr(test, schemars(with = "String", extend("x-type" = "secret or table")))]
    pub(crate) root: RootTable,
    /// Root keys that wrapped the ring before and still unwrap; `antumbra keys rewrap` moves everything under `keys.root`.
    #[cfg_attr(test, schemars(with = "Vec<String>", extend("x-type" = "list of secrets or tables")))]
    pub(crate) older_roots: Vec<RootTable>,
    /// How long keys that a KMS or vault unwrapped stay in memory, from `"1s"` to `"24h"`. So long a running daemon goes on with
    /// jobs it worked on when the root key is out of reach or was taken away.
    pub(crate) cache: Period,
    /// Whether `antumbra keys export-tinkey` may show the data key of a job to whoever holds the ring and the root key.
    pub(crate) allow_export: bool,
}

/// A root key as it stands in the file. Which keys are meant is decided by `type`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct RootTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) r#type: Option<RootType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) env: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credential: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<KeyField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<BaseUrl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_key_id: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_access_key: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_token: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<BaseUrl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) derived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_id: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_id: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<Count>,
}

/// Names a key of a KMS or vault, or says where the key itself is.
#[derive(Clone, Debug)]
pub(crate) enum KeyField {
    Name(String),
    Secret(SecretRef),
}

impl RootTable {
    /// Says whether a key stands only beside a `type` that is not `"local"`.
    pub(crate) fn needs_type(key: &str) -> bool {
        OWNERS.iter().any(|(known, owners, _)| *known == key && *owners != LOCAL)
    }

    /// Lists the keys that are there, each with the types that have it.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&'static str, &'static [RootType])> {
        OWNERS.iter().filter(|(_, _, there)| there(self)).map(|(key, owners, _)| (*key, *owners))
    }
}

impl Default for KeysTable {
    fn default() -> Self {
        Keys::default().into()
    }
}

impl From<Keys> for KeysTable {
    fn from(keys: Keys) -> Self {
        Self {
            ring: keys.ring,
            root: keys.root.into(),
            older_roots: keys.older_roots.into_iter().map(RootTable::from).collect(),
            cache: keys.cache,
            allow_export: keys.allow_export,
        }
    }
}

impl From<RootKey> for RootTable {
    fn from(root: RootKey) -> Self {
        match root {
            RootKey::Local(key) => key.into(),
            RootKey::Sombra { key } => Self {
                r#type: Some(RootType::Sombra),
                key: Some(KeyField::Secret(key)),
                ..Self::default()
            },
            RootKey::AwsKms { key, region, endpoint, access, ca, timeout, attempts } => {
                let whole = Self {
                    r#type: Some(RootType::AwsKms),
                    key: Some(KeyField::Name(key)),
                    region: Some(region),
                    endpoint,
                    ca: ca.map(lossy),
                    timeout: Some(timeout),
                    attempts: Some(attempts),
                    ..Self::default()
                };
                match access {
                    None => whole,
                    Some(AwsKeys { access_key_id, secret_access_key, session_token }) => Self {
                        access_key_id: Some(access_key_id),
                        secret_access_key: Some(secret_access_key),
                        session_token,
                        ..whole
                    },
                }
            }
            RootKey::Vault {
                address,
                mount,
                key,
                derived,
                namespace,
                login,
                ca,
                timeout,
                attempts,
            } => {
                let whole = Self {
                    r#type: Some(RootType::Vault),
                    key: Some(KeyField::Name(key)),
                    address: Some(address),
                    mount: Some(mount),
                    derived: derived.then_some(true),
                    namespace,
                    ca: ca.map(lossy),
                    timeout: Some(timeout),
                    attempts: Some(attempts),
                    ..Self::default()
                };
                match login {
                    VaultLogin::Token(token) => Self { token: Some(token), ..whole },
                    VaultLogin::AppRole { mount, role_id, secret_id } => Self {
                        approle: Some(mount),
                        role_id: Some(role_id),
                        secret_id: Some(secret_id),
                        ..whole
                    },
                }
            }
        }
    }
}

/// A local root key is written as the reference it is.
impl From<SecretRef> for RootTable {
    fn from(key: SecretRef) -> Self {
        match key {
            SecretRef::File(path) => Self { file: Some(lossy(path)), ..Self::default() },
            SecretRef::Env(name) => Self { env: Some(name), ..Self::default() },
            SecretRef::Credential(name) => Self { credential: Some(name), ..Self::default() },
        }
    }
}

impl Serialize for KeyField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => serializer.serialize_str(name),
            Self::Secret(reference) => reference.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for KeyField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = KeyField;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a key, or where it is, such as { env = \"JWT_ECDSA_KEY\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KeyField, E> {
        Ok(KeyField::Name(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeyField, A::Error> {
        SecretRef::deserialize(MapAccessDeserializer::new(map)).map(KeyField::Secret)
    }
}

/// Lists the paths of the root keys where there are so many older ones.
pub(crate) fn root_paths(older: usize) -> impl Iterator<Item = Vec<String>> {
    let keys = |parts: &[&str]| parts.iter().map(|&part| part.to_owned()).collect::<Vec<_>>();
    let older = (0..older).map(move |at| keys(&["keys", "older_roots", &at.to_string()]));
    std::iter::once(keys(&["keys", "root"])).chain(older)
}

/// Writes a path as text; a folder of the machine that is not UTF-8 must not fail `config show`.
fn serialize_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

fn lossy(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap_or_else(|path| path.to_string_lossy().into_owned())
}

/// Whether a table has a key.
type There = fn(&RootTable) -> bool;

const LOCAL: &[RootType] = &[RootType::Local];
const AWS: &[RootType] = &[RootType::AwsKms];
const VAULT: &[RootType] = &[RootType::Vault];
const REMOTE: &[RootType] = &[RootType::AwsKms, RootType::Vault];

/// Which types have which key.
const OWNERS: [(&str, &[RootType], There); 20] = [
    ("file", LOCAL, |table| table.file.is_some()),
    ("env", LOCAL, |table| table.env.is_some()),
    ("credential", LOCAL, |table| table.credential.is_some()),
    ("key", &[RootType::Sombra, RootType::AwsKms, RootType::Vault], |table| table.key.is_some()),
    ("region", AWS, |table| table.region.is_some()),
    ("endpoint", AWS, |table| table.endpoint.is_some()),
    ("access_key_id", AWS, |table| table.access_key_id.is_some()),
    ("secret_access_key", AWS, |table| table.secret_access_key.is_some()),
    ("session_token", AWS, |table| table.session_token.is_some()),
    ("address", VAULT, |table| table.address.is_some()),
    ("mount", VAULT, |table| table.mount.is_some()),
    ("derived", VAULT, |table| table.derived.is_some()),
    ("namespace", VAULT, |table| table.namespace.is_some()),
    ("token", VAULT, |table| table.token.is_some()),
    ("role_id", VAULT, |table| table.role_id.is_some()),
    ("secret_id", VAULT, |table| table.secret_id.is_some()),
    ("approle", VAULT, |table| table.approle.is_some()),
    ("ca", REMOTE, |table| table.ca.is_some()),
    ("timeout", REMOTE, |table| table.timeout.is_some()),
    ("attempts", REMOTE, |table| table.attempts.is_some()),
];

/// What a key is if the file does not say.
pub(crate) mod defaults {
    use crate::value::{Count, Period};

    pub(crate) const CACHE: Period = Period::seconds(5 * 60);
    pub(crate) const MOUNT: &str = "transit";
    pub(crate) const APPROLE: &str = "approle";
    pub(crate) const TIMEOUT: Period = Period::seconds(5);
    pub(crate) const ATTEMPTS: Count = Count::of(4);
}
