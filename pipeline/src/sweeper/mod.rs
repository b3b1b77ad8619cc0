//! The sweeper: what is over is destroyed, what nobody names is deleted, and what is left is counted.
//!
//! Deleting an object is never what protects its data: it is sealed, and its key dies with the job. The order is therefore
//! objects first, then the key and the records, so that nothing is forgotten while something of it is left.

mod disk_use;
mod leftovers;
mod staged;
mod sweep;

pub use disk_use::DiskUse;
pub use sweep::{Sweeper, Swept};
