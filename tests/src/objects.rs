//! Where are the sealed objects, and how is one of them damaged and mended?

use std::fs;
use std::path::{Path, PathBuf};

use crate::House;

/// A sealed object, with the bytes it had when it was found.
#[derive(Debug, Clone)]
pub struct SealedObject {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl SealedObject {
    /// Finds every object of a job, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn of_job(house: &House, job: &str) -> anyhow::Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(house.path("data/objects/jobs").join(job))? {
            let path = entry?.path();
            let bytes = fs::read(&path)?;
            found.push(Self { path, bytes });
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its last part.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Returns the bytes it had when it was found.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts other bytes in its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace(&self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(fs::write(&self.path, bytes)?)
    }

    /// Flips one bit of one byte.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flip(&self, position: usize) -> anyhow::Result<()> {
        let mut bytes = self.bytes.clone();
        if let Some(byte) = bytes.get_mut(position) {
            *byte ^= 1;
        }
        self.replace(&bytes)
    }

    /// Cuts everything from a position on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn truncate(&self, len: usize) -> anyhow::Result<()> {
        self.replace(self.bytes.get(..len).unwrap_or(&self.bytes))
    }

    /// Deletes it.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub fn delete(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(&self.path)?)
    }

    /// Puts the bytes back that it had when it was found.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mend(&self) -> anyhow::Result<()> {
        self.replace(&self.bytes)
    }
}
