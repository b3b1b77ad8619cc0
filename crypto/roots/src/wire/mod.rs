//! A small HTTP client: one address, bounded answers, bounded time, no redirects.
//!
//! Request bodies and answers are overwritten when they are dropped; what hyper and rustls buffer
//! on the way is not.

mod address;
mod client;
mod patience;
mod trust;

pub(crate) use address::Address;
pub(crate) use client::{Answer, Client};
pub use patience::Patience;
pub(crate) use trust::Trust;

#[cfg(test)]
mod tests;
