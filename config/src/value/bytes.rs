//! Sizes as people write them.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

use crate::value::ValueError;

/// Holds a number of bytes, at least one and less than 2^63.
///
/// Written `"64 MiB"` (binary units), `"10MB"` (decimal units) or as a plain number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// Builds a size of so many bytes.
    ///
    /// # Errors
    /// [`ValueError`] if `bytes` is zero or 2^63 or more.
    pub fn new(bytes: u64) -> Result<Self, ValueError> {
        if bytes == 0 || i64::try_from(bytes).is_err() {
            return Err(ValueError::new(EXPECTED, &bytes.to_string()));
        }
        Ok(Self(bytes))
    }

    /// Builds a size of so many MiB, at least one.
    pub(crate) const fn mebibytes(count: u32) -> Self {
        assert!(count > 0, "a size is at least one byte");
        Self((count as u64) << 20)
    }

    /// Returns the number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let misfit = || ValueError::new(EXPECTED, text);
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (digits, unit) = trimmed.split_at(end);
        let number: u64 = digits.parse().map_err(|_| misfit())?;
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()))
            .ok_or_else(misfit)?;
        number.checked_mul(*factor).and_then(|bytes| Self::new(bytes).ok()).ok_or_else(misfit)
    }
}

impl fmt::Display for ByteSize {
    /// Writes the largest binary unit that divides the size, so that the text parses back to the same size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = UNITS.iter().rev().find(|(name, factor)| {
            (name.ends_with("iB") || *name == "B") && self.0.is_multiple_of(*factor)
        });
        match binary {
            Some((name, factor)) => write!(f, "{} {name}", self.0 / factor),
            None => write!(f, "{} B", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
        ByteSize::new(bytes).map_err(|_| E::invalid_value(Unexpected::Unsigned(bytes), &self))
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<ByteSize, E> {
        u64::try_from(bytes)
            .ok()
            .and_then(|bytes| ByteSize::new(bytes).ok())
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(bytes), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

const EXPECTED: &str = r#"a size above zero such as "64 MiB", "10MB" or a number of bytes"#;

/// Ascending within each family; `Display` reads it from the end.
const UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_read_as_written() {
        for (text, bytes) in [
            ("64 MiB", 64 << 20),
            ("10MB", 10_000_000),
            ("1024", 1024),
            ("1 kib", 1024),
            (" 7 B ", 7),
            ("2TiB", 2 << 40),
        ] {
            assert_eq!(text.parse::<ByteSize>().unwrap().bytes(), bytes, "{text}");
        }
    }

    #[test]
    fn sizes_that_are_zero_negative_fractional_or_too_large_are_refused() {
        for text in
            ["", "0", "-1", "1.5 MiB", "1 M", "MiB", "99999999999999999999", "9000000000 GiB"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_size_parses_back(bytes in 1..=i64::MAX.unsigned_abs()) {
            let size = ByteSize::new(bytes).unwrap();
            prop_assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            let parsed = text.parse::<ByteSize>();
            prop_assert!(parsed.is_err() || text.contains(|c: char| c.is_ascii_digit()));
        }
    }
}
