//! Handing out a bundle: download keys, and the bytes they open.
//!
//! What is sent is fixed before the first byte goes out: length, entity tag, range, encoding. The functions that decide
//! it are pure; only `stream.rs` touches bytes.

mod download_key;
mod links;

mod conditions;
mod disposition;
mod encoding;
mod range;
mod representation;

mod stream;

pub(crate) use conditions::{Answer, decide};
pub(crate) use download_key::{CLIENT_WORDS, mint, open};
pub(crate) use links::BundleLinks;
pub(crate) use representation::{Representation, bundle_name};
pub(crate) use stream::{Sending, send};
