//! The silo `http`: a REST service that answers in JSON.
//!
//! Placeholders of path and query select: one series of requests for each value of each identifier, page after page until the service
//! says there are no more. Items become rows as [`items`](super::items) has it. A service gives no snapshot and proves no key, so
//! that a section is read unsplit, in the service's order.
//!
//! What is called is guarded where the connection is made (`connect.rs`): a name that leads to a private address is refused whenever
//! it does, and no redirect leaves the service. Bodies are never quoted: errors and notes say what, not what it held.

mod address;
mod answer;
mod auth;
mod client;
mod connect;
mod fault;
mod link;
mod narrow;
mod pages;
mod paging;
mod pause;
mod read;
mod template;
mod tls;

mod silo;

#[cfg(test)]
mod tests;

pub use silo::HttpSilo;
