//! The silo `postgres`: a PostgreSQL server, read in one read-only snapshot (repeatable read).
//!
//! Types are the server's: what a column becomes is known before its first row (`column.rs`). Rows stream in binary form into
//! Arrow columns over a bounded channel; a reader that waits leaves them on the server. They come from a portal, not from `COPY`:
//! taking over a million rows of nine columns took 0.64 CPU-seconds of a portal and 0.63 of `COPY … (format binary)`, whose
//! parameters would have to go through settings and be cast by hand, on plans that see no value. What did count is where rows are
//! taken over: with the reader in a task of its own it was 0.73 to 0.95 (`drive.rs`); a parser on a bare socket takes 0.44.
//!
//! A connection whose session ended well waits for the next one with the statements prepared on it (`pool.rs`, `begin.rs`); what the
//! catalogue says of tables is remembered, and whether it still holds is asked once in a snapshot, for all of them (`marks.rs`); what a
//! query returns is asked in the same round trip as it is used (`facts.rs`). So a section of a silo that is known costs two round trips:
//! one to describe it, one to read it. A session can be joined by others in its snapshot, for an hour; where
//! the server cannot share one there are none. Together they read a large table in parts; `bounds.rs` finds keys that part it.
//!
//! Client certificates: `sslcert` and `sslkey` in the URL. `sslnegotiation=direct` needs PostgreSQL 17 or newer; older servers
//! hang up.
//!
//! Values are bound as text, so that the server reads each as the type it is compared with; a value that is no text of that type
//! matches no row (`bind.rs`).

mod array;
mod batch;
mod begin;
mod bind;
mod bounds;
mod column;
mod count;
mod describe;
mod distinct;
mod drive;
mod explain;
mod facts;
mod fault;
#[cfg(any(test, feature = "fuzz"))]
pub(in crate::silo) mod fuzz;
mod indexes;
mod interval;
mod key;
mod link;
mod marks;
mod narrow;
mod numeric;
mod pool;
mod read;
mod scalar;
mod select;
mod tls;
mod url;
mod valid;

mod silo;

pub use silo::{Limits, PostgresSilo};
