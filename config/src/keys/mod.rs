//! `[keys]`: where the key ring is, and which root keys wrap it.

mod check;
mod model;
mod table;

pub use model::{AwsKeys, Keys, RootKey, VaultLogin};

pub(crate) use check::check_keys;
pub(crate) use table::{KeysTable, RootTable, root_paths};
