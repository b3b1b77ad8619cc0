//! `antumbra keys`: the daemon's own keys, from the making to the destroying. Works beside a running daemon, which reads the
//! ring's file again when it changed.

mod run;

mod destroy;
mod export;
mod generate;
mod list;
mod retire;
mod rewrap;
mod rotate;

mod interrupt;
mod job;
mod new_file;
mod progress;
mod rewrapping;
mod room;

#[cfg(test)]
mod tests;

pub(super) use run::run;
