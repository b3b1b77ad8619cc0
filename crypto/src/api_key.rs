//! API keys: opaque text that is shown once and kept as a hash.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::digest::sha256;
use crate::{Error, Secret32};

/// Makes a fresh key: `ant_` and 43 characters of base64url, which are 256 random bits.
///
/// # Errors
///
/// [`Error::Random`] if the system has no random bytes.
pub fn generate() -> Result<ApiKeyText, Error> {
    let secret = Secret32::generate()?;
    let mut text = Zeroizing::new(String::with_capacity(TEXT_LEN));
    text.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(secret.expose(), &mut text);
    Ok(ApiKeyText(text))
}

/// Returns what is stored in place of a key: the SHA-256 of its whole text.
///
/// A plain hash is enough because the text is 256 random bits; nothing can be guessed from it.
#[must_use]
pub fn hash(text: &str) -> [u8; 32] {
    sha256(text.as_bytes())
}

/// Says whether a text has the shape of a key, so that others need no look-up.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    text.len() == TEXT_LEN
        && text.strip_prefix(PREFIX).is_some_and(|rest| {
            rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

/// Holds the text of a new key, to be shown once.
#[derive(Clone)]
pub struct ApiKeyText(Zeroizing<String>);

impl ApiKeyText {
    /// Shows the key.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns what lists may show of the key: `ant_` and six characters, which leaves 220 bits
    /// unknown.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.0.get(..SHOWN_LEN).unwrap_or_default()
    }

    /// Returns the hash to store.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl fmt::Debug for ApiKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyText(..)")
    }
}

const PREFIX: &str = "ant_";
const TEXT_LEN: usize = 4 + 43;
const SHOWN_LEN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_its_shape_and_prints_nothing() {
        let key = generate().unwrap();
        assert!(is_well_formed(key.expose()));
        assert_eq!(key.prefix().len(), 10);
        assert!(key.expose().starts_with(key.prefix()));
        assert_eq!(format!("{key:?}"), "ApiKeyText(..)");
        assert_ne!(key.expose(), generate().unwrap().expose());
    }

    #[test]
    fn hash_is_sha256_of_the_text() {
        // printf %s abc | sha256sum
        assert_eq!(hash("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
        let key = generate().unwrap();
        assert_eq!(key.hash(), hash(key.expose()));
    }

    #[test]
    fn other_shapes_are_told_apart() {
        let key = generate().unwrap();
        let long = format!("{}x", key.expose());
        let other = key.expose().replace("ant_", "anx_");
        for bad in
            ["", "ant_", &long, &other, &format!("ant_{}", "é".repeat(21)), &key.expose()[1..]]
        {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
