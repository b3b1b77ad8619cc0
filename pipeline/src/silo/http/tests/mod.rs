//! What a service can do wrong, and what is made of it.

mod access;
mod faults;
mod paging;
mod rows;
mod service;
mod stub;
mod tls;

use service::{drain, ids, items, known, read, refused, settings, silo, with_resolver};
pub(super) use service::{endpoint, section};
