//! A root key in this process's memory.

use std::fmt;
use std::path::Path;

use antumbra_crypto::{Context, Error as CryptoError, Root, Secret32, SecretBytes};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::derived::{DerivedKey, Labels};
use crate::{Error, key_file};

/// Wraps with AES-256-GCM under a key derived from a 32-byte root key.
///
/// Its id is `local:` and 8 hex digits that follow from the key and do not lead back to it, so a
/// ring that is opened with the wrong key file says so instead of failing to authenticate. The
/// bytes of a wrap are in `crypto/FORMAT.md` § Local root.
pub struct LocalRoot(DerivedKey);

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
        Self(DerivedKey::new(root_key.expose(), &LABELS))
    }
}

#[async_trait]
impl Root for LocalRoot {
    fn id(&self) -> &str {
        self.0.id()
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, CryptoError> {
        self.0.wrap(secret, context)
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, CryptoError> {
        self.0.unwrap(wrapped, context)
    }

    async fn rewrap(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, CryptoError> {
        self.0.rewrap(wrapped, context)
    }
}

impl fmt::Debug for LocalRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalRoot({})", self.0.id())
    }
}

const LABELS: Labels =
    Labels { scheme: "local", id: b"antumbra/local-root/id", wrap: b"antumbra/local-root/wrap" };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

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
        let sealed = root().0.seal(&SecretBytes::new(vec![2; 32]), &context(), [3; 12]).unwrap();
        let hex: String = sealed.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, GOLDEN);
    }

    #[tokio::test]
    async fn roots_conform_and_are_strangers() {
        conformance::every(&root()).await;
        let other = LocalRoot::new(&Secret32::generate().unwrap());
        conformance::strangers(&root(), &other).await;
    }

    #[tokio::test]
    async fn secret_returns_in_its_context_only() {
        let secret = SecretBytes::from_slice(b"any length of secret");
        let wrapped = root().wrap(&secret, &context()).await.unwrap();
        let back = root().unwrap(&wrapped, &context()).await.unwrap();
        assert_eq!(back.expose(), secret.expose());
        assert_eq!(root().rewrap(&wrapped, &context()).await.unwrap(), wrapped);
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
