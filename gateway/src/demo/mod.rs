//! `antumbra demo`: an invented shop, the real daemon, one person's request, the finished bundle.
//!
//! Nothing here takes a short cut: the daemon is the one that `serve` runs, and everything asked of it goes over HTTP,
//! as the printed curl lines do by hand.

mod story;

mod directory;
mod postgres;
mod prepare;
mod settings;
mod shop;

mod journey;
mod progress;
mod screen;

pub(crate) use story::run;
