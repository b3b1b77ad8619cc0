//! The embedded store against the common suite, and what only a file can get wrong.

mod audit;
mod columns;
mod conformance;
mod files;
mod forgetting;
mod keys;
mod migration;
pub(super) mod room;
mod secrecy;
