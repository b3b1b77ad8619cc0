//! What a vault means when it says no.

use antumbra_crypto::Error as CryptoError;
use http::StatusCode;
use serde::Deserialize;

use crate::Error;
use crate::fault::Fault;

/// Sorts an answer that is no success. The vault's words are compared with those known here and
/// never shown.
pub(super) fn read(host: &str, status: StatusCode, body: &[u8]) -> Fault {
    let host = host.to_owned();
    let number = status.as_u16();
    if status == StatusCode::BAD_REQUEST && is_about_bytes(body) {
        return CryptoError::Authentication.into();
    }
    match number {
        300..400 => {
            let what = format!("HTTP {number}, and redirects are not followed");
            Error::Refused { host, what }.into()
        }
        503 => {
            Error::Unavailable { host, what: "HTTP 503, sealed or in standby".to_owned() }.into()
        }
        412 | 429 | 472 | 473 | 500..600 => {
            Error::Unavailable { host, what: format!("HTTP {number}") }.into()
        }
        _ => {
            let what = hint(number, body)
                .map_or_else(|| format!("HTTP {number}"), |hint| format!("{hint} (HTTP {number})"));
            Error::Refused { host, what }.into()
        }
    }
}

/// Says whether the vault complains of the ciphertext and not of the caller.
fn is_about_bytes(body: &[u8]) -> bool {
    says(body, &["message authentication failed", "invalid ciphertext"])
}

fn hint(status: u16, body: &[u8]) -> Option<&'static str> {
    match status {
        400 if says(body, &["encryption key not found"]) => Some("no such key"),
        400 if says(body, &["disallowed by policy"]) => {
            Some("the key's `min_decryption_version` is above this version")
        }
        400 if says(body, &["key derivation"]) => Some("the key is derived: say so by `derived`"),
        400 if says(body, &["associated_data", "associated data"]) => {
            Some("the key's type takes no associated data")
        }
        400 if says(body, &["invalid role or secret"]) => Some("no such role or secret id"),
        403 => Some("permission denied"),
        404 => Some("nothing is mounted there"),
        _ => None,
    }
}

fn says(body: &[u8], words: &[&str]) -> bool {
    let Ok(body) = serde_json::from_slice::<Body>(body) else { return false };
    body.errors.iter().any(|error| words.iter().any(|word| error.contains(word)))
}

#[derive(Deserialize)]
struct Body {
    errors: Vec<String>,
}

#[cfg(test)]
mod tests {
    use antumbra_crypto::Retry;

    use super::*;

    fn sorted(status: u16, error: &str) -> CryptoError {
        let body = serde_json::json!({ "errors": [error] }).to_string();
        read("vault:8200", StatusCode::from_u16(status).unwrap(), body.as_bytes()).of("vault:t/k")
    }

    /// The words are those of `OpenBao` 2.7.
    #[test]
    fn words_about_the_bytes_are_told_from_words_about_the_caller() {
        for text in [
            "cipher: message authentication failed",
            "invalid ciphertext: no prefix",
            "invalid ciphertext: version is too new",
            "invalid ciphertext length",
        ] {
            assert_eq!(sorted(400, text).code(), "authentication_failed", "{text}");
            assert_eq!(sorted(503, text).retry(), Retry::Later, "{text}");
        }
        for (status, text, hint) in [
            (400, "encryption key not found", "no such key"),
            (400, "ciphertext or signature version is disallowed by policy (too old)", "min_dec"),
            (400, "'[0].associated_data' provided for non-AEAD cipher suite rsa-2048", "type"),
            (400, "invalid role or secret ID", "no such role"),
            (403, "permission denied", "permission denied"),
            (404, "no handler for route", "mounted"),
            (405, "s3cret", "HTTP 405"),
            (307, "s3cret", "redirect"),
        ] {
            let error = sorted(status, text);
            let said = format!("{error:?}");
            assert_eq!(error.retry(), Retry::Operator, "{text}");
            assert!(said.contains(hint) && !said.contains("s3cret"), "{said}");
        }
        for status in [412, 429, 472, 473, 500, 502, 503, 504] {
            assert_eq!(sorted(status, "Vault is sealed").retry(), Retry::Later, "{status}");
        }
    }
}
