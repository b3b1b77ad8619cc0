//! The demo's source: a shop's database, invented from a seed.
//!
//! Nobody in it exists: addresses end in `example.org`, `example.com` and `example.net`, phone numbers come from ranges
//! that are kept free for fiction, IP addresses from the documentation networks. The same scale gives the same
//! bytes each time, so a run can be compared with another.

mod create;
mod schema;

mod events;
mod images;
mod orders;
mod payments;
mod people;
mod support;

mod names;
mod random;

pub(crate) use create::{BUSIEST, Scale, create};
pub(super) use schema::INDEXES;
#[cfg(test)]
pub(super) use schema::TABLES;
