//! The runner: leases jobs, collects their sections, packages their bundles, and survives being killed anywhere in between.

mod sessions;

mod ahead;
mod attachments;
mod collect;
mod cutting;
mod desk;
mod document;
mod lane;
mod lanes;
mod ledger;
mod pending;
mod section;
mod state;
mod stored;
mod trying;

mod joined;
mod parting;
mod parts;

mod package;
mod records;
mod report;

mod backoff;
mod chain;
mod control;
mod job;
mod live;
mod open;
mod raw_packs;
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
pub use sessions::{Described, Sessions};
pub use worker::Worker;
