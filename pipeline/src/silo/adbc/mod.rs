//! The `adbc` silo: whatever an ADBC driver reaches. The driver's library is loaded by its path; its Arrow batches are taken as they come.
//!
//! - What databases write differently is found out by asking: how a name is quoted, how a value is handed over, how a moment is
//!   written. Nothing is used before the database has answered with the very name or value that was meant.
//! - A driver that binds no parameters gets values as hexadecimal digits inside an expression that makes text of them: whatever a
//!   value holds, only the digits `0` to `F` stand in the statement.
//! - A key is one only if the driver says so; else the section is unsplit. Where the driver has transactions, a session is one.
//! - Batches whose types are ours are passed on without copying; everything else has an exact form, and none is rounded.

mod batch;
mod bind;
mod cell;
mod coerced;
mod column;
mod convert;
mod describe;
mod dialect;
mod distinct;
mod explain;
mod fault;
mod key;
mod link;
mod narrow;
mod proof;
mod read;
mod select;
mod silo;
mod written;

#[cfg(test)]
mod tests;

pub use silo::AdbcSilo;
