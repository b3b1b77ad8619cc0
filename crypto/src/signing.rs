//! Signatures that others check: ES384, ECDSA on P-384 with SHA-384.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::public_key::PublicKey;
use crate::{Error, SecretBytes, VerifyingKey};

/// Signs manifests so that anyone with the public key can tell who made them.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
    kid: String,
}

impl SigningKey {
    /// Makes a fresh key, and its PKCS #8 form for keeping.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes.
    pub fn generate() -> Result<(Self, SecretBytes), Error> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| Error::Random)?;
        let pkcs8 = SecretBytes::from_slice(document.as_ref());
        Ok((Self::from_pkcs8(pkcs8.expose())?, pkcs8))
    }

    /// Reads a P-384 key from PKCS #8 version 1 in DER, public key included.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is not such a key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, Error> {
        let rng = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8, &rng)
            .map_err(|_| Error::malformed("signing key: not a P-384 key in PKCS #8"))?;
        let public = PublicKey::from_point(pair.public_key().as_ref())?;
        let kid = public.kid();
        Ok(Self { pair, public, kid })
    }

    /// Returns the key's name: its RFC 7638 thumbprint in base64url, 43 characters.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the public key as `SubjectPublicKeyInfo` in PEM: 64 columns, a newline at the end.
    #[must_use]
    pub fn public_pem(&self) -> String {
        self.public.to_pem()
    }

    /// Returns the key that checks this one's signatures.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::new(self.public.clone())
    }

    /// Signs bytes as a detached JWS, `header..signature`
    /// ([RFC 7515 appendix F](https://www.rfc-editor.org/rfc/rfc7515#appendix-F)): compact
    /// serialization with the payload left out, header `{"alg":"ES384","kid":…}`.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes.
    pub fn sign_detached(&self, payload: &[u8]) -> Result<String, Error> {
        // The kid is base64url: nothing in it needs escaping.
        let header = format!(r#"{{"alg":"ES384","kid":"{}"}}"#, self.kid);
        let header = URL_SAFE_NO_PAD.encode(header);
        let message = signing_input(&header, payload);
        let signature =
            self.pair.sign(&SystemRandom::new(), message.as_bytes()).map_err(|_| Error::Random)?;
        Ok(format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// What a JWS signs: header and payload in base64url, with a dot between them.
pub(crate) fn signing_input(header: &str, payload: &[u8]) -> String {
    let mut text = String::with_capacity(header.len() + 1 + payload.len().div_ceil(3) * 4);
    text.push_str(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_key_is_the_same_key() {
        let (key, pkcs8) = SigningKey::generate().unwrap();
        let again = SigningKey::from_pkcs8(pkcs8.expose()).unwrap();
        assert_eq!(again.kid(), key.kid());
        assert_eq!(again.public_pem(), key.public_pem());
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.kid()));
        assert_eq!(key.kid().len(), 43);
    }

    #[test]
    fn junk_is_not_a_key() {
        for junk in [&b""[..], b"junk", &[0x30; 185]] {
            assert_eq!(SigningKey::from_pkcs8(junk).unwrap_err().code(), "malformed");
        }
    }

    #[test]
    fn signature_is_fixed_length_r_and_s() {
        let (key, _) = SigningKey::generate().unwrap();
        let jws = key.sign_detached(b"{}").unwrap();
        let parts: Vec<_> = jws.split('.').collect();
        assert_eq!((parts.len(), parts[1]), (3, ""));
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[2]).unwrap().len(), 96);
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
        assert_eq!(header, format!(r#"{{"alg":"ES384","kid":"{}"}}"#, key.kid()));
    }
}
