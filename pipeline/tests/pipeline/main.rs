//! Whole jobs: a real silo, a real store, and what comes out of the bundle, read by readers that are not ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cancelling;
mod cutting;
mod faults;
mod flaky;
mod formats;
mod identities;
mod keys;
mod narrowing;
mod pg_server;
mod postgres_jobs;
mod postgres_keys;
mod postgres_line;
mod postgres_rows;
mod postgres_types;
mod resuming;
mod retrying;
mod room;
mod rotating;
mod shapes;
mod starting;
mod store;
mod sweeping;
mod values;
mod waiting;
