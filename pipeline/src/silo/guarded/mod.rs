//! What is a silo spared? A decorator around every silo: connections, budgets, a circuit that opens, metrics.

mod budget;
mod circuit;
mod guard;
mod metrics;
mod session;
mod silo;
mod state;
mod toll;

#[cfg(test)]
mod tests;

pub(super) use guard::Guard;
pub(super) use silo::Guarded;
pub use state::{CircuitState, SiloState};
pub(super) use toll::Toll;
