//! Accepting connections, limiting and routing requests, shaping answers and errors.
//!
//! Errors become statuses in `error.rs` and bodies in `shape.rs`, and nowhere else.

mod server;

mod accept;
mod activity;
mod connection;
mod deadline;
mod idle;
mod protocol;
mod router;
mod shared;
mod stack;

mod body;
mod error;
mod query;
mod request_id;
mod shape;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod testing_root;
#[cfg(test)]
mod tests;

pub use server::Gateway;

pub(crate) use accept::accept;
pub(crate) use body::{Body, BoxError, RequestBody, empty, full, json, read};
pub(crate) use error::ApiError;
pub(crate) use query::Query;
pub(crate) use router::Call;
pub(crate) use shape::{CONTRACT_VERSION, Family};
pub(crate) use shared::Shared;
