//! The silo `postgres`: a PostgreSQL server, read in one read-only snapshot (repeatable read).
//!
//! Types are the server's: what a column becomes is known before its first row (`column.rs`). Rows stream in binary form into
//! Arrow columns over a bounded channel; a reader that waits leaves them on the server. Values are bound as text, so that the
//! server reads each as the type it is compared with; a value that is no text of that type matches no row (`bind.rs`).

mod array;
mod batch;
mod bind;
mod column;
mod describe;
mod distinct;
mod explain;
mod fault;
mod indexes;
mod interval;
mod key;
mod link;
mod narrow;
mod numeric;
mod read;
mod scalar;
mod select;
mod tls;
mod url;
mod valid;

mod silo;

pub use silo::{Limits, PostgresSilo};
