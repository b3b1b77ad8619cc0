//! Names that stand for a person where the person's own must not appear.

use std::fmt;

use ring::hmac;

use crate::digest::hmac_sha256;
use crate::{Context, Secret32};

/// Names subjects in audit entries and logs.
///
/// The same subject of the same tenant has the same name for the life of the ring; nobody without
/// the ring can go back, nor tell that two tenants know the same person.
#[derive(Clone)]
pub struct Pseudonyms {
    key: hmac::Key,
}

impl Pseudonyms {
    pub(crate) fn new(key: &Secret32) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()) }
    }

    /// Returns `ps_` and 26 characters of a-z and 2-7, which are 128 bits of a keyed hash. The
    /// subject is taken as it is: the caller passes it in its one normal form.
    #[must_use]
    pub fn of(&self, tenant: &str, subject: &str) -> String {
        let message = Context::new("antumbra/pseudonym").with(tenant).with(subject);
        let tag = hmac_sha256(&self.key, message.as_bytes());
        let mut head = [0; 16];
        head.copy_from_slice(tag.split_at(16).0);
        let mut name = String::with_capacity(29);
        name.push_str("ps_");
        base32(u128::from_be_bytes(head), &mut name);
        name
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(..)")
    }
}

/// RFC 4648 base32 in lower case without padding: 25 groups of 5 bits, then 3 bits and two zeros.
fn base32(bits: u128, out: &mut String) {
    for group in 0..26u32 {
        let value = match 123u32.checked_sub(5 * group) {
            Some(shift) => bits >> shift,
            None => bits << 2,
        };
        out.push(char::from(ALPHABET[usize::try_from(value & 31).unwrap_or_default()]));
    }
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 section 10 has `foobar` as `MZXW6YTBOI`; the same letters begin here.
    #[test]
    fn base32_agrees_with_the_rfc() {
        let mut text = String::new();
        base32(u128::from_be_bytes(*b"foobar\0\0\0\0\0\0\0\0\0\xff"), &mut text);
        assert_eq!(text, "mzxw6ytboiaaaaaaaaaaaaaa74");
    }

    #[test]
    fn name_is_short_stable_and_per_tenant() {
        let names = Pseudonyms::new(&Secret32::from_slice(&[8; 32]).unwrap());
        let name = names.of("t", "ada@example.com");
        assert_eq!(name, names.of("t", "ada@example.com"));
        assert_ne!(name, names.of("u", "ada@example.com"));
        // Computed by pyca/cryptography from `FORMAT.md`.
        assert_eq!(name, "ps_4hrnbt6w4jvunquguuypv6yini");
        assert!(name.starts_with("ps_") && !name.contains("ada"));
        assert_eq!(format!("{names:?}"), "Pseudonyms(..)");
    }
}
