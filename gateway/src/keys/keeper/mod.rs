//! The daemon's task that keeps its keys fresh: a ring that changed is read again, keys that a KMS unwrapped are forgotten in time.

mod look;
mod task;

pub(crate) use look::Look;
pub(crate) use task::Keeper;

#[cfg(test)]
mod tests;
