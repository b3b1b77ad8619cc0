//! Serde for values that are written as text, and how a text is quoted in a message.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::de::{Error, Unexpected, Visitor};

/// Accepts a string and nothing else, and answers a misfit with the words of `expected`.
pub(crate) struct TextVisitor<T> {
    expected: &'static str,
    value: PhantomData<T>,
}

impl<T> TextVisitor<T> {
    pub(crate) fn new(expected: &'static str) -> Self {
        Self { expected, value: PhantomData }
    }
}

impl<T: FromStr> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Implements `Serialize` through `Display` and `Deserialize` through `FromStr`.
macro_rules! text_serde {
    ($type:ty, $expected:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::value::text::TextVisitor::new($expected))
            }
        }
    };
}
pub(crate) use text_serde;

/// Quotes a text for a message: on one line, escaped, at most sixty characters of it.
pub(crate) fn clip(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}

const QUOTED: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_multiline_texts_stay_on_one_short_line() {
        assert_eq!(clip("a\nb"), r#""a\nb""#);
        assert_eq!(clip(&"é".repeat(61)), format!("\"{}\"…", "é".repeat(60)));
        assert_eq!(clip(&"é".repeat(60)), format!("\"{}\"", "é".repeat(60)));
    }
}
