//! A root key in a test, which can stop answering.

use std::sync::{Mutex, PoisonError};

use antumbra_crypto::{Context, Error, Retry, Root, SecretBytes};
use antumbra_roots::LocalRoot;
use async_trait::async_trait;

/// A local root that answers unless it is switched off.
#[derive(Debug)]
pub(crate) struct SwitchedRoot {
    inner: LocalRoot,
    /// What it advises instead of answering.
    off: Mutex<Option<Retry>>,
}

impl SwitchedRoot {
    pub(super) fn new() -> Self {
        let inner = LocalRoot::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        Self { inner, off: Mutex::default() }
    }

    /// Stops answering with this advice, or answers again.
    pub(crate) fn switch(&self, off: Option<Retry>) {
        *self.off.lock().unwrap() = off;
    }

    fn answers(&self) -> Result<(), Error> {
        let Some(retry) = *self.off.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Ok(());
        };
        let source = "https://vault.example:8200 said nothing".into();
        Err(Error::Root { root: self.id().to_owned(), retry, source })
    }
}

#[async_trait]
impl Root for SwitchedRoot {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Error> {
        self.answers()?;
        self.inner.wrap(secret, context).await
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Error> {
        self.answers()?;
        self.inner.unwrap(wrapped, context).await
    }
}
