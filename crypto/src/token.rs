//! Tokens that this installation signs for itself: HS384 JWTs, one key per use.

use std::fmt;

use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Context, Error, Secret32, derive, provider};

/// Signs and checks tokens: download keys, nonces, session tokens.
///
/// The use of a token is its `typ`. Each has a key of its own, so a token of one use is junk to
/// every other, and the header names it. The algorithm is fixed. There is no clock in here: a
/// token that ends carries `exp`, and [`verify_at`](Self::verify_at) compares it with the caller's
/// time.
#[derive(Clone)]
pub struct TokenKey {
    key: Secret32,
}

impl TokenKey {
    pub(crate) fn new(key: Secret32) -> Self {
        Self { key }
    }

    /// Signs claims as a token for one use, in the three-part form of RFC 7519.
    ///
    /// The claims are readable by whoever holds the token; they must not be personal.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the claims do not serialize as JSON.
    pub fn sign<C: Serialize>(&self, typ: &'static str, claims: &C) -> Result<String, Error> {
        provider::install();
        let mut header = Header::new(ALGORITHM);
        header.typ = Some(typ.to_owned());
        let key = EncodingKey::from_secret(self.key_for(typ).as_slice());
        jsonwebtoken::encode(&header, claims, &key).map_err(|error| classify(&error))
    }

    /// Checks a token's signature and use, and returns its claims. Does not look at `exp`.
    ///
    /// # Errors
    ///
    /// [`Error::Authentication`] for a token of another use, another key or another algorithm,
    /// [`Error::Malformed`] for what is no token or has other claims.
    pub fn verify<C: DeserializeOwned>(&self, typ: &'static str, token: &str) -> Result<C, Error> {
        if token.len() > MAX_LEN {
            return Err(Error::malformed("token: too long"));
        }
        provider::install();
        let mut validation = Validation::new(ALGORITHM);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_secret(self.key_for(typ).as_slice());
        let token = jsonwebtoken::decode::<C>(token, &key, &validation)
            .map_err(|error| classify(&error))?;
        match token.header.typ.as_deref() == Some(typ) {
            true => Ok(token.claims),
            false => Err(Error::Authentication),
        }
    }

    /// Checks a token as [`verify`](Self::verify) does, and that its `exp` is after `now`; both
    /// are seconds since 1970.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify); [`Error::Expired`] if the token was good until `exp`,
    /// [`Error::Malformed`] if it has no `exp`.
    pub fn verify_at<C: DeserializeOwned>(
        &self,
        typ: &'static str,
        token: &str,
        now: u64,
    ) -> Result<C, Error> {
        let claims: serde_json::Value = self.verify(typ, token)?;
        let exp = claims.get("exp").and_then(serde_json::Value::as_u64);
        let exp = exp.ok_or_else(|| Error::malformed("token: exp"))?;
        if exp <= now {
            return Err(Error::Expired);
        }
        // serde's own message may quote a claim, so it is dropped.
        serde_json::from_value(claims).map_err(|_| Error::malformed("token: claims"))
    }

    fn key_for(&self, typ: &str) -> zeroize::Zeroizing<[u8; 48]> {
        derive::expand(&self.key, Context::new("antumbra/token").with(typ).as_bytes())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// Drops the library's message, which may quote the token.
fn classify(error: &JwtError) -> Error {
    match error.kind() {
        ErrorKind::Json(_)
        | ErrorKind::Base64(_)
        | ErrorKind::Utf8(_)
        | ErrorKind::InvalidToken
        | ErrorKind::InvalidClaimFormat(_) => Error::malformed("token"),
        _ => Error::Authentication,
    }
}

const ALGORITHM: Algorithm = Algorithm::HS384;
/// Ours are under 1 KiB; more is not worth hashing.
const MAX_LEN: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::hmac;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Claims {
        file: String,
        exp: u64,
    }

    fn key() -> TokenKey {
        TokenKey::new(Secret32::from_slice(&[4; 32]).unwrap())
    }

    fn claims() -> Claims {
        Claims { file: "a/b".to_owned(), exp: 1000 }
    }

    fn b64(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    /// A token put together by hand with the right key of `typ`.
    fn forge(algorithm: hmac::Algorithm, header: &Value, typ: &str, payload: &Value) -> String {
        let message = format!("{}.{}", b64(header), b64(payload));
        let key = hmac::Key::new(algorithm, key().key_for(typ).as_slice());
        let tag = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn payload() -> Value {
        serde_json::to_value(claims()).unwrap()
    }

    #[test]
    fn round_trips_and_names_its_use() {
        let token = key().sign("download", &claims()).unwrap();
        assert_eq!(key().verify::<Claims>("download", &token).unwrap(), claims());
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header, json!({"alg": "HS384", "typ": "download"}));
        assert_eq!(token, GOLDEN);
        assert_eq!(format!("{:?}", key()), "TokenKey(..)");
    }

    #[test]
    fn hand_made_token_of_the_same_key_is_accepted() {
        let header = json!({"alg": "HS384", "typ": "download"});
        let token = forge(hmac::HMAC_SHA384, &header, "download", &payload());
        assert_eq!(key().verify::<Claims>("download", &token).unwrap(), claims());
    }

    #[test]
    fn exp_is_compared_with_the_callers_time() {
        let token = key().sign("download", &claims()).unwrap();
        assert_eq!(key().verify_at::<Claims>("download", &token, 999).unwrap(), claims());
        for now in [1000, 1001] {
            let late = key().verify_at::<Claims>("download", &token, now);
            assert_eq!(late.unwrap_err().code(), "expired");
        }
        let endless = key().sign("download", &json!({"file": "x"})).unwrap();
        assert_eq!(
            key().verify_at::<Value>("download", &endless, 0).unwrap_err().code(),
            "malformed"
        );
    }

    #[test]
    fn token_of_another_use_or_key_is_refused() {
        let token = key().sign("download", &claims()).unwrap();
        assert_eq!(refusal("nonce", &token), "authentication_failed");
        let other = TokenKey::new(Secret32::from_slice(&[5; 32]).unwrap());
        assert_eq!(
            other.verify::<Claims>("download", &token).unwrap_err().code(),
            "authentication_failed"
        );
        let relabelled = json!({"alg": "HS384", "typ": "nonce"});
        let relabelled = forge(hmac::HMAC_SHA384, &relabelled, "download", &payload());
        assert_eq!(refusal("download", &relabelled), "authentication_failed");
        let unlabelled = forge(hmac::HMAC_SHA384, &json!({"alg": "HS384"}), "download", &payload());
        assert_eq!(refusal("download", &unlabelled), "authentication_failed");
    }

    #[test]
    fn other_algorithms_are_refused_even_with_the_right_key() {
        for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            let header = json!({"alg": name, "typ": "download"});
            let token = forge(algorithm, &header, "download", &payload());
            assert_eq!(refusal("download", &token), "authentication_failed", "{name}");
        }
        for name in ["none", "None", "", "ES384", "RS256", "EdDSA"] {
            let header = b64(&json!({"alg": name, "typ": "download"}));
            let unsigned = format!("{header}.{}.", b64(&payload()));
            assert_ne!(refusal("download", &unsigned), "", "{name}");
        }
    }

    #[test]
    fn altered_payload_header_or_signature_is_refused() {
        let token = key().sign("download", &claims()).unwrap();
        let parts: Vec<_> = token.split('.').collect();
        let other = b64(&json!({"file": "a/c", "exp": 1000}));
        let swapped = format!("{}.{other}.{}", parts[0], parts[2]);
        assert_eq!(refusal("download", &swapped), "authentication_failed");
        for at in 0..token.len() {
            let mut bad = token.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            refusal("download", std::str::from_utf8(&bad).unwrap());
        }
    }

    #[test]
    fn junk_is_malformed_and_not_quoted() {
        for junk in ["", ".", "..", "...", "a.b.c", "s3cret", "é.é.é", &"x".repeat(20_000)] {
            let error = key().verify::<Claims>("download", junk).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
            assert_eq!(error.code(), "malformed", "{junk:.20}");
        }
        let other_shape = key().sign("download", &json!({"file": "s3cret", "exp": 9})).unwrap();
        let error = key().verify::<Vec<u8>>("download", &other_shape).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }

    fn refusal(typ: &'static str, token: &str) -> &'static str {
        key().verify::<Claims>(typ, token).unwrap_err().code()
    }

    /// Computed by pyca/cryptography from `FORMAT.md`.
    const GOLDEN: &str = concat!(
        "eyJ0eXAiOiJkb3dubG9hZCIsImFsZyI6IkhTMzg0In0.",
        "eyJmaWxlIjoiYS9iIiwiZXhwIjoxMDAwfQ.",
        "ky87lTu9sI260X2TB-LIyy8ms8a8MgZRTGszoP3YOPcWru7VQeDSpssJ4-qdYzJy",
    );
}
