//! What stands for a value in a statement?

use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

/// A value that is handed over beside a statement, or written into it where a driver cannot. Personal; prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Bind {
    Text(String),
    Integer(i64),
}

impl Bind {
    fn column(&self) -> ArrayRef {
        match self {
            Self::Text(text) => Arc::new(StringArray::from(vec![text.as_str()])),
            Self::Integer(number) => Arc::new(Int64Array::from(vec![*number])),
        }
    }
}

impl fmt::Debug for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bind(..)")
    }
}

/// One row of values; `None` if there are none.
pub(super) fn row(binds: &[&Bind]) -> Option<RecordBatch> {
    let columns = binds.iter().enumerate().map(|(at, bind)| (at.to_string(), bind.column()));
    RecordBatch::try_from_iter(columns).ok().filter(|batch| batch.num_rows() > 0)
}

/// The UTF-8 bytes of a text as hexadecimal digits.
pub(super) fn hexadecimal(text: &str) -> String {
    text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn digit(four_bits: u8) -> char {
    char::from_digit(four_bits.into(), 16)
        .expect("four bits are below sixteen")
        .to_ascii_uppercase()
}

/// A whole number as SQL writes it, if it is written as we would write it: no zeros before it, no sign but a minus.
pub(super) fn whole(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_number_as_it_is_written_is_one() {
        for (text, number) in [
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("0", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
        ] {
            assert_eq!(whole(text), number);
        }
        for text in ["07", "+7", " 7", "7 ", "7.0", "-0", "", "9223372036854775808", "x", "1e1"] {
            assert_eq!(whole(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_text_holds_only_digits_stand_for_it(text in any::<String>()) {
            let digits = hexadecimal(&text);
            prop_assert!(digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')));
            let bytes: Vec<u8> = (0..digits.len() / 2)
                .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
                .collect();
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), text);
        }
    }
}
