//! The silo `mysql`: a MariaDB or MySQL server, read in one read-only snapshot (repeatable read) where its tables have one.
//!
//! Types are the server's: what a column becomes is known before its first row (`column.rs`), but for days that no calendar has,
//! such as `0000-00-00`: a look at the selected rows finds them, and such a column becomes text (`loose.rs`). Rows stream unbuffered
//! in binary form into Arrow columns over a bounded channel; a reader that waits leaves them on the server.
//!
//! The server compares a text with a number by whatever number the text begins with, so that `'abc'` equals 0. Values are therefore
//! bound in the type of the column they are compared with, and one that is none of that type matches no row (`bind.rs`). In a query,
//! where only the server knows what a parameter is compared with, a text that it took for a number refuses the section
//! (`coerced.rs`), and numbers that it would round are written as decimals (`digits.rs`); a collation that finds other people's letters refuses it, too
//! (`letters.rs`). A snapshot cannot be shared among connections, so there is no session [`beside`](crate::silo::Session::beside)
//! another.

mod ask;
mod batch;
mod bind;
mod catalogue;
mod coerced;
mod column;
mod compare;
mod describe;
mod digits;
mod distinct;
mod explain;
mod fault;
mod key;
mod letters;
mod link;
mod loose;
mod moment;
mod name;
mod narrow;
mod order;
mod read;
mod scalar;
mod select;
mod tls;
mod url;

mod silo;

pub use silo::{Limits, MysqlSilo};
