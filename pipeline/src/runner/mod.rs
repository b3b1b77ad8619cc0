//! The runner: leases jobs, collects their sections, packages their bundles, and survives being killed anywhere in between.

mod sessions;

mod collect;
mod document;
mod lane;
mod pending;
mod section;
mod state;
mod stored;
mod trying;

mod package;
mod records;
mod report;

mod backoff;
mod chain;
mod control;
mod job;
mod live;
mod open;
mod reading;
mod running;
mod unlock;
mod worker;

pub(crate) use live::Live;
pub use live::LiveProgress;
pub use open::OpenBundle;
pub(crate) use open::needed_objects;
pub use reading::BundleReader;
pub(crate) use reading::Readers;
pub(crate) use running::Running;
pub use sessions::Sessions;
pub use worker::Worker;
