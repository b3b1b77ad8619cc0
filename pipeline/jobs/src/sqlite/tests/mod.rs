//! The embedded store against the common suite, and what only a file can get wrong.

mod audit;
mod conformance;
mod files;
mod forgetting;
mod migration;
mod room;
mod secrecy;
