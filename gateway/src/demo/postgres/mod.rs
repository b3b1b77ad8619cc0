//! The demo's other source: the same shop in a PostgreSQL server of the demo's own.
//!
//! The shop is invented once, by `shop`, and copied row by row: what differs between the two sources is how values are
//! typed, not what they are. The server listens on a free port of the loopback device, for passwords that are made anew.

mod server;

mod account;
mod place;
mod tools;

mod copy;
mod tables;

pub(super) use server::Server;
