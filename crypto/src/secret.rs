//! Bytes that must not be seen: they print nothing and are overwritten when dropped.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, Zeroizing};

use crate::{Error, random};

/// Holds a 32-byte key.
///
/// The bytes stay at one heap address, so that moving the value leaves no copy behind. There is
/// no `Serialize`, and no comparison but [`is`](Self::is).
#[derive(Clone)]
pub struct Secret32(Box<[u8; 32]>);

impl Secret32 {
    /// Makes a fresh random secret.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes.
    pub fn generate() -> Result<Self, Error> {
        let mut secret = Self::zeroed();
        random::fill(secret.0.as_mut_slice())?;
        Ok(secret)
    }

    /// Copies a secret out of a slice of exactly 32 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for any other length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != 32 {
            return Err(Error::malformed("key: not 32 bytes"));
        }
        let mut secret = Self::zeroed();
        secret.0.copy_from_slice(bytes);
        Ok(secret)
    }

    /// Shows the bytes. The caller must not keep a copy.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Says whether these are its bytes, in a time that does not tell where they differ.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        bool::from(self.0.as_slice().ct_eq(bytes))
    }

    /// All zeros, to be filled in place.
    pub(crate) fn zeroed() -> Self {
        Self(Box::new([0; 32]))
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }
}

impl Drop for Secret32 {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret32(..)")
    }
}

/// Holds secret bytes of any length: a serialized key, an opened field.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over; they are overwritten when the value is dropped.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Copies the bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }

    /// Shows the bytes. The caller must not keep a copy longer than it needs.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Shows the bytes as text.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if they are not UTF-8.
    pub fn expose_str(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.0).map_err(|_| Error::malformed("text: not UTF-8"))
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_byte() {
        let secret = Secret32::from_slice(&[0xab; 32]).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret32(..)");
        assert_eq!(format!("{:?}", SecretBytes::from_slice(b"hunter2")), "SecretBytes(..)");
    }

    #[test]
    fn only_32_bytes_make_a_key() {
        for len in [0, 31, 33] {
            let error = Secret32::from_slice(&vec![1; len]).unwrap_err();
            assert_eq!(error.code(), "malformed", "{len}");
        }
    }

    #[test]
    fn only_the_same_32_bytes_are_equal() {
        let secret = Secret32::from_slice(&[0xab; 32]).unwrap();
        assert!(secret.is(&[0xab; 32]));
        for at in 0..32 {
            let mut other = [0xab; 32];
            other[at] ^= 1;
            assert!(!secret.is(&other), "{at}");
        }
        for len in [0, 31, 33] {
            assert!(!secret.is(&vec![0xab; len]), "{len}");
        }
    }

    #[test]
    fn generated_secrets_differ() {
        let (a, b) = (Secret32::generate().unwrap(), Secret32::generate().unwrap());
        assert_ne!(a.expose(), b.expose());
    }
}
