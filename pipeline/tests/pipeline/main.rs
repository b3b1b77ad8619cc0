//! Whole jobs: a real silo, a real store, and what comes out of the bundle, read by readers that are not ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cutting;
mod faults;
mod formats;
mod identities;
mod narrowing;
mod resuming;
mod room;
mod shapes;
mod store;
mod values;
