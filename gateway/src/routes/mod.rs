//! Every route: its method, its pattern, its handler.
//!
//! A handler checks who asks, reads typed input, asks the engine or the store, and writes an answer. It names no status
//! of an error; `http/error.rs` does.

mod compliance;
mod health;
mod public_key;
mod sombra;

mod files;

mod fields;
mod window;

mod table;

#[cfg(test)]
mod tests;

pub(crate) use table::Route;
