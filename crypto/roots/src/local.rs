//! A root key in this process's memory.

use std::fmt;
use std::path::Path;

use antumbra_crypto::{Context, Error as CryptoError, Root, Secret32, SecretBytes};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::{Error, key_file};

/// Wraps with AES-256-GCM under a key derived from a 32-byte root key.
///
/// Its id is `local:` and 8 hex digits that follow from the key and do not lead back to it, so a
/// ring that is opened with the wrong key file says so instead of failing to authenticate. The
/// bytes of a wrap are in `crypto/FORMAT.md` § Local root.
pub struct LocalRoot {
    id: String,
    key: LessSafeKey,
}

impl LocalRoot {
    /// Reads the root key from a file that [`generate_key_file`](crate::generate_key_file) made:
    /// base64 of 32 bytes, white space around it allowed.
    ///
    /// Blocks on I/O.
    ///
    /// # Errors
    ///
    /// [`Error::KeyFileMode`] if group or others have any right to the file, [`Error::KeyFile`] if
    /// it cannot be read, [`Error::KeyText`] if no key is in it.
    pub fn from_key_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let text = key_file::read(path.as_ref())?;
        Self::from_text(text.expose_str().map_err(|_| Error::KeyText)?)
    }

    /// Takes the root key as text: base64 of 32 bytes, white space around it allowed.
    ///
    /// # Errors
    ///
    /// [`Error::KeyText`] if it is anything else.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let key = STANDARD.decode(text.trim()).map_err(|_| Error::KeyText)?;
        let key = SecretBytes::new(key);
        let key = Secret32::from_slice(key.expose()).map_err(|_| Error::KeyText)?;
        Ok(Self::new(&key))
    }

    fn new(root_key: &Secret32) -> Self {
        let prk = Salt::new(HKDF_SHA256, &[]).extract(root_key.expose());
        let mut fingerprint = [0; 4];
        expand(&prk, b"antumbra/local-root/id", &mut fingerprint);
        let wrapping = prk
            .expand(&[b"antumbra/local-root/wrap"], &AES_256_GCM)
            .expect("32 bytes are below HKDF's limit");
        let id = format!("local:{:08x}", u32::from_be_bytes(fingerprint));
        Self { id, key: LessSafeKey::new(UnboundKey::from(wrapping)) }
    }

    fn seal(
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

#[async_trait]
impl Root for LocalRoot {
    fn id(&self) -> &str {
        &self.id
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, CryptoError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| CryptoError::Random)?;
        self.seal(secret, context, nonce)
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, CryptoError> {
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
}

impl fmt::Debug for LocalRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalRoot({})", self.id)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 00 to 1f.
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn root() -> LocalRoot {
        LocalRoot::from_text(KEY).unwrap()
    }

    fn context() -> Context {
        Context::new("antumbra/kek").with("kek_1")
    }

    #[test]
    fn id_and_bytes_are_frozen() {
        assert_eq!(root().id(), "local:c4e63ede");
        let sealed = root().seal(&SecretBytes::new(vec![2; 32]), &context(), [3; 12]).unwrap();
        let hex: String = sealed.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, GOLDEN);
    }

    #[tokio::test]
    async fn secret_returns_in_its_context_only() {
        let secret = SecretBytes::from_slice(b"any length of secret");
        let wrapped = root().wrap(&secret, &context()).await.unwrap();
        let back = root().unwrap(&wrapped, &context()).await.unwrap();
        assert_eq!(back.expose(), secret.expose());
        let moved = Context::new("antumbra/kek").with("kek_2");
        assert_eq!(code(&root(), &wrapped, &moved).await, "authentication_failed");
        let other = LocalRoot::new(&Secret32::generate().unwrap());
        assert_eq!(code(&other, &wrapped, &context()).await, "authentication_failed");
    }

    #[tokio::test]
    async fn altered_or_truncated_wrap_is_refused() {
        let wrapped = root().wrap(&SecretBytes::new(vec![2; 32]), &context()).await.unwrap();
        for at in 0..wrapped.len() {
            let mut bad = wrapped.clone();
            bad[at] ^= 1;
            let want = if at == 0 { "malformed" } else { "authentication_failed" };
            assert_eq!(code(&root(), &bad, &context()).await, want, "{at}");
            let short = code(&root(), &wrapped[..at], &context()).await;
            assert_eq!(short, if at < 29 { "truncated" } else { "authentication_failed" }, "{at}");
        }
    }

    #[test]
    fn text_that_is_no_key_is_refused_and_not_quoted() {
        assert!(LocalRoot::from_text(&format!("  {KEY}\r\n")).is_ok());
        for bad in ["", "s3cret", &KEY[..40], &format!("{KEY}{KEY}"), "AAEC"] {
            let error = LocalRoot::from_text(bad).unwrap_err();
            assert_eq!(error.code(), "root_key_malformed");
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
    }

    #[test]
    fn debug_prints_the_id_alone() {
        assert_eq!(format!("{:?}", root()), "LocalRoot(local:c4e63ede)");
    }

    async fn code(root: &LocalRoot, wrapped: &[u8], context: &Context) -> &'static str {
        root.unwrap(wrapped, context).await.unwrap_err().code()
    }

    /// Computed by pyca/cryptography from `FORMAT.md`.
    const GOLDEN: &str = concat!(
        "01030303030303030303030303",
        "f28dbe0d488536135ffa9e059fb5cc3682e9305252592ca3c75ed826c9382caa",
        "f16fa39525787f7c151973935732f21f",
    );
}
