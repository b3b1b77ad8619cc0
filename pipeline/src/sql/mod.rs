//! SQL as text: finding `:name` parameters, quoting names. No statement is ever made by pasting values.

mod parameters;
mod quote;

pub use parameters::{Part, Statement};
pub use quote::quote;
