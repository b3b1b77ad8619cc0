//! How do rows travel from a reader, and how does their end show?

mod channel;
#[cfg(test)]
mod tests;

pub(in crate::silo) use channel::stopped;
pub use channel::{BatchSender, Batches, NoReceiver};
