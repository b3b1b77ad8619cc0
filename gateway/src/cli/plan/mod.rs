//! `antumbra plan`: what would an export read? A dry run: silos are asked, no row is exported, nothing is recorded.

mod command;
mod expected;
mod text;

pub(super) use command::plan;
pub(super) use expected::expected;
