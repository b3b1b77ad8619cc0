//! The hash of a gateway key.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::value::{ValueError, text::text_serde};

/// Holds the SHA-256 of a gateway key's decoded bytes, written in base64.
///
/// A hash is no secret, so it prints; but a text that is not one may be the key itself, so errors do not quote it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Returns the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for KeyHash {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| ValueError::unquoted(EXPECTED))?;
        bytes.try_into().map(Self).map_err(|_| ValueError::unquoted(EXPECTED))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

text_serde!(KeyHash, EXPECTED);

const EXPECTED: &str = "the base64 of a SHA-256 hash (32 bytes)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_hash_is_not_quoted() {
        for text in ["hunter2", "c2hvcnQ=", ""] {
            let message = text.parse::<KeyHash>().unwrap_err().to_string();
            assert_eq!(
                message,
                "expected the base64 of a SHA-256 hash (32 bytes), found something else (not shown)"
            );
        }
        let hash = STANDARD.encode([7; 32]);
        assert_eq!(hash.parse::<KeyHash>().unwrap().as_bytes(), &[7; 32]);
        assert_eq!(hash.parse::<KeyHash>().unwrap().to_string(), hash);
    }
}
