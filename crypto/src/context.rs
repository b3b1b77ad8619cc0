//! The place a ciphertext belongs to, as bytes that can be read in one way only.

use std::fmt;

/// Names the place that something is sealed for: a purpose, then fields in a fixed order.
///
/// The encoding is injective (`FORMAT.md` § Context): two contexts have the same bytes only if
/// they have the same purpose and the same fields, so a value cannot slide from one field into
/// the next.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Context(Vec<u8>);

impl Context {
    /// Starts a context. The purpose is a constant of the calling code, such as
    /// `antumbra/object`.
    #[must_use]
    pub fn new(purpose: &str) -> Self {
        Self(Vec::with_capacity(128)).with(purpose)
    }

    /// Appends one field.
    #[must_use]
    pub fn with(mut self, field: impl AsRef<[u8]>) -> Self {
        let field = field.as_ref();
        match u32::try_from(field.len()) {
            Ok(len) if len < LONG => self.0.extend_from_slice(&len.to_be_bytes()),
            _ => {
                self.0.extend_from_slice(&LONG.to_be_bytes());
                self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
            }
        }
        self.0.extend_from_slice(field);
        self
    }

    /// Returns the encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Context {
    /// Prints the length only: fields may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({} bytes)", self.0.len())
    }
}

/// Announces a 64-bit length, for fields that a 32-bit one cannot hold.
const LONG: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_is_frozen() {
        let context = Context::new("antumbra/test").with("ab").with([]).with([0xff]);
        let mut want = vec![0, 0, 0, 13];
        want.extend_from_slice(b"antumbra/test");
        want.extend_from_slice(&[0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0, 0, 0, 0, 1, 0xff]);
        assert_eq!(context.as_bytes(), want);
    }

    #[test]
    fn bytes_cannot_slide_between_fields() {
        let split = |a: &str, b: &str| Context::new("p").with(a).with(b);
        assert_ne!(split("ab", "c"), split("a", "bc"));
        assert_ne!(split("", "abc"), split("abc", ""));
        assert_ne!(Context::new("p").with("a"), Context::new("p").with("a").with(""));
    }

    #[test]
    fn debug_prints_no_field() {
        let text = format!("{:?}", Context::new("p").with("ada@example.com"));
        assert_eq!(text, "Context(24 bytes)");
    }
}
