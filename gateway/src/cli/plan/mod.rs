//! `antumbra plan`: what would an export read? A dry run: silos are asked, no row is exported, nothing is recorded.

mod command;
mod outline;
mod text;

pub(super) use command::plan;
