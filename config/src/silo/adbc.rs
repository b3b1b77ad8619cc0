//! The `adbc` silo: whatever an ADBC driver reaches.

use std::path::{Path, PathBuf};

use crate::SecretRef;

/// Describes a driver and what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdbcSilo {
    /// The driver's shared library. Absolute once loaded; not checked to exist.
    pub driver: PathBuf,
    /// The function of the library that makes the driver; without it the driver's usual one.
    pub entrypoint: Option<String>,
    /// Options of the database, by name.
    pub options: Vec<(String, String)>,
    /// Options of the database that are secrets, by name; none of them is in `options`.
    pub secret_options: Vec<(String, SecretRef)>,
}

impl AdbcSilo {
    /// Makes relative paths relative to `root`.
    pub(crate) fn resolve_paths(&mut self, root: &Path) {
        self.driver = root.join(&self.driver);
        for (_, secret) in &mut self.secret_options {
            secret.resolve_path(root);
        }
    }
}
