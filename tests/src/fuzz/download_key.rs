//! A download key, as it comes in a URL.

use antumbra_crypto::TokenKey;
use serde_json::Value;

use super::fixed;

/// Takes the bytes for a token (first byte even), or for the claims of one that is signed first (odd).
///
/// # Panics
/// When a token is believed that was not signed here, or one that was is believed for another use, after its end, or not at all.
pub fn download_key(data: &[u8]) -> bool {
    let Some((way, rest)) = data.split_first() else { return false };
    let tokens = fixed::ring().tokens();
    if way.is_multiple_of(2) {
        let Ok(token) = std::str::from_utf8(rest) else { return false };
        let Ok(claims) = tokens.verify::<Value>(USE, token) else { return false };
        assert_eq!(claims, genuine_claims(), "claims that were not signed");
        used_in_one_way(&tokens, token);
        true
    } else {
        let Ok(claims) = serde_json::from_slice::<Value>(rest) else { return false };
        let Ok(token) = tokens.sign(USE, &claims) else { return false };
        let Ok(read) = tokens.verify::<Value>(USE, &token) else {
            // The limits of a token, or claims that are no object.
            assert!(token.len() > 16 * 1024 || !claims.is_object(), "refused: {claims}");
            return false;
        };
        assert!(read == claims || has_fraction(&claims), "{claims} came back as {read}");
        used_in_one_way(&tokens, &token);
        let end = claims.get("exp").and_then(Value::as_u64);
        let at = |now| tokens.verify_at::<Value>(USE, &token, now).is_ok();
        assert_eq!(at(0), end.is_some_and(|end| end > 0));
        if let Some(end) = end {
            assert!(!at(end) && (end == 0 || at(end - 1)), "it ends at another time than {end}");
        }
        true
    }
}

/// The claims of the token in the corpus.
pub(super) fn genuine_claims() -> Value {
    serde_json::json!({ "gid": "0192f0c1", "file": "bundle.zip", "exp": 2_000_000_000_u64 })
}

/// Numbers beyond 64 bits come back nearly, as JSON's readers may.
fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn used_in_one_way(tokens: &TokenKey, token: &str) {
    assert!(tokens.verify::<Value>("antumbra-nonce", token).is_err(), "believed for another use");
}

pub(super) const USE: &str = "antumbra-download";
