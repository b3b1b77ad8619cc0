//! Output formats: one file each, in a closed list.
//!
//! An encoder turns a section's batches into the plain bytes of one file, in three movements that a crash may separate:
//! prologue, slices, epilogue. The bytes of a slice depend on its rows and on whether it is the first with rows, on nothing else.

mod cell;
mod csv;
mod encoder;
mod footer;
mod json;
mod parquet;
mod row_group;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use encoder::{EncodeError, Encoder, extension, keeps_of_slices, media_type, method};
