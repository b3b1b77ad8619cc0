//! Finding a sealed value again without opening all of them.

use std::borrow::Cow;
use std::fmt;

use ring::hmac;

use crate::digest::hmac_sha256;
use crate::{Context, Secret32};

/// Turns an identifier into the key under which its sealed row is stored.
///
/// Who holds the store but not the ring learns from it only which rows share a value.
#[derive(Clone)]
pub struct BlindIndex {
    key: hmac::Key,
}

impl BlindIndex {
    pub(crate) fn new(key: &Secret32) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()) }
    }

    /// Returns the index key of a value: HMAC-SHA-256 over tenant, kind and normalised value.
    ///
    /// Values are trimmed of Unicode white space; those of kind `email` are also lower-cased.
    /// Unicode is not normalised to NFC: `é` as one character and as two are two values.
    #[must_use]
    pub fn lookup(&self, tenant: &str, kind: &str, value: &str) -> [u8; 32] {
        let value = normalise(kind, value);
        let message = Context::new("antumbra/index").with(tenant).with(kind).with(value.as_bytes());
        hmac_sha256(&self.key, message.as_bytes())
    }
}

impl fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndex(..)")
    }
}

fn normalise<'a>(kind: &str, value: &'a str) -> Cow<'a, str> {
    let value = value.trim();
    match kind {
        "email" => Cow::Owned(value.to_lowercase()),
        _ => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> BlindIndex {
        BlindIndex::new(&Secret32::from_slice(&[8; 32]).unwrap())
    }

    #[test]
    fn email_matches_whatever_its_case_and_margins() {
        let want = index().lookup("t", "email", "zoë@example.com");
        assert_eq!(index().lookup("t", "email", "\u{a0} ZOË@Example.COM\n"), want);
        assert_ne!(index().lookup("t", "email", "zoe@example.com"), want);
    }

    #[test]
    fn other_kinds_keep_their_case() {
        assert_ne!(
            index().lookup("t", "coreIdentifier", "A1"),
            index().lookup("t", "coreIdentifier", "a1")
        );
        assert_eq!(
            index().lookup("t", "coreIdentifier", " A1"),
            index().lookup("t", "coreIdentifier", "A1")
        );
    }

    #[test]
    fn tenant_kind_and_value_do_not_slide() {
        assert_ne!(index().lookup("ab", "c", "d"), index().lookup("a", "bc", "d"));
        assert_ne!(index().lookup("t", "k", "v"), index().lookup("u", "k", "v"));
        let other = BlindIndex::new(&Secret32::from_slice(&[9; 32]).unwrap());
        assert_ne!(index().lookup("t", "k", "v"), other.lookup("t", "k", "v"));
        assert_eq!(format!("{:?}", index()), "BlindIndex(..)");
    }

    #[test]
    fn value_is_frozen() {
        assert_eq!(index().lookup("t", "email", "a@b.c")[..8], GOLDEN);
    }

    /// Computed by pyca/cryptography from `FORMAT.md`.
    const GOLDEN: [u8; 8] = [242, 13, 98, 208, 142, 121, 55, 190];
}
