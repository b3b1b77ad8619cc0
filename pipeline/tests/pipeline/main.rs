//! Whole jobs: a real silo, a real store, and what comes out of the bundle, read by readers that are not ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adbc_rows;
mod adbc_types;
mod attachments;
mod bound;
mod cancelling;
mod cutting;
mod duck;
mod faults;
mod flaky;
mod formats;
mod identities;
mod keys;
mod my_server;
mod mysql_keys;
mod mysql_line;
mod mysql_rows;
mod mysql_types;
mod narrowing;
mod parted;
mod partitions;
mod pg_server;
mod postgres_beside;
mod postgres_jobs;
mod postgres_keys;
mod postgres_line;
mod postgres_pooler;
mod postgres_rows;
mod postgres_types;
mod reading_ahead;
mod resuming;
mod retrying;
mod room;
mod rotating;
mod shapes;
mod silo_lines;
mod starting;
mod store;
mod sweeping;
mod values;
mod waiting;
