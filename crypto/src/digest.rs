//! SHA-256 and HMAC-SHA-256 as arrays.

use ring::{digest, hmac};

/// Returns the SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// Returns the HMAC-SHA-256 of `message`; `key` must have been made for SHA-256.
pub(crate) fn hmac_sha256(key: &hmac::Key, message: &[u8]) -> [u8; 32] {
    hmac::sign(key, message).as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes")
}
