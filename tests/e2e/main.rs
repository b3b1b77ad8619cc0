//! The stories of the whole system. One file is one story; each test starts the real binary in a directory of its own.
//!
//! Run them with `tests/run`. Stories whose names begin with `long_` are run by `tests/run --long` only.

mod adbc;
mod demo;
mod files;
mod files_large;
mod formats;
mod http;
mod mysql;
mod plan;
mod postgres;
mod terminal;

mod canary;
mod tamper;

mod crash;
mod crash_silos;
mod partitions;

mod admission;
mod inputs;
mod ranges;

mod compliance;
mod sweeper;
mod tls;

mod artifact;
mod memory;
mod memory_rows;

mod keys_destroyed;
mod keys_rotation;

mod corpora;
mod interop;
mod outage;
mod roots;

mod tidy;
