//! A root in front of a root, which remembers for a while what it unwrapped.

mod memory;
mod root;
mod shared;

pub use root::CachedRoot;

#[cfg(test)]
mod tests;
