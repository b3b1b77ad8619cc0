//! What wraps the key ring.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Context, Error, Secret32, SecretBytes};

/// Wraps the key-encryption keys of a ring: a local key, a KMS, a vault.
///
/// The root key itself never leaves its implementation.
#[async_trait]
pub trait Root: fmt::Debug + Send + Sync {
    /// Names the provider and the key, never the key itself. The ring file remembers it beside
    /// each key that this root wrapped, so it must not change while the root key stays the same.
    fn id(&self) -> &str;

    /// Wraps a secret so that only this root, given the same context, unwraps it.
    ///
    /// # Errors
    ///
    /// [`Error::Root`] with the provider's reason, or [`Error::Random`].
    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Error>;

    /// Unwraps what [`wrap`](Self::wrap) returned for the same context.
    ///
    /// # Errors
    ///
    /// [`Error::Authentication`] if the bytes or the context are not those of the wrap,
    /// [`Error::Root`] if the provider could not say.
    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Error>;

    /// Makes a fresh key and its wrapping.
    ///
    /// By default the key is 32 random bytes of this process; a KMS makes it itself.
    ///
    /// # Errors
    ///
    /// As [`wrap`](Self::wrap).
    async fn generate(&self, context: &Context) -> Result<(Secret32, Vec<u8>), Error> {
        let secret = Secret32::generate()?;
        let wrapped = self.wrap(&SecretBytes::from_slice(secret.expose()), context).await?;
        Ok((secret, wrapped))
    }

    /// Brings what [`wrap`](Self::wrap) returned for the same context under the newest version of
    /// the root's key.
    ///
    /// Bytes equal to `wrapped` say that no newer version would be better: the ring then has
    /// nothing to write. By default the root's key has no versions, so this checks the wrapping
    /// and returns it as it is. A KMS rewraps without showing the secret; a vault cannot where the
    /// wrapping has associated data, so its root unwraps into this process and wraps again.
    ///
    /// # Errors
    ///
    /// As [`wrap`](Self::wrap) and [`unwrap`](Self::unwrap).
    async fn rewrap(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, Error> {
        self.unwrap(wrapped, context).await?;
        Ok(wrapped.to_vec())
    }
}

/// Holds the root that wraps now, and older ones that still unwrap.
///
/// Moving to another root takes three steps: name the new one as the current root and the old one
/// as older, rewrap the ring, drop the older one.
#[derive(Debug, Clone)]
pub struct Roots {
    current: Arc<dyn Root>,
    older: Vec<Arc<dyn Root>>,
}

impl Roots {
    /// Takes the root that wraps.
    #[must_use]
    pub fn new(current: Arc<dyn Root>) -> Self {
        Self { current, older: Vec::new() }
    }

    /// Adds a root that unwraps only.
    #[must_use]
    pub fn with_older(mut self, root: Arc<dyn Root>) -> Self {
        self.older.push(root);
        self
    }

    /// Returns the root that wraps.
    #[must_use]
    pub fn current(&self) -> &Arc<dyn Root> {
        &self.current
    }

    /// Finds the root of this id; of several the current one, then the one added first.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<dyn Root>> {
        std::iter::once(&self.current).chain(&self.older).find(|root| root.id() == id)
    }
}
