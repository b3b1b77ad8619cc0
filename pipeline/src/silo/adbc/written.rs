//! How are values written that have no column type of their own: as text that keeps every digit, or as JSON?

use std::io::Write as _;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_buffer::i256;
use arrow_schema::DataType;
use base64::Engine as _;

use super::cell::{Cell, behind, cell, elements};
use crate::text::{Moment, Years, json, number};

/// Appends a value as JSON: texts, moments and bytes as strings, numbers with all their digits, a map as a list of its entries, which
/// keeps their order and keys that are no texts. `None` if there is a value that cannot be written.
pub(super) fn write_json(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Option<()> {
    let value = cell(array, row);
    match &value {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Text(text) => json::string(text, out),
        Cell::Boolean(_) | Cell::Integer(_) | Cell::Unsigned(_) | Cell::Decimal(..) => {
            write(&value, out)?;
        }
        Cell::Single(real) => number::single(*real, "\"", out),
        Cell::Real(real) => number::real(*real, "\"", out),
        Cell::Nested => nested(array, row, out)?,
        _ => {
            let mut text = Vec::new();
            write(&value, &mut text)?;
            json::string(std::str::from_utf8(&text).ok()?, out);
        }
    }
    Some(())
}

fn nested(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Option<()> {
    if let Some((values, row)) = behind(array, row) {
        return write_json(values, row, out);
    }
    match array.data_type() {
        DataType::Struct(fields) => {
            out.push(b'{');
            for (at, (field, member)) in fields.iter().zip(array.as_struct().columns()).enumerate()
            {
                if at > 0 {
                    out.push(b',');
                }
                json::string(field.name(), out);
                out.push(b':');
                write_json(member, row, out)?;
            }
            out.push(b'}');
        }
        DataType::Union(fields, _) => {
            // The member that it is, by its name.
            let union = array.as_union();
            let id = union.type_id(row);
            let (_, field) = fields.iter().find(|(of, _)| *of == id)?;
            out.push(b'{');
            json::string(field.name(), out);
            out.push(b':');
            write_json(union.child(id), union.value_offset(row), out)?;
            out.push(b'}');
        }
        _ => {
            let items = elements(array, row)?;
            out.push(b'[');
            for item in 0..items.len() {
                if item > 0 {
                    out.push(b',');
                }
                write_json(&items, item, out)?;
            }
            out.push(b']');
        }
    }
    Some(())
}

/// Appends a value as text; `None` for one that has no text of its own.
pub(super) fn write(value: &Cell<'_>, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Cell::Null | Cell::Nested | Cell::Strange => return None,
        Cell::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Cell::Integer(value) => number::integer(*value, out),
        Cell::Unsigned(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Cell::Single(value) => number::single(*value, "", out),
        Cell::Real(value) => number::real(*value, "", out),
        Cell::Decimal(unscaled, scale) => decimal(*unscaled, *scale, out),
        Cell::Text(text) => out.extend_from_slice(text.as_bytes()),
        Cell::Bytes(bytes) => {
            out.extend_from_slice(
                base64::engine::general_purpose::STANDARD.encode(bytes).as_bytes(),
            );
        }
        Cell::Date(days) => Moment::Date(*days).write(Years::Iso, out),
        Cell::DateMillis(millis) => return moment(i128::from(*millis) * 1_000_000, false, out),
        Cell::Time(nanos) => {
            Moment::Time(nanos.div_euclid(SECOND) * 1_000_000).write(Years::Iso, out);
            fraction(nanos.rem_euclid(SECOND), out);
        }
        Cell::Moment { value, unit, zoned } => {
            return moment(i128::from(*value) * i128::from(*unit), *zoned, out);
        }
        Cell::Span { months, days, nanos } => span(*months, *days, *nanos, out),
    }
    Some(())
}

/// `None` further away than microseconds reach.
fn moment(nanos: i128, zoned: bool, out: &mut Vec<u8>) -> Option<()> {
    let second = i128::from(SECOND);
    let micros = i64::try_from(nanos.div_euclid(second) * 1_000_000).ok()?;
    let rest = i64::try_from(nanos.rem_euclid(second)).ok()?;
    Moment::Timestamp(micros).write(Years::Iso, out);
    fraction(rest, out);
    if zoned {
        out.push(b'Z');
    }
    Some(())
}

/// Appends sixteen bytes as a UUID is written.
pub(super) fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write!(out, "{byte:02x}").expect("a vector takes every byte");
    }
}

/// Nanoseconds of a second, without zeros at their end.
fn fraction(nanos: i64, out: &mut Vec<u8>) {
    if nanos > 0 {
        let digits = format!(".{nanos:09}");
        out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    }
}

/// Digits with a point before the last `scale` of them; zeros behind them if it is below zero.
fn decimal(unscaled: i256, scale: i8, out: &mut Vec<u8>) {
    match (unscaled.to_i128(), u8::try_from(scale)) {
        (Some(small), Ok(_)) => number::decimal(small, scale, out),
        (_, Ok(scale)) => {
            let text = unscaled.to_string();
            let (sign, digits) =
                text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
            let scale = usize::from(scale);
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, behind) = digits.split_at(digits.len() - scale);
            let point = if scale > 0 { "." } else { "" };
            out.extend_from_slice(format!("{sign}{whole}{point}{behind}").as_bytes());
        }
        (_, Err(_)) => {
            out.extend_from_slice(unscaled.to_string().as_bytes());
            if unscaled != i256::ZERO {
                out.extend(std::iter::repeat_n(b'0', usize::from(scale.unsigned_abs())));
            }
        }
    }
}

/// An ISO 8601 duration: months, days and seconds are kept apart, each with its own sign.
fn span(months: i32, days: i32, nanos: i128, out: &mut Vec<u8>) {
    if months == 0 && days == 0 && nanos == 0 {
        return out.extend_from_slice(b"PT0S");
    }
    out.push(b'P');
    let mut part = |number: i128, unit: &str| {
        if number != 0 {
            write!(out, "{number}{unit}").expect("a vector takes every byte");
        }
    };
    part((months / 12).into(), "Y");
    part((months % 12).into(), "M");
    part(days.into(), "D");
    if nanos == 0 {
        return;
    }
    out.push(b'T');
    let second = i128::from(SECOND);
    let mut part = |number: i128, unit: &str| {
        if number != 0 {
            write!(out, "{number}{unit}").expect("a vector takes every byte");
        }
    };
    part(nanos / (3_600 * second), "H");
    part(nanos % (3_600 * second) / (60 * second), "M");
    let rest = nanos % (60 * second);
    if rest != 0 {
        let sign = if rest < 0 { "-" } else { "" };
        let (whole, below) = (rest.abs() / second, rest.abs() % second);
        write!(out, "{sign}{whole}").expect("a vector takes every byte");
        fraction(i64::try_from(below).expect("it is below a second"), out);
        out.push(b'S');
    }
}

const SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cell: Cell<'_>) -> String {
        let mut out = Vec::new();
        write(&cell, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_keep_every_digit() {
        for (value, unit, expected) in [
            (0, 1, "1970-01-01T00:00:00"),
            (1, 1, "1970-01-01T00:00:00.000000001"),
            (-1, 1, "1969-12-31T23:59:59.999999999"),
            (1_500_000_000, 1, "1970-01-01T00:00:01.5"),
            (i64::MAX, 1, "2262-04-11T23:47:16.854775807"),
            (i64::MIN, 1, "1677-09-21T00:12:43.145224192"),
        ] {
            assert_eq!(text(Cell::Moment { value, unit, zoned: false }), expected);
            assert_eq!(text(Cell::Moment { value, unit, zoned: true }), format!("{expected}Z"));
        }
        assert_eq!(text(Cell::Time(86_399_999_999_999)), "23:59:59.999999999");
        assert_eq!(text(Cell::Time(86_400_000_000_000)), "24:00:00");
        let far = Cell::Moment { value: i64::MAX, unit: SECOND, zoned: false };
        assert!(write(&far, &mut Vec::new()).is_none());
    }

    #[test]
    fn lengths_of_time_are_iso_durations() {
        for (months, days, nanos, expected) in [
            (0, 0, 0, "PT0S"),
            (14, 3, 14_706_789_000_000, "P1Y2M3DT4H5M6.789S"),
            (-1, 0, 0, "P-1M"),
            (0, 0, -1, "PT-0.000000001S"),
            (0, -1, 60_000_000_000, "P-1DT1M"),
            (0, 0, i128::from(i64::MAX) * 1_000_000_000, "PT2562047788015215H30M7S"),
        ] {
            assert_eq!(text(Cell::Span { months, days, nanos }), expected);
        }
    }

    #[test]
    fn wide_numbers_keep_every_digit() {
        let wide = i256::from_string(&"9".repeat(76)).unwrap();
        assert_eq!(text(Cell::Decimal(wide, 0)), "9".repeat(76));
        let expected = format!("-{}.{}", "9".repeat(6), "9".repeat(70));
        assert_eq!(text(Cell::Decimal(wide.wrapping_neg(), 70)), expected);
        assert_eq!(text(Cell::Decimal(i256::from_i128(-5), 3)), "-0.005");
        assert_eq!(text(Cell::Decimal(i256::from_i128(12), -3)), "12000");
        assert_eq!(text(Cell::Decimal(i256::ZERO, -3)), "0");
    }
}
