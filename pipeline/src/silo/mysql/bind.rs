//! What is bound where a value is compared with a column? Something of the column's own type. The server would compare a text with
//! a number by the number that the text begins with, nought if there is none, and so find other people's rows.

use mysql_async::Value as Bind;

use super::column::{Decode, Source};
use super::moment;
use crate::Value;
use crate::text::number;

/// How the parameter is written beside the column.
pub(super) fn mark(column: &Source) -> String {
    match column.decode {
        // Beside a text, a decimal would be compared as a double.
        Decode::Decimal { precision, scale } => format!("cast(? as decimal({precision},{scale}))"),
        Decode::Bytes { .. } => "cast(? as binary)".to_owned(),
        _ => "?".to_owned(),
    }
}

/// What stands for a value; `None` if the column's type has no such value, so that it equals nothing there.
pub(super) fn value(value: &Value, column: &Source) -> Option<Bind> {
    if let (Value::Bytes(bytes), Decode::Bytes { .. }) = (value, column.decode) {
        return Some(Bind::Bytes(bytes.clone()));
    }
    let text = text(value)?;
    match column.decode {
        Decode::Integer { least, most } => {
            let number: i64 = whole(&text)?;
            (least..=most).contains(&number).then_some(Bind::Int(number))
        }
        Decode::Unsigned => Some(Bind::UInt(whole(&text)?)),
        Decode::Bits { bits } => {
            let number: u64 = whole(&text)?;
            (bits >= 64 || number >> bits == 0).then_some(Bind::UInt(number))
        }
        // Two digits would be taken for a year of this age.
        Decode::Year => {
            let year: i64 = whole(&text)?;
            (year == 0 || (1901..=2155).contains(&year)).then_some(Bind::Int(year))
        }
        Decode::Single => {
            let parsed: f32 = text.trim().parse().ok()?;
            is_kept(&text, f64::from(parsed)).then_some(Bind::Float(parsed))
        }
        Decode::Real => {
            let parsed: f64 = text.trim().parse().ok()?;
            is_kept(&text, parsed).then_some(Bind::Double(parsed))
        }
        Decode::Decimal { precision, scale } => {
            let number = Number::read(&text)?;
            number.plain(precision, scale).map(|plain| Bind::Bytes(plain.into_bytes()))
        }
        Decode::Date => moment::parse(&text, false),
        Decode::DateTime { .. } | Decode::Timestamp { .. } => moment::parse(&text, true),
        Decode::Time { .. } => moment::parse_time(&text),
        Decode::Text { .. } | Decode::Json | Decode::Bytes { .. } => {
            Some(Bind::Bytes(text.into_bytes()))
        }
    }
}

/// The text of a value, which stands for it where its type does not matter; bytes that are no text have none.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(bits) => {
            let mut out = Vec::new();
            number::real(f64::from_bits(*bits), "", &mut out);
            String::from_utf8(out).ok()
        }
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
    }
}

/// Says whether the server takes a text for a number, all of it.
pub(super) fn is_number(text: &str) -> bool {
    Number::read(text).is_some()
}

/// The text that is bound, if it is no number.
pub(super) fn word(bound: &Bind) -> Option<&[u8]> {
    match bound {
        Bind::Bytes(text) if !std::str::from_utf8(text).is_ok_and(is_number) => Some(text),
        _ => None,
    }
}

/// What a text is as an exact number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    /// More digits than a double tells apart from all others.
    pub(super) long: bool,
    /// Digits behind the point; `None`: no decimal of the server's holds it.
    pub(super) scale: Option<u32>,
}

/// Reads the number that a bound text is.
pub(super) fn exact(bound: &Bind) -> Option<Exact> {
    let Bind::Bytes(text) = bound else { return None };
    let number = Number::read(std::str::from_utf8(text).ok()?)?;
    let digits = i64::try_from(number.digits.len()).ok()?;
    let behind = if digits == 0 { 0 } else { digits.saturating_sub(number.point).max(0) };
    let scale = u32::try_from(behind).ok().filter(|scale| {
        *scale <= MOST_BEHIND && number.point <= i64::from(MOST_DECIMAL.saturating_sub(*scale))
    });
    Some(Exact { long: digits.max(number.point) > SURE_DIGITS, scale })
}

/// A number that equals an integer, however it is written: `12.00` and `1.2e1` are 12.
fn whole<T: std::str::FromStr>(text: &str) -> Option<T> {
    Number::read(text)?.plain(MOST_DIGITS, 0)?.parse().ok()
}

/// Says whether a float stands for a text: not beyond its range, and not so small that it became nought.
fn is_kept(text: &str, parsed: f64) -> bool {
    Number::read(text)
        .is_some_and(|number| parsed.is_finite() && (parsed != 0.0 || number.digits.is_empty()))
}

/// A decimal number: digits without zeros at either end, and where the point is.
struct Number {
    negative: bool,
    digits: String,
    /// Digits before the point; below nought, zeros behind it.
    point: i64,
}

impl Number {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (before, behind) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let mut digits = format!("{before}{behind}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut point = i64::try_from(before.len()).ok()?.checked_add(exponent)?;
        let zeros = digits.len() - digits.trim_start_matches('0').len();
        digits.drain(..zeros);
        point = point.checked_sub(i64::try_from(zeros).ok()?)?;
        digits.truncate(digits.trim_end_matches('0').len());
        let negative = mantissa.starts_with('-') && !digits.is_empty();
        Some(Self { negative, digits, point })
    }

    /// The number without an exponent, if it has no more digits than these.
    fn plain(&self, precision: u32, scale: u32) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        let behind = i64::try_from(self.digits.len()).ok()? - self.point;
        if self.point > i64::from(precision) - i64::from(scale) || behind > i64::from(scale) {
            return None;
        }
        let mut out = String::new();
        if self.negative {
            out.push('-');
        }
        let (before, behind) = match usize::try_from(self.point) {
            Ok(point) if point >= self.digits.len() => {
                (format!("{}{}", self.digits, "0".repeat(point - self.digits.len())), String::new())
            }
            Ok(point) => {
                let (before, behind) = self.digits.split_at(point);
                (before.to_owned(), behind.to_owned())
            }
            Err(_) => {
                let zeros = usize::try_from(-self.point).ok()?;
                (String::new(), format!("{}{}", "0".repeat(zeros), self.digits))
            }
        };
        out.push_str(if before.is_empty() { "0" } else { &before });
        if !behind.is_empty() {
            out.push('.');
            out.push_str(&behind);
        }
        Some(out)
    }
}

/// More than any integer has.
const MOST_DIGITS: u32 = 20;
/// Digits with which every number is a double of its own.
const SURE_DIGITS: i64 = 15;
/// Digits of the server's longest decimal, and those behind its point.
pub(super) const MOST_DECIMAL: u32 = 65;
const MOST_BEHIND: u32 = 30;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(decode: Decode) -> Source {
        Source {
            name: "c".to_owned(),
            declared: String::new(),
            decode,
            collation: None,
            native: false,
            loose: false,
        }
    }

    fn of(text: &str, decode: Decode) -> Option<Bind> {
        value(&Value::Text(text.to_owned()), &column(decode))
    }

    const INT: Decode = Decode::Integer { least: -2_147_483_648, most: 2_147_483_647 };

    #[test]
    fn a_text_that_is_no_number_equals_no_number() {
        for text in [
            "abc",
            "",
            "12abc",
            "0x0",
            " ",
            "1_0",
            "ada@x.org",
            "1.5",
            "2147483648",
            "NaN",
            ".",
            "1e",
        ] {
            assert_eq!(of(text, INT), None, "{text}");
        }
        for decode in [
            INT,
            Decode::Unsigned,
            Decode::Year,
            Decode::Bits { bits: 9 },
            Decode::Single,
            Decode::Real,
            Decode::Decimal { precision: 12, scale: 2 },
            Decode::Date,
            Decode::DateTime { digits: 0 },
            Decode::Time { digits: 0 },
        ] {
            for text in ["abc", "", "0abc", "inf", "nan", "-", "--1"] {
                assert_eq!(of(text, decode), None, "{decode:?}: {text}");
            }
        }
    }

    #[test]
    fn a_number_that_equals_one_of_the_type_is_that_one() {
        for (text, decode, expected) in [
            ("12.00", INT, Bind::Int(12)),
            (" -1.20e1 ", INT, Bind::Int(-12)),
            ("0e99", INT, Bind::Int(0)),
            ("18446744073709551615", Decode::Unsigned, Bind::UInt(u64::MAX)),
            ("511", Decode::Bits { bits: 9 }, Bind::UInt(511)),
            ("0.1", Decode::Single, Bind::Float(0.1)),
            ("1e308", Decode::Real, Bind::Double(1e308)),
        ] {
            assert_eq!(of(text, decode), Some(expected), "{decode:?}: {text}");
        }
        for (text, decode) in [
            ("18446744073709551616", Decode::Unsigned),
            ("-1", Decode::Unsigned),
            ("512", Decode::Bits { bits: 9 }),
            ("1e39", Decode::Single),
            ("1e-400", Decode::Real),
            ("99", Decode::Year),
        ] {
            assert_eq!(of(text, decode), None, "{decode:?}: {text}");
        }
    }

    #[test]
    fn a_decimal_is_bound_only_if_the_column_holds_it_exactly() {
        let decimal = Decode::Decimal { precision: 5, scale: 2 };
        for (text, expected) in [
            ("12.5", Some("12.5")),
            ("-0.010", Some("-0.01")),
            ("1e2", Some("100")),
            ("999.99", Some("999.99")),
            ("1000", None),
            ("12.345", None),
            ("1e-3", None),
            ("-0.00", Some("0")),
        ] {
            let expected = expected.map(|text| Bind::Bytes(text.as_bytes().to_vec()));
            assert_eq!(of(text, decimal), expected, "{text}");
        }
        assert_eq!(mark(&column(decimal)), "cast(? as decimal(5,2))");
    }

    #[test]
    fn words_are_what_is_no_number() {
        for (bound, is_word) in
            [("abc", true), ("", true), ("12abc", true), ("12.0", false), ("-1e3", false)]
        {
            assert_eq!(word(&Bind::Bytes(bound.into())).is_some(), is_word, "{bound}");
        }
        assert!(word(&Bind::Bytes(vec![255])).is_some());
        assert!(word(&Bind::NULL).is_none());
    }

    #[test]
    fn a_number_is_long_where_a_double_stands_for_several() {
        for (text, long, scale) in [
            ("999999999999999", false, Some(0)),
            ("9007199254740993", true, Some(0)),
            ("-100000000000000001", true, Some(0)),
            // One digit, but its neighbours are the same double.
            ("100000000000000000", true, Some(0)),
            ("1e17", true, Some(0)),
            ("0000000000000000007", false, Some(0)),
            ("0.00", false, Some(0)),
            ("12.50", false, Some(1)),
            ("0.1000000000000000055", true, Some(19)),
            ("1e-40", false, None),
            ("1e65", true, None),
        ] {
            let found = exact(&Bind::Bytes(text.into()));
            assert_eq!(found, Some(Exact { long, scale }), "{text}");
        }
        assert_eq!(exact(&Bind::Bytes(b"12abc".to_vec())), None);
    }

    #[test]
    fn a_number_beside_a_text_is_a_text() {
        let text = Decode::Text { characters: 20, words: false };
        let bound = value(&Value::Integer(7), &column(text));
        assert_eq!(bound, Some(Bind::Bytes(b"7".to_vec())));
        let words = Decode::Text { characters: 20, words: true };
        assert_eq!(value(&Value::Integer(1), &column(words)), Some(Bind::Bytes(b"1".to_vec())));
        assert_eq!(value(&Value::Bytes(vec![255]), &column(text)), None);
        let bytes = value(&Value::Bytes(vec![255]), &column(Decode::Bytes { length: 1 }));
        assert_eq!(bytes, Some(Bind::Bytes(vec![255])));
    }

    proptest! {
        #[test]
        fn an_integer_is_found_behind_zeros_and_exponents(number: i64, zeros in 0_usize..30) {
            let whole = Decode::Integer { least: i64::MIN, most: i64::MAX };
            let zeros = "0".repeat(zeros);
            for written in [format!("{number}.{zeros}"), format!("{number}{zeros}e-{}", zeros.len())] {
                prop_assert_eq!(of(&written, whole), Some(Bind::Int(number)), "{}", written);
            }
            prop_assert_eq!(of(&format!("{number}.{zeros}1"), whole), None);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            for decode in [INT, Decode::Unsigned, Decode::Real, Decode::Single, Decode::Decimal { precision: 65, scale: 30 }] {
                drop(of(&text, decode));
            }
        }
    }
}
