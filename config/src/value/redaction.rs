//! What happens to a column that must not leave in clear.

use std::{fmt, num::NonZeroU32, str::FromStr};

use crate::value::{ValueError, text::text_serde};

/// Says what happens to a column that must not leave in clear. Written `"drop"`, `"hash"`, `"mask"`, `"truncate(4)"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Redaction {
    /// The column is left out.
    Drop,
    /// Each value becomes an HMAC under the tenant's key: equal values stay equal.
    Hash,
    /// Letters and digits of each value become stars, but for the last four characters of values that have eight or more, and the
    /// domain of a value that is one e-mail address. Length and punctuation stay. Bytes, true and false become four stars.
    Mask,
    /// Of each value only so many characters are kept, from its beginning; a shorter one stays whole.
    Truncate(NonZeroU32),
}

impl FromStr for Redaction {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "drop" => Ok(Self::Drop),
            "hash" => Ok(Self::Hash),
            "mask" => Ok(Self::Mask),
            _ => truncate(text).ok_or_else(|| ValueError::new(EXPECTED, text)),
        }
    }
}

impl fmt::Display for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Hash => f.write_str("hash"),
            Self::Mask => f.write_str("mask"),
            Self::Truncate(kept) => write!(f, "truncate({kept})"),
        }
    }
}

text_serde!(Redaction, EXPECTED);

/// Reads `truncate(4)`.
fn truncate(text: &str) -> Option<Redaction> {
    let kept = text.strip_prefix("truncate(")?.strip_suffix(')')?;
    let plain = kept.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| kept.parse().ok().map(Redaction::Truncate))?
}

pub(crate) const EXPECTED: &str = r#""drop", "hash", "mask" or "truncate(4)""#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let most = Redaction::Truncate(NonZeroU32::MAX);
        let four = Redaction::Truncate(NonZeroU32::new(4).unwrap());
        for redaction in [Redaction::Drop, Redaction::Hash, Redaction::Mask, four, most] {
            assert_eq!(redaction.to_string().parse::<Redaction>().unwrap(), redaction);
        }
    }

    #[test]
    fn what_would_keep_nothing_or_is_no_number_is_refused() {
        for text in [
            "truncate",
            "truncate()",
            "truncate(0)",
            "truncate(-1)",
            "truncate(+4)",
            "truncate( 4)",
            "truncate(4294967296)",
            "truncate(4",
            "Drop",
            "",
        ] {
            assert!(text.parse::<Redaction>().is_err(), "{text:?}");
        }
    }
}
