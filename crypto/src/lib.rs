//! Key ring, envelopes, sealed streams, sealed fields and signed tokens: bytes in, bytes out.
//!
//! This crate reads no file, opens no socket and asks no clock. What it writes is specified byte
//! by byte in `FORMAT.md` beside this crate, and everything sealed is bound to its place by a
//! [`Context`], so that a ciphertext moved elsewhere does not open.
//!
//! Secrets live in [`Secret32`] and [`SecretBytes`]: they print nothing and are overwritten when
//! dropped. Key schedules inside ring are not overwritten when freed; nothing outside ring can
//! reach them.

mod error;
mod random;
mod secret;

mod context;
mod derive;
mod digest;

pub mod message;
pub mod stream;

mod keyring;
pub mod tinkey;

mod fields;
mod index;
mod pseudonym;

mod provider;
mod token;

mod public_key;
mod signing;
mod verifying;

pub mod api_key;
mod internal_key;

pub use api_key::ApiKeyText;
pub use context::Context;
pub use error::{Error, Retry};
pub use fields::FieldCipher;
pub use index::BlindIndex;
pub use internal_key::InternalKeys;
pub use keyring::{
    KeyInfo, KeyRing, KeyState, LiveRing, RingSource, Root, Roots, WrappedKey, envelope_key_id,
};
pub use pseudonym::Pseudonyms;
pub use secret::{Secret32, SecretBytes};
pub use signing::SigningKey;
pub use token::TokenKey;
pub use verifying::{VerifyingKey, detached_kid};
