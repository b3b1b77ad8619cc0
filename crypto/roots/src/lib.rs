//! Where the root key lives: the implementations of [`antumbra_crypto::Root`].
//!
//! The root key wraps the key-encryption keys of the ring and nothing else.
//!
//! - [`LocalRoot`] holds it in memory, from a key file or from a text that somebody else kept (an
//!   environment variable, a systemd credential).
//! - [`SombraRoot`] derives it from the `JWT_ECDSA_KEY` of a Sombra installation.
//! - [`AwsKmsRoot`] and [`VaultRoot`] ask a KMS or a vault, which never gives it away.
//!   [`CachedRoot`] stands in front of them and remembers their answers for a bounded time.
//!
//! None of them falls back to anything when its key cannot be had: the call fails, and
//! [`Error::retry`] says whether it is worth another try. An error that is not about the bytes
//! reaches the caller as [`antumbra_crypto::Error::Root`], whose source is an [`Error`] of this
//! crate.

mod error;
mod fault;

mod derived;
mod key_file;
mod local;
mod sombra;

mod secret_source;
mod secret_text;
mod wire;

mod aws;
mod vault;

mod cached;

#[cfg(any(test, feature = "test-util"))]
pub mod conformance;

#[cfg(test)]
mod stub;

pub use aws::{AwsCredentials, AwsKms, AwsKmsRoot};
pub use cached::CachedRoot;
pub use error::Error;
pub use key_file::generate_key_file;
pub use local::LocalRoot;
pub use secret_source::SecretSource;
pub use sombra::SombraRoot;
pub use vault::{Vault, VaultAuth, VaultRoot};
pub use wire::Patience;
