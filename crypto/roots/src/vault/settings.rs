//! Which transit key, and who asks.

use std::fmt;
use std::path::PathBuf;

use crate::wire::{Address, Patience};
use crate::{Error, SecretSource};

/// A key of the transit engine, of a type that takes associated data: `aes256-gcm96` (the
/// default), `aes128-gcm96` or `chacha20-poly1305`.
///
/// The token's policy must allow `update` on `<mount>/encrypt/<key>`, `<mount>/decrypt/<key>` and
/// `<mount>/datakey/plaintext/<key>`, and on `<mount>/rewrap/<key>` if the key is derived. It
/// should not allow `create` there: a vault makes a missing
/// key then, without a word.
#[derive(Debug, Clone)]
pub struct Vault {
    /// Where the vault listens, such as `https://vault.internal:8200`.
    pub address: String,
    /// Where the transit engine is mounted, such as `transit`.
    pub mount: String,
    /// The name of the key.
    pub key: String,
    /// The key was made with `derived=true`: the vault derives the key of each wrap from its context.
    pub derived: bool,
    /// The namespace, where the vault has them.
    pub namespace: Option<String>,
    /// Who asks.
    pub auth: VaultAuth,
    /// The only certificate authorities to trust, a PEM file; without it those of the machine.
    pub ca: Option<PathBuf>,
    /// How long to wait.
    pub patience: Patience,
}

/// On whose behalf the vault is asked.
#[derive(Clone)]
pub enum VaultAuth {
    /// A token that somebody else renews, read again when the vault refuses it.
    Token(SecretSource),
    /// An `AppRole`. Its secret id must be good for many logins: one for each token's lifetime.
    AppRole {
        /// Where the auth method is mounted, such as `approle`.
        mount: String,
        /// The id of the role.
        role_id: SecretSource,
        /// The secret id, read again at each login.
        secret_id: SecretSource,
    },
}

impl fmt::Debug for VaultAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(..)"),
            Self::AppRole { mount, .. } => {
                f.debug_struct("AppRole").field("mount", mount).finish_non_exhaustive()
            }
        }
    }
}

impl Vault {
    /// Checks what can be checked without asking, and says where the vault is.
    pub(super) fn address(&self) -> Result<Address, Error> {
        path("mount", &self.mount)?;
        path("key", &self.key)?;
        if self.key.contains('/') {
            return Err(Error::Setting { field: "key", what: "must not contain `/`" });
        }
        if let Some(namespace) = &self.namespace {
            path("namespace", namespace.trim_matches('/'))?;
        }
        if let VaultAuth::AppRole { mount, .. } = &self.auth {
            path("approle", mount)?;
        }
        Address::parse("address", &self.address)
    }
}

/// Admits names that mean themselves in a URL, separated by `/`.
fn path(field: &'static str, text: &str) -> Result<(), Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let good =
        |name: &str| !name.is_empty() && name != "." && name != ".." && name.bytes().all(plain);
    if text.len() > 512 || !text.split('/').all(good) {
        return Err(Error::Setting { field, what: "may have letters, digits and `_ - .` only" });
    }
    Ok(())
}
