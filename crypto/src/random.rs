//! Random bytes from the operating system.

use ring::rand::{SecureRandom, SystemRandom};

use crate::Error;

/// Fills `out` with bytes nobody can foresee.
pub(crate) fn fill(out: &mut [u8]) -> Result<(), Error> {
    SystemRandom::new().fill(out).map_err(|_| Error::Random)
}

/// Returns `N` bytes nobody can foresee; for salts and nonces, not for keys.
pub(crate) fn array<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}
