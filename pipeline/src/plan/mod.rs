//! The plan: which sections are read, with which identifiers, in which order.
//!
//! Datapoints say which identifiers they need and which they `provide`; [`build()`] follows these edges to a fixed point. What
//! it found is stored sealed with the job, so that a resumed job reads what it began to read.

mod build;
mod graph;
mod model;

pub use build::{build, section};
pub use model::{Plan, Planned, Skipped};
