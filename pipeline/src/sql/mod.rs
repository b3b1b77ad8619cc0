//! SQL as text: finding `:name` parameters, quoting names. No statement is ever made by pasting values.

mod join;
mod parameters;
mod quote;

pub(crate) use join::{either, select};
pub use parameters::{Part, Statement};
pub use quote::quote;
