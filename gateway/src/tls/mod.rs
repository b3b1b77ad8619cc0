//! TLS: what the listener shows to callers, and how commands trust a daemon.
//!
//! Architecture invariant: `provider.rs` is the only place that names who does the cryptography.

mod error;
mod files;
mod identity;

mod client;
mod trust;

mod provider;

#[cfg(test)]
pub(crate) mod testing;

pub use error::TlsError;

pub(crate) use client::Connector;
pub(crate) use identity::{H2, server_config};
pub(crate) use trust::{Trust, client_config};
