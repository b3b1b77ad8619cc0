//! The silo `sqlite`: a database file, read in one read-only transaction.
//!
//! Declared types are hints in SQLite: what a column becomes is decided by the storage classes its selected rows really
//! have (`column.rs`). Blocking calls run off the runtime; rows leave as Arrow batches over a bounded channel.

mod batch;
mod column;
mod connection;
mod describe;
mod explain;
mod fault;
mod key;
mod ordered;
mod read;
mod select;

mod silo;

pub use silo::SqliteSilo;
