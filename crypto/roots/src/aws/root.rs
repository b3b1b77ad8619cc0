//! The root itself.

use antumbra_crypto::{Context, Error as CryptoError, Root, Secret32, SecretBytes};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::AwsKms;
use super::calls::Calls;
use crate::Error;
use crate::fault::Fault;
use crate::secret_text::SecretText;

/// Wraps with a symmetric key that never leaves AWS KMS.
///
/// Its id is `aws-kms:` and the key as the settings name it. The context goes to KMS as the
/// encryption context, which KMS authenticates and **writes into the audit trail**: there one sees
/// its purpose (`antumbra/kek`) and its encoding in base64, which for the keys of a ring names the
/// key and no person. The bytes of a wrap are in `crypto/FORMAT.md` § AWS KMS root.
#[derive(Debug)]
pub struct AwsKmsRoot {
    id: String,
    key: String,
    calls: Calls,
}

impl AwsKmsRoot {
    /// Checks the settings and reads the certificates. Blocks on I/O; asks nobody.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] names the field, [`Error::CaFile`] the file; [`Error::NoAuthorities`].
    pub fn new(settings: AwsKms) -> Result<Self, Error> {
        let calls = Calls::new(&settings)?;
        Ok(Self { id: format!("aws-kms:{}", settings.key), key: settings.key, calls })
    }

    async fn encrypt(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Fault> {
        if secret.is_empty() || secret.len() > MAX_PLAINTEXT {
            return Err(CryptoError::LimitReached { what: "bytes of one wrapped key" }.into());
        }
        let answer: Wrapped = self
            .calls
            .call(
                "Encrypt",
                &Encrypt {
                    key_id: &self.key,
                    plaintext: SecretText::of(secret),
                    encryption_context: EncryptionContext::of(context)?,
                },
            )
            .await?;
        self.versioned(&answer.ciphertext_blob)
    }

    async fn decrypt(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Fault> {
        let answer: Unwrapped = self
            .calls
            .call(
                "Decrypt",
                &Decrypt {
                    key_id: &self.key,
                    ciphertext_blob: &STANDARD.encode(blob(wrapped)?),
                    encryption_context: EncryptionContext::of(context)?,
                },
            )
            .await?;
        answer.plaintext.read().ok_or_else(|| self.calls.misfit("no plaintext"))
    }

    async fn data_key(&self, context: &Context) -> Result<(Secret32, Vec<u8>), Fault> {
        let answer: DataKey = self
            .calls
            .call(
                "GenerateDataKey",
                &GenerateDataKey {
                    key_id: &self.key,
                    key_spec: "AES_256",
                    encryption_context: EncryptionContext::of(context)?,
                },
            )
            .await?;
        let secret = answer.plaintext.read();
        let secret = secret.and_then(|secret| Secret32::from_slice(secret.expose()).ok());
        let secret = secret.ok_or_else(|| self.calls.misfit("no key of 32 bytes"))?;
        Ok((secret, self.versioned(&answer.ciphertext_blob)?))
    }

    async fn re_encrypt(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, Fault> {
        let encryption_context = EncryptionContext::of(context)?;
        let answer: Wrapped = self
            .calls
            .call(
                "ReEncrypt",
                &ReEncrypt {
                    ciphertext_blob: &STANDARD.encode(blob(wrapped)?),
                    source_key_id: &self.key,
                    destination_key_id: &self.key,
                    source_encryption_context: &encryption_context,
                    destination_encryption_context: &encryption_context,
                },
            )
            .await?;
        self.versioned(&answer.ciphertext_blob)
    }

    fn versioned(&self, blob: &str) -> Result<Vec<u8>, Fault> {
        let blob = STANDARD.decode(blob).ok().filter(|blob| !blob.is_empty());
        let blob = blob.ok_or_else(|| self.calls.misfit("no ciphertext"))?;
        Ok([&[VERSION], blob.as_slice()].concat())
    }
}

#[async_trait]
impl Root for AwsKmsRoot {
    fn id(&self) -> &str {
        &self.id
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, CryptoError> {
        self.encrypt(secret, context).await.map_err(|fault| fault.of(&self.id))
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, CryptoError> {
        self.decrypt(wrapped, context).await.map_err(|fault| fault.of(&self.id))
    }

    async fn generate(&self, context: &Context) -> Result<(Secret32, Vec<u8>), CryptoError> {
        self.data_key(context).await.map_err(|fault| fault.of(&self.id))
    }

    async fn rewrap(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, CryptoError> {
        self.re_encrypt(wrapped, context).await.map_err(|fault| fault.of(&self.id))
    }
}

fn blob(wrapped: &[u8]) -> Result<&[u8], CryptoError> {
    let (version, blob) = wrapped.split_first().ok_or(CryptoError::Truncated)?;
    match (*version, blob.len()) {
        (VERSION, 0) => Err(CryptoError::Truncated),
        (VERSION, len) if len <= MAX_BLOB => Ok(blob),
        (VERSION, _) => Err(CryptoError::malformed("wrapped key: length")),
        _ => Err(CryptoError::malformed("wrapped key: version")),
    }
}

/// What KMS authenticates beside the key. The purpose follows from the bytes; it is there for
/// those who read the audit trail or write a key policy.
#[derive(Serialize)]
struct EncryptionContext {
    #[serde(rename = "antumbra-context")]
    bytes: String,
    #[serde(rename = "antumbra-purpose", skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
}

impl EncryptionContext {
    fn of(context: &Context) -> Result<Self, CryptoError> {
        let bytes = context.as_bytes();
        if bytes.len() > MAX_CONTEXT {
            return Err(CryptoError::LimitReached { what: "bytes of an encryption context" });
        }
        Ok(Self { bytes: STANDARD.encode(bytes), purpose: purpose(bytes) })
    }
}

/// Reads the purpose of a context, if it has only characters that KMS takes everywhere.
fn purpose(context: &[u8]) -> Option<String> {
    let (len, rest) = context.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let purpose = rest.get(..len).filter(|purpose| (1..=128).contains(&purpose.len()))?;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/_-.".contains(b);
    let purpose =
        std::str::from_utf8(purpose).ok().filter(|text| text.as_bytes().iter().all(plain));
    purpose.map(str::to_owned)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypt<'a> {
    key_id: &'a str,
    plaintext: SecretText,
    encryption_context: EncryptionContext,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt<'a> {
    key_id: &'a str,
    ciphertext_blob: &'a str,
    encryption_context: EncryptionContext,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GenerateDataKey<'a> {
    key_id: &'a str,
    key_spec: &'a str,
    encryption_context: EncryptionContext,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReEncrypt<'a> {
    ciphertext_blob: &'a str,
    source_key_id: &'a str,
    destination_key_id: &'a str,
    source_encryption_context: &'a EncryptionContext,
    destination_encryption_context: &'a EncryptionContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped {
    ciphertext_blob: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Unwrapped {
    plaintext: SecretText,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataKey {
    plaintext: SecretText,
    ciphertext_blob: String,
}

const VERSION: u8 = 1;

/// KMS encrypts no more in one call.
const MAX_PLAINTEXT: usize = 4096;

/// KMS decrypts no more in one call.
const MAX_BLOB: usize = 6144;

/// KMS takes 8192 characters of encryption context, names and punctuation included.
const MAX_CONTEXT: usize = 5900;
