//! What wraps the key ring.

use std::fmt;

use async_trait::async_trait;

use crate::{Context, Error, SecretBytes};

/// Wraps the key-encryption keys of a ring: a local key, a KMS, a vault.
///
/// The root key itself never leaves its implementation.
#[async_trait]
pub trait Root: fmt::Debug + Send + Sync {
    /// Names the provider and the key, never the key itself. A ring remembers it, and opens only
    /// with a root of the same name.
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
}
