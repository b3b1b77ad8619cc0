//! The keys of one installation, unwrapped in memory.

mod envelope;
mod file;
mod ring;
mod root;
mod services;

#[cfg(test)]
mod tests;

pub use ring::KeyRing;
pub use root::Root;
