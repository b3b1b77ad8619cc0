//! Single values sealed for one cell of a table.

use std::fmt;

use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use zeroize::Zeroizing;

use crate::{Context, Error, Secret32, SecretBytes, derive, random};

/// Seals the personal columns of a store, each value for its own table, row and column.
///
/// Every context has a key of its own, so random nonces cannot collide across cells; one cell may
/// be rewritten 2^32 times. `FORMAT.md` § Field has the bytes.
#[derive(Clone)]
pub struct FieldCipher {
    key: Secret32,
}

impl FieldCipher {
    pub(crate) fn new(key: Secret32) -> Self {
        Self { key }
    }

    /// Seals a value for its place; 29 bytes longer than the value.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes, [`Error::LimitReached`] for a value of
    /// 64 GiB or more.
    pub fn seal(&self, context: &Context, plain: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal_with_nonce(context, plain, random::array()?)
    }

    /// Opens a value that was sealed for the same place.
    ///
    /// # Errors
    ///
    /// [`Error::Authentication`] if bytes or place are wrong, [`Error::Truncated`] or
    /// [`Error::Malformed`] if this is no sealed field.
    pub fn open(&self, context: &Context, sealed: &[u8]) -> Result<SecretBytes, Error> {
        let (version, rest) = sealed.split_first().ok_or(Error::Truncated)?;
        if *version != VERSION {
            return Err(Error::malformed("field: version"));
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Error::Truncated)?;
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Error::Truncated)?;
        let mut buffer = Zeroizing::new(body.to_vec());
        self.cipher(context)
            .decrypt_inout_detached(
                &Nonce::<U12>::from(*nonce),
                context.as_bytes(),
                buffer.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| Error::Authentication)?;
        Ok(SecretBytes::new(std::mem::take(&mut *buffer)))
    }

    fn seal_with_nonce(
        &self,
        context: &Context,
        plain: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(1 + NONCE_LEN + plain.len() + TAG_LEN);
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let (_, body) = out.split_at_mut(1 + NONCE_LEN);
        let tag = self
            .cipher(context)
            .encrypt_inout_detached(&Nonce::<U12>::from(nonce), context.as_bytes(), body.into())
            .map_err(|_| Error::LimitReached { what: "bytes of one field" })?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    fn cipher(&self, context: &Context) -> Aes256Gcm {
        let key = derive::expand32(&self.key, context.as_bytes());
        Aes256Gcm::new_from_slice(key.expose()).expect("AES-256 takes any 32 bytes as its key")
    }
}

impl fmt::Debug for FieldCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldCipher(..)")
    }
}

const VERSION: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher() -> FieldCipher {
        FieldCipher::new(Secret32::from_slice(&[5; 32]).unwrap())
    }

    fn cell(row: &str) -> Context {
        Context::new("antumbra/field").with("requests").with(row).with("email")
    }

    #[test]
    fn bytes_are_frozen() {
        let sealed = cipher().seal_with_nonce(&cell("1"), b"ada@example.com", [6; 12]).unwrap();
        let hex: String = sealed.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, GOLDEN);
        assert_eq!(cipher().open(&cell("1"), &sealed).unwrap().expose(), b"ada@example.com");
    }

    /// The same bytes from ring, which shares no code with the `aes-gcm` crate.
    #[test]
    fn ring_opens_what_is_sealed() {
        use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let mut sealed = cipher().seal(&cell("1"), b"value").unwrap();
        let key = derive::expand32(&cipher().key, cell("1").as_bytes());
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose()).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(&sealed[1..13]).unwrap();
        let aad = Aad::from(cell("1").as_bytes().to_vec());
        assert_eq!(key.open_in_place(nonce, aad, &mut sealed[13..]).unwrap(), b"value");
    }

    #[test]
    fn value_moved_to_another_row_is_refused() {
        let sealed = cipher().seal(&cell("1"), b"x").unwrap();
        let moved = cipher().open(&cell("2"), &sealed);
        assert_eq!(moved.unwrap_err().code(), "authentication_failed");
    }

    #[test]
    fn any_altered_byte_and_any_truncation_is_refused() {
        let sealed = cipher().seal(&cell("1"), b"some text").unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 0x80;
            assert!(cipher().open(&cell("1"), &bad).is_err(), "{at}");
            assert!(cipher().open(&cell("1"), &sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn empty_value_round_trips_and_equal_values_differ_sealed() {
        let (a, b) =
            (cipher().seal(&cell("1"), b"").unwrap(), cipher().seal(&cell("1"), b"").unwrap());
        assert_ne!(a, b);
        assert!(cipher().open(&cell("1"), &a).unwrap().is_empty());
        assert_eq!(format!("{:?}", cipher()), "FieldCipher(..)");
    }

    /// Computed by pyca/cryptography from `FORMAT.md`.
    const GOLDEN: &str = concat!(
        "010606060606060606060606061c1f1077f2fe5b9852df53",
        "a077bd8a85a3cf8346f428899ba3d4739084c69b",
    );
}
