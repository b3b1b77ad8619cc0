//! Where the daemon's keys are on this machine: the roots that the settings name, the file of the ring, and who watches it.

mod keeper;
mod owner;
mod ring_error;
mod ring_file;
mod ring_lock;
mod roots;

pub(crate) use keeper::{Keeper, Look};
pub(crate) use ring_file::{RingEdit, RingFile};
pub(crate) use roots::{OpenedRoots, open_roots};

#[cfg(test)]
mod tests;
