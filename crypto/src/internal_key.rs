//! Gateway keys, known only by their hashes.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::digest::sha256;
use crate::{Error, Secret32};

/// Decides which gateway keys are admitted.
///
/// A key is any number of bytes, presented as base64 after `Bearer `. The setting lists, separated
/// by commas, base64 of the SHA-256 of the *decoded* bytes; during a rotation it lists the old
/// key and the new one.
#[derive(Clone)]
pub struct InternalKeys {
    hashes: Vec<[u8; 32]>,
}

impl InternalKeys {
    /// Reads the list of hashes. Blanks around entries are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], naming the entry by its number, if one is not base64 of 32 bytes; an
    /// empty list is malformed too.
    pub fn parse(csv: &str) -> Result<Self, Error> {
        let mut hashes = Vec::new();
        for (at, entry) in csv.split(',').enumerate() {
            let hash = STANDARD.decode(entry.trim()).ok();
            let hash = hash.and_then(|hash| <[u8; 32]>::try_from(hash).ok());
            hashes.push(hash.ok_or_else(|| {
                let at = at + 1;
                Error::malformed(format!("internal key hash {at}: not base64 of a SHA-256"))
            })?);
        }
        Ok(Self { hashes })
    }

    /// Says whether a presented key, without `Bearer `, is one of those listed.
    ///
    /// Takes the same time whichever entry matches. The empty key is never admitted.
    #[must_use]
    pub fn admits(&self, presented_b64: &str) -> bool {
        let Ok(hash) = hash_of(presented_b64) else { return false };
        let listed = self
            .hashes
            .iter()
            .fold(Choice::from(0), |found, known| found | known.as_slice().ct_eq(hash.as_slice()));
        listed.into()
    }

    /// Returns the hash to list for a key.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the key is empty or not base64.
    pub fn hash(key_b64: &str) -> Result<String, Error> {
        hash_of(key_b64).map(|hash| STANDARD.encode(hash))
    }

    /// Makes a key of 32 random bytes; returns it in base64, and its hash.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes.
    pub fn generate() -> Result<(String, String), Error> {
        let key = STANDARD.encode(Secret32::generate()?.expose());
        let hash = Self::hash(&key)?;
        Ok((key, hash))
    }
}

impl fmt::Debug for InternalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InternalKeys({} hashes)", self.hashes.len())
    }
}

fn hash_of(key_b64: &str) -> Result<[u8; 32], Error> {
    let key = PRESENTED.decode(key_b64.trim()).map_err(|_| malformed())?;
    let key = Zeroizing::new(key);
    if key.is_empty() {
        return Err(malformed());
    }
    Ok(sha256(&key))
}

fn malformed() -> Error {
    Error::malformed("internal key: not base64")
}

/// Clients lose the padding now and then; the decoded bytes are what counts.
const PRESENTED: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 00 to 1f.
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const HASH: &str = "Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0=";

    #[test]
    fn hash_is_of_the_decoded_bytes() {
        assert_eq!(InternalKeys::hash(KEY).unwrap(), HASH);
        assert!(InternalKeys::parse(HASH).unwrap().admits(KEY));
    }

    #[test]
    fn any_entry_of_the_list_admits() {
        let (other, other_hash) = InternalKeys::generate().unwrap();
        let keys = InternalKeys::parse(&format!(" {other_hash} , {HASH}")).unwrap();
        assert!(keys.admits(KEY) && keys.admits(&other));
        assert!(!keys.admits(&InternalKeys::generate().unwrap().0));
        assert_eq!(format!("{keys:?}"), "InternalKeys(2 hashes)");
    }

    #[test]
    fn keys_shorter_than_32_bytes_and_unpadded_ones_work() {
        let short = STANDARD.encode([1; 30]);
        let keys = InternalKeys::parse(&InternalKeys::hash(&short).unwrap()).unwrap();
        assert!(keys.admits(&short));
        let keys = InternalKeys::parse(HASH).unwrap();
        assert!(keys.admits(KEY.trim_end_matches('=')) && keys.admits(&format!(" {KEY}\n")));
    }

    #[test]
    fn the_hash_is_not_the_key() {
        let keys = InternalKeys::parse(HASH).unwrap();
        for bad in [HASH, "", "=", "not base64!", &KEY[..40], "Bearer AAEC"] {
            assert!(!keys.admits(bad), "{bad}");
        }
    }

    #[test]
    fn empty_key_is_not_admitted_even_if_listed() {
        let empty = STANDARD.encode(sha256(b""));
        assert!(!InternalKeys::parse(&empty).unwrap().admits(""));
    }

    #[test]
    fn malformed_entry_is_named_and_not_quoted() {
        for bad in ["", ",", "s3cret", &format!("{HASH},"), "AAEC"] {
            let error = InternalKeys::parse(bad).unwrap_err().to_string();
            assert!(error.contains("internal key hash") && !error.contains("s3cret"), "{error}");
        }
    }
}
