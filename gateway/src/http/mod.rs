//! Accepting connections, limiting and routing requests, shaping answers and errors.
//!
//! Errors become statuses in `error.rs` and nowhere else.

mod server;

mod accept;
mod connection;
mod idle;
mod router;
mod shared;
mod stack;

mod body;
mod error;
mod query;
mod request_id;

#[cfg(test)]
pub(crate) mod testing;

pub use server::Gateway;

pub(crate) use body::{Body, BoxError, RequestBody, empty, full, json, read};
pub(crate) use error::{ApiError, Family};
pub(crate) use query::Query;
pub(crate) use router::Call;
pub(crate) use shared::Shared;
