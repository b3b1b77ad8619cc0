//! ADBC drivers, loaded at run time by the path of their shared library.
//!
//! [ADBC](https://arrow.apache.org/adbc/) is a C interface to databases whose results are Arrow batches. Everything here blocks and
//! belongs on a thread that may; the one call that does not wait for another is [`Canceller::cancel`]. A library that is loaded stays
//! loaded until the process ends, and runs with all its rights: only its path decides which code that is.
//!
//! A driver's own words quote data and passwords. None of them is passed on: an [`Error`] holds ADBC's status and the SQLSTATE.

mod connection;
mod driver;
mod error;
mod keys;
mod statement;

pub use connection::Connection;
pub use driver::{Database, Driver};
pub use error::{Error, Said};
pub use statement::{Canceller, Rows, Statement};
