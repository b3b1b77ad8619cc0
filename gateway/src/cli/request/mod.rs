//! `antumbra request`: requests of a running daemon, over its compliance API.

mod run;

mod download;
mod list;
mod one;
mod submit;
mod watch;

mod daemon;
mod view;

#[cfg(test)]
mod tests;

pub(super) use run::run;
