//! Which KMS key, and on whose behalf.

use std::path::PathBuf;

use antumbra_crypto::SecretBytes;

use crate::Error;
use crate::wire::{Address, Patience};

/// A symmetric key of AWS KMS.
///
/// Its policy must allow `kms:GenerateDataKey`, `kms:Encrypt`, `kms:Decrypt`, and for a rewrap
/// `kms:ReEncryptFrom` and `kms:ReEncryptTo`.
#[derive(Debug, Clone)]
pub struct AwsKms {
    /// The key's ARN, id or alias. An ARN is best: an alias may come to mean another key, and what
    /// the first one wrapped is lost to it then.
    pub key: String,
    /// The region of the key, such as `eu-central-1`.
    pub region: String,
    /// Where KMS listens, if that is not the public address of the region.
    pub endpoint: Option<String>,
    /// Who asks.
    pub credentials: AwsCredentials,
    /// The only certificate authorities to trust, a PEM file; without it those of the machine.
    pub ca: Option<PathBuf>,
    /// How long to wait.
    pub patience: Patience,
}

/// On whose behalf KMS is asked.
#[derive(Debug, Clone)]
pub enum AwsCredentials {
    /// An access key.
    Static {
        /// Its id, which is not secret.
        access_key_id: String,
        /// Its secret.
        secret_access_key: SecretBytes,
        /// The token of temporary credentials.
        session_token: Option<SecretBytes>,
    },
    /// The role of this machine: web identity, ECS or EKS task, or else instance metadata, found
    /// by the `AWS_` variables that those environments set and renewed before they end. An access
    /// key in such variables comes first.
    Machine,
}

impl AwsKms {
    /// Checks what can be checked without asking, and says where KMS is.
    pub(super) fn address(&self) -> Result<Address, Error> {
        // ARNs, ids and aliases; the key's name is also shown in messages.
        check("key", &self.key, |b| b.is_ascii_alphanumeric() || b":/_-".contains(&b))?;
        check("region", &self.region, |b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
        })?;
        let address = match &self.endpoint {
            Some(endpoint) => Address::parse("endpoint", endpoint)?,
            None => {
                let china = self.region.starts_with("cn-");
                let suffix = if china { "amazonaws.com.cn" } else { "amazonaws.com" };
                let text = format!("https://kms.{}.{suffix}", self.region);
                Address::parse("region", &text)?
            }
        };
        if address.has_path() {
            return Err(Error::Setting { field: "endpoint", what: "must not have a path" });
        }
        Ok(address)
    }
}

fn check(field: &'static str, text: &str, allowed: fn(u8) -> bool) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::Setting { field, what: "is empty" });
    }
    if text.len() > 2048 || !text.bytes().all(allowed) {
        return Err(Error::Setting { field, what: "has characters that AWS does not use there" });
    }
    Ok(())
}
