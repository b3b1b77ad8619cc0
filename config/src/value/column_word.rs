//! What a column of JSON items or of a text file becomes.

use std::{fmt, str::FromStr};

use crate::value::{ValueError, text::text_serde};

/// Says what a column becomes that a silo does not type itself. Written `"integer"`, `"decimal(12,2)"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnWord {
    /// `boolean`: true or false.
    Boolean,
    /// `integer`: a whole number of 64 bits.
    Integer,
    /// `real`: a float of 64 bits.
    Real,
    /// `text`: UTF-8 text.
    Text,
    /// `bytes`: bytes, in base64.
    Bytes,
    /// `date`: a day, `2026-01-31`.
    Date,
    /// `timestamp`: a moment on a wall clock, without a zone.
    Timestamp,
    /// `timestamptz`: a moment, with its offset from UTC.
    Timestamptz,
    /// `json`: one JSON value as text.
    Json,
    /// `decimal(precision,scale)`: an exact decimal.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, from 0 to `precision`.
        scale: i8,
    },
}

impl FromStr for ColumnWord {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = PLAIN.iter().find(|(word, _)| *word == text).map(|(_, kind)| *kind);
        plain.or_else(|| decimal(text)).ok_or_else(|| ValueError::new(EXPECTED, text))
    }
}

impl fmt::Display for ColumnWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Decimal { precision, scale } = self {
            return write!(f, "decimal({precision},{scale})");
        }
        let word = PLAIN.iter().find(|(_, kind)| kind == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

text_serde!(ColumnWord, EXPECTED);

/// Reads `decimal(12,2)`.
fn decimal(text: &str) -> Option<ColumnWord> {
    let (precision, scale) = text.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let precision = digits(precision)?;
    let scale = digits(scale.strip_prefix(' ').unwrap_or(scale))?;
    ((1..=38).contains(&precision) && scale <= precision)
        .then(|| Some(ColumnWord::Decimal { precision, scale: i8::try_from(scale).ok()? }))?
}

fn digits(text: &str) -> Option<u8> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

const PLAIN: [(&str, ColumnWord); 9] = [
    ("boolean", ColumnWord::Boolean),
    ("integer", ColumnWord::Integer),
    ("real", ColumnWord::Real),
    ("text", ColumnWord::Text),
    ("bytes", ColumnWord::Bytes),
    ("date", ColumnWord::Date),
    ("timestamp", ColumnWord::Timestamp),
    ("timestamptz", ColumnWord::Timestamptz),
    ("json", ColumnWord::Json),
];
pub(crate) const EXPECTED: &str = r#""boolean", "integer", "real", "text", "bytes", "date", "timestamp", "timestamptz", "json" or "decimal(precision,scale)" with a precision up to 38"#;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_word_is_read_and_written() {
        for (word, kind) in PLAIN {
            assert_eq!(word.parse::<ColumnWord>().unwrap(), kind);
            assert_eq!(kind.to_string(), word);
            assert!(EXPECTED.contains(&format!("{word:?}")));
        }
        let price = ColumnWord::Decimal { precision: 12, scale: 2 };
        assert_eq!("decimal(12,2)".parse::<ColumnWord>().unwrap(), price);
        assert_eq!("decimal(12, 2)".parse::<ColumnWord>().unwrap(), price);
        assert_eq!(price.to_string(), "decimal(12,2)");
    }

    #[test]
    fn decimals_that_arrow_cannot_hold_are_refused() {
        for text in [
            "decimal",
            "decimal()",
            "decimal(12)",
            "decimal(0,0)",
            "decimal(39,2)",
            "decimal(4,5)",
            "decimal(4,-1)",
            "decimal(+4,1)",
            "decimal(4,1",
            "Integer",
            "",
            " text",
        ] {
            assert!(text.parse::<ColumnWord>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_decimal_is_written_as_it_is_read((precision, scale) in (1..=38_u8)
            .prop_flat_map(|precision| (Just(precision), 0..=i8::try_from(precision).unwrap())))
        {
            let kind = ColumnWord::Decimal { precision, scale };
            prop_assert_eq!(kind.to_string().parse::<ColumnWord>().unwrap(), kind);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            if let Ok(kind) = text.parse::<ColumnWord>() {
                prop_assert_eq!(kind.to_string(), text.replace(", ", ","));
            }
        }
    }
}
