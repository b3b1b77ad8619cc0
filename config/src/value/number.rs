//! Whole numbers with limits.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

use crate::value::ValueError;

macro_rules! number {
    ($(#[$doc:meta])* $type:ident($inner:ty), $range:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type($inner);

        impl $type {
            /// Checks the limits.
            ///
            /// # Errors
            /// [`ValueError`] if the number is outside them.
            pub fn new(number: $inner) -> Result<Self, ValueError> {
                if $range.contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(ValueError::new($expected, &number.to_string()))
                }
            }

            /// Returns the number.
            pub fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = deserializer.deserialize_u64(NumberVisitor($expected))?;
                <$inner>::try_from(number).ok().and_then(|number| Self::new(number).ok()).ok_or_else(|| {
                    D::Error::invalid_value(Unexpected::Unsigned(number), &$expected)
                })
            }
        }
    };
}

number! {
    /// Counts something there must be one of: 1 to 1 000 000.
    Count(u32), (1..=1_000_000), "a whole number from 1 to 1000000"
}

number! {
    /// Says how hard deflate tries: 0 (store) to 9 (smallest).
    DeflateLevel(u8), (0..=9), "a whole number from 0 to 9"
}

impl Count {
    pub(crate) const fn of(number: u32) -> Self {
        assert!(number > 0 && number <= 1_000_000, "a count has its limits");
        Self(number)
    }
}

impl DeflateLevel {
    pub(crate) const FASTEST: Self = Self(1);
}

struct NumberVisitor(&'static str);

impl Visitor<'_> for NumberVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold() {
        assert!(Count::new(0).is_err() && Count::new(1_000_001).is_err());
        assert_eq!(Count::new(1_000_000).unwrap().get(), 1_000_000);
        assert!(DeflateLevel::new(10).is_err());
        assert_eq!(DeflateLevel::new(0).unwrap().get(), 0);
    }
}
