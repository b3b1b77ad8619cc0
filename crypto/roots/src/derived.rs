//! A wrapping key derived from a secret in this process's memory.

use antumbra_crypto::{Context, Error as CryptoError, SecretBytes};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

/// What a derivation is for: two roots with one secret share no key.
pub(crate) struct Labels {
    pub(crate) scheme: &'static str,
    pub(crate) id: &'static [u8],
    pub(crate) wrap: &'static [u8],
}

/// AES-256-GCM under a derived key, and the name that follows from the secret but does not lead
/// back to it.
pub(crate) struct DerivedKey {
    id: String,
    key: LessSafeKey,
}

impl DerivedKey {
    pub(crate) fn new(secret: &[u8], labels: &Labels) -> Self {
        let prk = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let mut fingerprint = [0; 4];
        expand(&prk, labels.id, &mut fingerprint);
        let info = [labels.wrap];
        let wrapping = prk.expand(&info, &AES_256_GCM).expect("32 bytes are below HKDF's limit");
        let id = format!("{}:{:08x}", labels.scheme, u32::from_be_bytes(fingerprint));
        Self { id, key: LessSafeKey::new(UnboundKey::from(wrapping)) }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn wrap(
        &self,
        secret: &SecretBytes,
        context: &Context,
    ) -> Result<Vec<u8>, CryptoError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| CryptoError::Random)?;
        self.seal(secret, context, nonce)
    }

    pub(crate) fn unwrap(
        &self,
        wrapped: &[u8],
        context: &Context,
    ) -> Result<SecretBytes, CryptoError> {
        let (version, rest) = wrapped.split_first().ok_or(CryptoError::Truncated)?;
        if *version != VERSION {
            return Err(CryptoError::malformed("wrapped key: version"));
        }
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(CryptoError::Truncated)?;
        let plain_len = body.len().checked_sub(AES_256_GCM.tag_len());
        let plain_len = plain_len.ok_or(CryptoError::Truncated)?;
        let mut body = body.to_vec();
        // On failure ring zeroes the buffer; on success it becomes the secret.
        self.key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(context), &mut body)
            .map_err(|_| CryptoError::Authentication)?;
        body.truncate(plain_len);
        Ok(SecretBytes::new(body))
    }

    /// There is one version of the key, so a wrap that opens stays as it is.
    pub(crate) fn rewrap(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, CryptoError> {
        self.unwrap(wrapped, context)?;
        Ok(wrapped.to_vec())
    }

    pub(crate) fn seal(
        &self,
        secret: &SecretBytes,
        context: &Context,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, CryptoError> {
        let mut out = Vec::with_capacity(HEADER_LEN + secret.len() + AES_256_GCM.tag_len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(secret.expose());
        let (_, body) = out.split_at_mut(HEADER_LEN);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, aad(context), body)
            .map_err(|_| CryptoError::LimitReached { what: "bytes of one wrapped key" })?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }
}

fn aad(context: &Context) -> Aad<Vec<u8>> {
    Aad::from([&[VERSION], context.as_bytes()].concat())
}

fn expand(prk: &Prk, info: &[u8], out: &mut [u8; 4]) {
    prk.expand(&[info], Four)
        .and_then(|okm| okm.fill(out))
        .expect("4 bytes are below HKDF's limit and are the buffer's length");
}

#[derive(Clone, Copy)]
struct Four;

impl KeyType for Four {
    fn len(&self) -> usize {
        4
    }
}

const VERSION: u8 = 1;
const HEADER_LEN: usize = 1 + NONCE_LEN;
