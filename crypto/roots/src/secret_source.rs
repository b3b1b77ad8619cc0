//! Secrets that somebody else replaces while we run.

use std::error::Error as StdError;
use std::sync::Arc;

use antumbra_crypto::SecretBytes;

use crate::Error;

/// Reads a secret from where it is kept, each time anew: an agent may replace a token's file.
///
/// Called on a runtime thread when a secret is first needed and whenever it was refused, so it
/// should take no longer than reading a small file. White space around the text is ignored.
pub type SecretSource =
    Arc<dyn Fn() -> Result<SecretBytes, Box<dyn StdError + Send + Sync>> + Send + Sync>;

/// Reads the secret, without white space around it.
pub(crate) fn read(source: &SecretSource, field: &'static str) -> Result<SecretBytes, Error> {
    let secret = source().map_err(|source| Error::Secret { field, source })?;
    let text = secret.expose().trim_ascii();
    if text.is_empty() {
        return Err(Error::Secret { field, source: "it is empty".into() });
    }
    Ok(SecretBytes::from_slice(text))
}
