//! The runner: leases jobs, collects their sections, packages their bundles, and survives being killed anywhere in between.

mod sessions;

mod collect;
mod document;
mod lane;
mod pending;
mod section;
mod state;
mod stored;

mod package;
mod records;
mod report;

mod job;
mod open;
mod worker;

pub use open::OpenBundle;
pub use sessions::Sessions;
pub use worker::Worker;
