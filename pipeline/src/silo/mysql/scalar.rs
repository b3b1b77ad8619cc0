//! What value do the server's fields hold? One form for each kind of column; the error says what is wrong, without the value.

use mysql_async::Value as Bind;

use super::column::Decode;
use super::moment;
use crate::text::{json, minify_json};

pub(super) fn integer(value: &Bind) -> Result<i64, &'static str> {
    match value {
        Bind::Int(number) => Ok(*number),
        Bind::UInt(number) => i64::try_from(*number).map_err(|_| MALFORMED),
        Bind::Bytes(bytes) => i64::try_from(bits(bytes)?).map_err(|_| MALFORMED),
        _ => Err(MALFORMED),
    }
}

pub(super) fn single(value: &Bind) -> Result<f32, &'static str> {
    match value {
        Bind::Float(number) => Ok(*number),
        _ => Err(MALFORMED),
    }
}

pub(super) fn real(value: &Bind) -> Result<f64, &'static str> {
    match value {
        Bind::Double(number) => Ok(*number),
        Bind::Float(number) => Ok(f64::from(*number)),
        _ => Err(MALFORMED),
    }
}

/// The unscaled value of a number in a column of a precision and a scale.
pub(super) fn decimal(
    value: &Bind,
    decode: Decode,
    precision: u8,
    scale: i8,
) -> Result<i128, &'static str> {
    match (value, decode) {
        (Bind::UInt(number), _) => Ok(i128::from(*number)),
        (Bind::Int(number), _) => Ok(i128::from(*number)),
        (Bind::Bytes(bytes), Decode::Bits { .. }) => Ok(i128::from(bits(bytes)?)),
        (Bind::Bytes(digits), _) => unscaled(digits, precision, scale),
        _ => Err(MALFORMED),
    }
}

/// Days since 1970-01-01.
pub(super) fn date(value: &Bind) -> Result<i32, &'static str> {
    match *value {
        Bind::Date(year, month, day, ..) => moment::days(year, month, day).ok_or(NO_DAY),
        _ => Err(MALFORMED),
    }
}

/// Microseconds since 1970-01-01.
pub(super) fn timestamp(value: &Bind) -> Result<i64, &'static str> {
    match *value {
        Bind::Date(year, month, day, hour, minute, second, fraction) => {
            let days = moment::days(year, month, day).ok_or(NO_DAY)?;
            Ok(i64::from(days) * crate::text::moment::DAY
                + moment::micros(hour, minute, second, fraction))
        }
        _ => Err(MALFORMED),
    }
}

/// Hands the text of a value to `keep`; only for what becomes text or JSON.
pub(super) fn text<T>(
    value: &Bind,
    decode: Decode,
    scratch: &mut String,
    keep: impl FnOnce(&str) -> T,
) -> Result<T, &'static str> {
    scratch.clear();
    let written = match (decode, value) {
        (Decode::Json, Bind::Bytes(bytes)) => return Ok(keep(&as_json(utf8(bytes)?))),
        (_, Bind::Bytes(bytes)) => return Ok(keep(utf8(bytes)?)),
        (Decode::Time { digits }, _) => moment::write_time(value, digits, scratch),
        (Decode::DateTime { digits } | Decode::Timestamp { digits }, _) => {
            moment::write(value, Some(digits), scratch)
        }
        (Decode::Date, _) => moment::write(value, None, scratch),
        _ => None,
    };
    written.ok_or(MALFORMED)?;
    Ok(keep(scratch))
}

/// JSON that is none, which a check let through, becomes a JSON string: nothing of it is lost.
fn as_json(text: &str) -> String {
    minify_json(text).unwrap_or_else(|| {
        let mut out = Vec::with_capacity(text.len() + 2);
        json::string(text, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    })
}

fn utf8(bytes: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(bytes).map_err(|_| "a text that is not UTF-8")
}

/// Bits, the highest first.
fn bits(bytes: &[u8]) -> Result<u64, &'static str> {
    if bytes.len() > 8 {
        return Err(MALFORMED);
    }
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn unscaled(digits: &[u8], precision: u8, scale: i8) -> Result<i128, &'static str> {
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        digits => (false, digits),
    };
    let mut total: i128 = 0;
    let mut behind: Option<i8> = None;
    for byte in digits {
        match byte {
            b'.' if behind.is_none() => behind = Some(0),
            b'0'..=b'9' => {
                let digit = i128::from(byte - b'0');
                let next = total.checked_mul(10).and_then(|total| total.checked_add(digit));
                total = next.ok_or(TOO_LONG)?;
                behind = behind.map(|count| count.saturating_add(1));
            }
            _ => return Err(MALFORMED),
        }
    }
    let missing = u32::try_from(scale - behind.unwrap_or(0)).map_err(|_| TOO_LONG)?;
    let power = 10_i128.checked_pow(missing).ok_or(TOO_LONG)?;
    total = total.checked_mul(power).ok_or(TOO_LONG)?;
    if 10_i128.checked_pow(u32::from(precision)).is_some_and(|limit| total >= limit) {
        return Err(TOO_LONG);
    }
    Ok(if negative { -total } else { total })
}

const MALFORMED: &str = "a value that is not of the column's type";
const TOO_LONG: &str = "a number with more digits than the column's type";
/// Such a day was looked for, and none was there.
pub(super) const NO_DAY: &str = "a day that no calendar has";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_keep_every_digit_or_are_refused() {
        for (text, precision, scale, expected) in [
            ("123.45", 12, 2, Ok(12_345)),
            ("-0.05", 12, 2, Ok(-5)),
            ("7", 5, 3, Ok(7_000)),
            ("99999999999999999999999999999999999999", 38, 0, Ok(10_i128.pow(38) - 1)),
            ("1000", 3, 0, Err(TOO_LONG)),
            ("1.234", 12, 2, Err(TOO_LONG)),
            ("1.2.3", 12, 2, Err(MALFORMED)),
            ("abc", 12, 2, Err(MALFORMED)),
        ] {
            assert_eq!(unscaled(text.as_bytes(), precision, scale), expected, "{text}");
        }
    }

    #[test]
    fn bits_are_a_number() {
        assert_eq!(integer(&Bind::Bytes(vec![1, 255])), Ok(511));
        let all = Bind::Bytes(vec![255; 8]);
        assert_eq!(decimal(&all, Decode::Bits { bits: 64 }, 20, 0), Ok(i128::from(u64::MAX)));
        assert_eq!(integer(&Bind::Bytes(vec![0; 9])), Err(MALFORMED));
    }

    #[test]
    fn what_is_not_json_becomes_a_json_string() {
        assert_eq!(as_json("{ \"a\": [1, 2.50] }"), r#"{"a":[1,2.50]}"#);
        assert_eq!(as_json("not \"json\""), r#""not \"json\"""#);
    }

    #[test]
    fn a_day_that_no_calendar_has_is_an_error_and_no_other_day() {
        assert_eq!(date(&Bind::Date(0, 0, 0, 0, 0, 0, 0)), Err(NO_DAY));
        assert_eq!(timestamp(&Bind::Date(2024, 2, 31, 0, 0, 0, 0)), Err(NO_DAY));
        assert_eq!(timestamp(&Bind::Date(1970, 1, 1, 0, 0, 1, 5)), Ok(1_000_005));
    }

    proptest! {
        #[test]
        fn a_number_is_written_as_it_was_read(number in -(10_i128.pow(38) - 1)..10_i128.pow(38), scale in 0_i8..=38) {
            let mut out = Vec::new();
            crate::text::number::decimal(number, scale, &mut out);
            prop_assert_eq!(unscaled(&out, 38, scale), Ok(number));
        }
    }
}
