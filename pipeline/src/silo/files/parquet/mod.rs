//! How are Parquet files read? What statistics exclude is left in the store; of the rest the columns that select come first.

mod file;
mod pace;
mod pages;
mod prune;
mod read;

pub(super) use read::{columns, count, read};
