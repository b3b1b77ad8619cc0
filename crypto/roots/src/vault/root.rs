//! The root itself.

use antumbra_crypto::{Context, Error as CryptoError, Root, Secret32, SecretBytes};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::Vault;
use super::calls::Calls;
use crate::Error;
use crate::fault::Fault;
use crate::secret_text::SecretText;

/// Wraps with a key that never leaves the transit engine of a vault.
///
/// Its id is `vault:<mount>/<key>`. The context goes to the vault as associated data or, with a key
/// that is [derived](Vault::derived), as what the key of each wrap is derived from. The bytes of a
/// wrap are in `crypto/FORMAT.md` § Vault root.
///
/// A derived key is rewrapped by the vault's own `rewrap`, which shows us nothing. That call opens nothing
/// that has associated data, so that another key's wraps are unwrapped and wrapped. If the vault's key has no
/// newer version, the wrap stays as it is.
#[derive(Debug)]
pub struct VaultRoot {
    id: String,
    mount: String,
    key: String,
    derived: bool,
    /// Set once the vault showed that it heeds the context: that of a key that is not derived it ignores without a word.
    is_bound: OnceCell<()>,
    calls: Calls,
}

impl VaultRoot {
    /// Checks the settings and reads the certificates. Blocks on I/O; asks nobody.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] names the field, [`Error::CaFile`] the file; [`Error::NoAuthorities`].
    pub fn new(settings: Vault) -> Result<Self, Error> {
        let calls = Calls::new(&settings)?;
        let Vault { mount, key, derived, .. } = settings;
        let id = format!("vault:{mount}/{key}");
        Ok(Self { id, mount, key, derived, is_bound: OnceCell::new(), calls })
    }

    /// Makes sure that wraps are bound to their context, whatever the settings say of the key.
    async fn bound(&self) -> Result<(), Fault> {
        if !self.derived {
            return Ok(());
        }
        self.is_bound.get_or_try_init(async || self.prove_bound().await).await.copied()
    }

    async fn prove_bound(&self) -> Result<(), Fault> {
        let probe = Context::new("antumbra/probe");
        let wrapped =
            self.encrypt(&SecretBytes::from_slice(&[0]), &probe.clone().with("a")).await?;
        match self.decrypt(&wrapped, &probe.with("b")).await {
            Err(Fault::Bytes(CryptoError::Authentication)) => Ok(()),
            Err(fault) => Err(fault),
            Ok(_) => {
                Err(self.calls.misfit("a wrap that any context opens: the key is not derived"))
            }
        }
    }

    async fn encrypt(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Fault> {
        if secret.is_empty() || secret.len() > MAX_PLAINTEXT {
            return Err(CryptoError::LimitReached { what: "bytes of one wrapped key" }.into());
        }
        let parameters =
            Encrypt { plaintext: SecretText::of(secret), binding: self.binding(context) };
        let answer: Wrapped = self.calls.call(&self.path("encrypt"), &parameters).await?;
        self.versioned(&answer.ciphertext)
    }

    async fn decrypt(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Fault> {
        let parameters = Reading { ciphertext: text(wrapped)?, binding: self.binding(context) };
        let answer: Unwrapped = self.calls.call(&self.path("decrypt"), &parameters).await?;
        answer.plaintext.read().ok_or_else(|| self.calls.misfit("no plaintext"))
    }

    async fn data_key(&self, context: &Context) -> Result<(Secret32, Vec<u8>), Fault> {
        let parameters = GenerateDataKey { bits: 256, binding: self.binding(context) };
        let path = self.path("datakey/plaintext");
        let answer: DataKey = self.calls.call(&path, &parameters).await?;
        let secret = answer.plaintext.read();
        let secret = secret.and_then(|secret| Secret32::from_slice(secret.expose()).ok());
        let secret = secret.ok_or_else(|| self.calls.misfit("no key of 32 bytes"))?;
        let wrapped = self.versioned(&answer.ciphertext)?;
        // A vault that does not know associated data here ignores it silently, and the key could
        // never be unwrapped for its context. Then the same key is wrapped by a call that does.
        match self.read_back(&wrapped, &secret, context).await {
            Ok(()) => Ok((secret, wrapped)),
            Err(Fault::Bytes(CryptoError::Authentication)) => {
                let bytes = SecretBytes::from_slice(secret.expose());
                let wrapped = self.encrypt(&bytes, context).await?;
                self.read_back(&wrapped, &secret, context).await?;
                Ok((secret, wrapped))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Makes sure that a wrap holds the key that it was made with.
    async fn read_back(
        &self,
        wrapped: &[u8],
        secret: &Secret32,
        context: &Context,
    ) -> Result<(), Fault> {
        let held = self.decrypt(wrapped, context).await?;
        if secret.is(held.expose()) {
            return Ok(());
        }
        Err(self.calls.misfit("a wrap of another key"))
    }

    /// Has the vault wrap anew what it opens itself.
    async fn rewrap_there(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, Fault> {
        self.bound().await?;
        let parameters = Reading { ciphertext: text(wrapped)?, binding: self.binding(context) };
        let answer: Wrapped = self.calls.call(&self.path("rewrap"), &parameters).await?;
        self.versioned(&answer.ciphertext)
    }

    fn binding(&self, context: &Context) -> Binding {
        let text = STANDARD.encode(context.as_bytes());
        if self.derived { Binding::Context(text) } else { Binding::AssociatedData(text) }
    }

    fn path(&self, operation: &str) -> String {
        format!("{}/{operation}/{}", self.mount, self.key)
    }

    fn versioned(&self, ciphertext: &str) -> Result<Vec<u8>, Fault> {
        if !is_ciphertext(ciphertext) {
            return Err(self.calls.misfit("no ciphertext"));
        }
        Ok([&[VERSION], ciphertext.as_bytes()].concat())
    }
}

#[async_trait]
impl Root for VaultRoot {
    fn id(&self) -> &str {
        &self.id
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, CryptoError> {
        let wrapping = async {
            self.bound().await?;
            self.encrypt(secret, context).await
        };
        wrapping.await.map_err(|fault| fault.of(&self.id))
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, CryptoError> {
        self.decrypt(wrapped, context).await.map_err(|fault| fault.of(&self.id))
    }

    async fn generate(&self, context: &Context) -> Result<(Secret32, Vec<u8>), CryptoError> {
        let generating = async {
            self.bound().await?;
            self.data_key(context).await
        };
        generating.await.map_err(|fault| fault.of(&self.id))
    }

    async fn rewrap(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, CryptoError> {
        let anew = if self.derived {
            let rewrapping = self.rewrap_there(wrapped, context).await;
            rewrapping.map_err(|fault| fault.of(&self.id))?
        } else {
            let secret = self.unwrap(wrapped, context).await?;
            self.wrap(&secret, context).await?
        };
        Ok(if key_version(&anew) == key_version(wrapped) { wrapped.to_vec() } else { anew })
    }
}

/// Takes the vault's text out of a wrap.
fn text(wrapped: &[u8]) -> Result<&str, CryptoError> {
    let (version, text) = wrapped.split_first().ok_or(CryptoError::Truncated)?;
    if *version != VERSION {
        return Err(CryptoError::malformed("wrapped key: version"));
    }
    let text = std::str::from_utf8(text).ok().filter(|text| is_ciphertext(text));
    text.ok_or_else(|| CryptoError::malformed("wrapped key: text"))
}

/// Which version of the vault's key made a wrap.
fn key_version(wrapped: &[u8]) -> Option<&str> {
    text(wrapped).ok()?.split(':').nth(1)
}

/// Admits one spelling of each ciphertext: `vault:v`, the number of the key's version, `:`, base64.
/// The vault itself would also open others, such as `vault:v0:…` for `vault:v1:…`.
fn is_ciphertext(text: &str) -> bool {
    let Some((version, base64)) =
        text.strip_prefix("vault:v").and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let digits = version.bytes().all(|b| b.is_ascii_digit()) && !version.starts_with('0');
    let numbered = digits && (1..=10).contains(&version.len());
    numbered
        && STANDARD.decode(base64).is_ok_and(|bytes| (MIN_BLOB..=MAX_BLOB).contains(&bytes.len()))
}

/// How a wrap is bound to its context.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Binding {
    AssociatedData(String),
    Context(String),
}

#[derive(Serialize)]
struct Encrypt {
    plaintext: SecretText,
    #[serde(flatten)]
    binding: Binding,
}

#[derive(Serialize)]
struct Reading<'a> {
    ciphertext: &'a str,
    #[serde(flatten)]
    binding: Binding,
}

#[derive(Serialize)]
struct GenerateDataKey {
    bits: u16,
    #[serde(flatten)]
    binding: Binding,
}

#[derive(Deserialize)]
struct Wrapped {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Unwrapped {
    plaintext: SecretText,
}

#[derive(Deserialize)]
struct DataKey {
    plaintext: SecretText,
    ciphertext: String,
}

const VERSION: u8 = 1;

/// As much as AWS KMS takes, so that a ring can move from one root to the other.
const MAX_PLAINTEXT: usize = 4096;

/// A nonce of 12 bytes and a tag of 16.
const MIN_BLOB: usize = 28;
const MAX_BLOB: usize = 8192;
