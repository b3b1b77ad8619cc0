//! How far is it? For commands that take their time: what is shown, and how.

mod screen;
mod snapshot;

pub(super) use screen::{Screen, Watch};
pub(super) use snapshot::{Phase, Snapshot};
