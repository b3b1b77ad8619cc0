//! The plan: which sections are read, with which identifiers, in which order.
//!
//! Datapoints say which identifiers they need and which they `provide`; [`build()`] follows these edges to a fixed point. What
//! it found is stored sealed with the job, so that a resumed job reads what it began to read.

mod build;
mod fingerprint;
mod graph;
mod model;
mod outline;
mod preview;

#[cfg(test)]
mod tests;

pub use build::{build, section};
pub use fingerprint::Fingerprint;
pub use model::{Guards, Plan, Planned, Provided, Rules, Skipped};
pub use outline::{Column, Edge, Faults, Known, Outline, Section};
pub use preview::{preview, tenant_secret};
