//! The `files` silo: CSV, NDJSON, JSON and Parquet in a directory or a bucket, and files that are handed out as they are.
//!
//! Files are read in the order of their names, each as it was when it was listed: one that changed since is an error, and the
//! section begins again. There is no order by key, so sections are unsplit. Names of files may hold identifiers: an error calls a
//! file by its place in that order.
//!
//! - CSV: the header names the columns; all are text unless settings say otherwise. `.gz` and `.zst` are decompressed.
//! - NDJSON, JSON: columns are learned from a sample; what has none goes into the last column.
//! - Parquet: row groups and pages that statistics exclude are not read.
//! - Local files: links that lead out of the directory are not followed.

mod attach;
mod bucket;
mod bytes;
mod connector;
mod csv;
mod explain;
mod fault;
#[cfg(any(test, feature = "fuzz"))]
pub(in crate::silo) mod fuzz;
mod job;
mod json;
mod local;
mod parquet;
mod place;
mod select;
mod silo;
mod text;
mod values;
mod wanted;
mod written;

#[cfg(test)]
mod tests;

pub use silo::FilesSilo;
