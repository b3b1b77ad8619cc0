//! `antumbra export`: one subject's data to a file, without a daemon.
//!
//! The same engine as the daemon's works in this process, on a job store and sealed objects in a directory of its own
//! that is removed at the end.

mod command;
mod drive;
mod workspace;
mod write;

mod summary;

#[cfg(test)]
mod tests;

pub(super) use command::export;
