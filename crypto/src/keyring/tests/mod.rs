//! The ring against roots that live in the test.

mod changes;
mod golden;
mod live;
mod opening;
mod room;
mod states;
