//! `REFERENCE.md`: every setting, written from the structs, their docs and their defaults.
//!
//! `template.md` holds the prose. A test writes the document anew and compares; to record it again:
//! `cargo test -p antumbra-config record_the_reference -- --ignored`.

mod text;

#[cfg(test)]
mod schemas;
#[cfg(test)]
mod write;

pub use text::REFERENCE;
