//! A root key in the transit engine of a vault: `HashiCorp`'s Vault, or `OpenBao`.

mod calls;
mod refusal;
mod root;
mod session;
mod settings;

pub use root::VaultRoot;
pub use settings::{Vault, VaultAuth};

#[cfg(test)]
mod tests;
