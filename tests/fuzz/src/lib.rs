//! The targets, from the one place where ordinary tests have them, too.

#[path = "../../src/fuzz/mod.rs"]
pub mod fuzz;
