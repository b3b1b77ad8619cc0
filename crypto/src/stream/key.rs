//! The key of a job's streams.

use crate::{Error, Secret32};

/// Seals the streams of one job.
///
/// Every stream derives a key of its own from this one, a random 32-byte salt and its context, so
/// one data key serves as many streams as a job has. Destroying it makes all of them unreadable.
#[derive(Debug, Clone)]
pub struct DataKey(Secret32);

impl DataKey {
    /// Makes a fresh random key.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes.
    pub fn generate() -> Result<Self, Error> {
        Secret32::generate().map(Self)
    }

    /// Takes a secret as the key. It must be uniformly random.
    #[must_use]
    pub fn from_secret(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Shows the secret, for wrapping.
    #[must_use]
    pub fn secret(&self) -> &Secret32 {
        &self.0
    }
}
