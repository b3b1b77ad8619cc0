//! The keys of one installation: what wraps what, and the file that remembers it.

mod changes;
mod envelope;
mod file;
mod info;
mod kek;
mod live;
mod ring;
mod root;
mod services;

#[cfg(test)]
mod tests;

pub use envelope::envelope_key_id;
pub use info::{KeyInfo, KeyState, WrappedKey};
pub use live::{LiveRing, RingSource};
pub use ring::KeyRing;
pub use root::{Root, Roots};
