//! Which value of a column's type is a text?

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

use super::{number, scan};
use crate::silo::ColumnType;
use crate::text;

/// A value in Arrow's numbers.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::silo) enum Scalar<'a> {
    /// For [`ColumnType::Boolean`].
    Boolean(bool),
    /// For [`ColumnType::Integer`].
    Integer(i64),
    /// For [`ColumnType::Real`].
    Real(f64),
    /// For [`ColumnType::Decimal`]: the number times ten to the power of the scale.
    Decimal(i128),
    /// For [`ColumnType::Text`].
    Text(&'a str),
    /// For [`ColumnType::Bytes`].
    Bytes(Vec<u8>),
    /// For [`ColumnType::Date`]: days since 1970-01-01.
    Date(i32),
    /// For [`ColumnType::Timestamp`] and [`ColumnType::TimestampTz`]: microseconds.
    Timestamp(i64),
    /// For [`ColumnType::Json`]: one value without whitespace.
    Json(String),
}

/// Reads a text, such as a CSV cell, as a column's type. `None` if it is no value of it, or would be rounded: the text then has to
/// be kept as it is.
///
/// Booleans are `true` and `false`, numbers spelled as in JSON (also `NaN`, `Infinity`, `-Infinity` as floats), bytes padded base64,
/// days `2026-01-31`, moments `2026-01-31T12:00:00.5` (a blank for the `T` will do), in UTC with `Z` or an offset.
pub(in crate::silo) fn text_value(kind: ColumnType, text: &str) -> Option<Scalar<'_>> {
    match kind {
        ColumnType::Boolean => match text {
            "true" => Some(Scalar::Boolean(true)),
            "false" => Some(Scalar::Boolean(false)),
            _ => None,
        },
        ColumnType::Integer => {
            // Zeros in front or a point are no part of a number but of a spelling, which an integer would lose.
            let number: i64 = text.parse().ok()?;
            (is_number(text) && text != "-0").then_some(Scalar::Integer(number))
        }
        ColumnType::Real => match text {
            "NaN" => Some(Scalar::Real(f64::NAN)),
            "Infinity" => Some(Scalar::Real(f64::INFINITY)),
            "-Infinity" => Some(Scalar::Real(f64::NEG_INFINITY)),
            _ if is_number(text) => number::declared_real(text).map(Scalar::Real),
            _ => None,
        },
        ColumnType::Decimal { precision, scale } => {
            is_number(text).then(|| decimal(text, precision, scale))?.map(Scalar::Decimal)
        }
        ColumnType::Text => Some(Scalar::Text(text)),
        ColumnType::Bytes => STANDARD.decode(text).ok().map(Scalar::Bytes),
        ColumnType::Date => date(text).map(Scalar::Date),
        ColumnType::Timestamp => wall_clock(text).map(Scalar::Timestamp),
        ColumnType::TimestampTz => moment(text).map(Scalar::Timestamp),
        ColumnType::Json => text::minify_json(text).map(Scalar::Json),
        // No word of settings makes a column of these.
        ColumnType::Single | ColumnType::Time => None,
    }
}

/// Returns a number as a decimal's unscaled value, if it is exactly one.
pub(super) fn decimal(token: &str, precision: u8, scale: i8) -> Option<i128> {
    let unscaled = number::unscaled(token, scale)?;
    let limit = 10_i128.checked_pow(u32::from(precision))?;
    (-limit < unscaled && unscaled < limit).then_some(unscaled)
}

fn is_number(text: &str) -> bool {
    scan::number(text.as_bytes(), 0) == Ok(text.len())
}

fn date(text: &str) -> Option<i32> {
    let plain = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
    let date: Date = plain.then(|| text.parse().ok())??;
    let since = date.since((Unit::Day, Date::constant(1970, 1, 1))).ok()?;
    Some(since.get_days())
}

fn wall_clock(text: &str) -> Option<i64> {
    let plain = is_moment(text)
        && text.get(11..)?.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
    let at: DateTime = plain.then(|| text.parse().ok())??;
    micros(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn moment(text: &str) -> Option<i64> {
    let at: Timestamp = is_moment(text).then(|| text.parse().ok())??;
    micros(at)
}

/// A day, an hour, no 60th second: it would become the 59th.
fn is_moment(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.get(4) == Some(&b'-')
        && bytes.get(13) == Some(&b':')
        && matches!(bytes.get(10), Some(b'T' | b't' | b' '))
        && text.get(17..19) != Some("60")
}

/// What is finer than a microsecond would be lost.
fn micros(at: Timestamp) -> Option<i64> {
    (at.subsec_nanosecond() % 1_000 == 0).then(|| at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_values_of_their_type_or_none() {
        let decimal = ColumnType::Decimal { precision: 4, scale: 2 };
        for (kind, text, expected) in [
            (ColumnType::Boolean, "true", Some(Scalar::Boolean(true))),
            (ColumnType::Boolean, "1", None),
            (ColumnType::Integer, "-12", Some(Scalar::Integer(-12))),
            (ColumnType::Integer, "007", None),
            (ColumnType::Integer, "+7", None),
            (ColumnType::Integer, "-0", None),
            (ColumnType::Integer, "", None),
            (ColumnType::Real, "1.5", Some(Scalar::Real(1.5))),
            (ColumnType::Real, "-Infinity", Some(Scalar::Real(f64::NEG_INFINITY))),
            (ColumnType::Real, "inf", None),
            (ColumnType::Real, ".5", None),
            (decimal, "12.3", Some(Scalar::Decimal(1230))),
            (decimal, "100", None),
            (decimal, "1.234", None),
            (ColumnType::Text, "", Some(Scalar::Text(""))),
            (ColumnType::Bytes, "AP8=", Some(Scalar::Bytes(vec![0, 255]))),
            (ColumnType::Bytes, "AP8", None),
            (ColumnType::Date, "1969-12-31", Some(Scalar::Date(-1))),
            (ColumnType::Date, "2024-02-29", Some(Scalar::Date(19_782))),
            (ColumnType::Date, "2023-02-29", None),
            (ColumnType::Date, "20240229", None),
            (ColumnType::Timestamp, "1970-01-01T00:00:01.5", Some(Scalar::Timestamp(1_500_000))),
            (ColumnType::Timestamp, "1970-01-01 00:00:01", Some(Scalar::Timestamp(1_000_000))),
            (ColumnType::Timestamp, "1970-01-01T00:00:01Z", None),
            (ColumnType::Timestamp, "1970-01-01T00:00:01+02:00", None),
            (ColumnType::Timestamp, "1970-01-01T00:00:01.0000001", None),
            (ColumnType::TimestampTz, "1970-01-01T02:00:00+02:00", Some(Scalar::Timestamp(0))),
            (ColumnType::TimestampTz, "1970-01-01T00:00:00z", Some(Scalar::Timestamp(0))),
            (ColumnType::TimestampTz, "1970-01-01T00:00:00", None),
            (ColumnType::TimestampTz, "2016-12-31T23:59:60Z", None),
            (ColumnType::TimestampTz, "1970-01-01", None),
            (ColumnType::Json, " { } ", Some(Scalar::Json("{}".to_owned()))),
            (ColumnType::Json, "x", None),
        ] {
            assert_eq!(text_value(kind, text), expected, "{kind:?} {text:?}");
        }
        assert!(
            matches!(text_value(ColumnType::Real, "NaN"), Some(Scalar::Real(nan)) if nan.is_nan())
        );
    }

    proptest! {
        #[test]
        fn moments_come_back(micros in -62_135_596_800_000_000..253_402_207_199_000_000_i64) {
            let at = Timestamp::from_microsecond(micros).unwrap();
            let zoned = at.to_string();
            prop_assert_eq!(text_value(ColumnType::TimestampTz, &zoned), Some(Scalar::Timestamp(micros)));
            let wall = at.to_zoned(TimeZone::UTC).datetime().to_string();
            prop_assert_eq!(text_value(ColumnType::Timestamp, &wall), Some(Scalar::Timestamp(micros)));
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            for kind in [ColumnType::Boolean, ColumnType::Integer, ColumnType::Real, ColumnType::Date, ColumnType::Timestamp,
                ColumnType::TimestampTz, ColumnType::Bytes, ColumnType::Json, ColumnType::Decimal { precision: 38, scale: 38 }] {
                drop(text_value(kind, &text));
            }
        }
    }
}
