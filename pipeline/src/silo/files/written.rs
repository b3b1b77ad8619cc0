//! How are Arrow's values written that have no column type of their own: as JSON, or as text that keeps every digit?

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;

use super::values::{Scalar, elements, scalar};
use crate::text::{Moment, Years, json, number};

/// Appends a value as JSON: texts, moments and bytes as strings, numbers with all their digits.
pub(super) fn write_json(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    let value = scalar(array, row);
    match &value {
        Scalar::Null => out.extend_from_slice(b"null"),
        Scalar::Text(text) => json::string(text, out),
        Scalar::Boolean(_)
        | Scalar::Integer(_)
        | Scalar::Unsigned(_)
        | Scalar::Decimal(..)
        | Scalar::Number(_) => {
            write(&value, false, out);
        }
        Scalar::Single(number) => number::single(*number, "\"", out),
        Scalar::Real(number) => number::real(*number, "\"", out),
        Scalar::Nested => write_nested(array, row, out),
        _ => json::string(&written(&value, false), out),
    }
}

fn write_nested(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    if let DataType::Struct(fields) = array.data_type() {
        out.push(b'{');
        for (index, (field, member)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json::string(field.name(), out);
            out.push(b':');
            write_json(member, row, out);
        }
        out.push(b'}');
        return;
    }
    // A map is a list of its entries, which keeps their order and keys that are no texts.
    let Some(items) = elements(array, row) else { return out.extend_from_slice(b"null") };
    out.push(b'[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(b',');
        }
        write_json(&items, item, out);
    }
    out.push(b']');
}

/// Returns a value as text; `uuid`: its bytes are a UUID.
pub(super) fn written(value: &Scalar<'_>, uuid: bool) -> String {
    let mut out = Vec::new();
    write(value, uuid, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends a value as text; nothing for one that has no text of its own.
pub(super) fn write(value: &Scalar<'_>, uuid: bool, out: &mut Vec<u8>) {
    match value {
        Scalar::Null | Scalar::Nested | Scalar::Strange => {}
        Scalar::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Scalar::Integer(value) => number::integer(*value, out),
        Scalar::Unsigned(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Scalar::Single(value) => number::single(*value, "", out),
        Scalar::Real(value) => number::real(*value, "", out),
        Scalar::Decimal(unscaled, scale) => number::decimal(*unscaled, *scale, out),
        Scalar::Number(digits) => out.extend_from_slice(digits.as_bytes()),
        Scalar::Text(text) => out.extend_from_slice(text.as_bytes()),
        Scalar::Bytes(bytes) if uuid => write_uuid(bytes, out),
        Scalar::Bytes(bytes) => {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            out.extend_from_slice(text.as_bytes());
        }
        Scalar::Date(days) => Moment::Date(*days).write(Years::Iso, out),
        Scalar::Time(nanos) => {
            let micros = nanos.div_euclid(1_000);
            Moment::Time(micros).write(Years::Iso, out);
            write_nanos(micros, nanos.rem_euclid(1_000), out);
        }
        Scalar::Moment { value, unit, zoned } => {
            let nanos = i128::from(*value) * i128::from(*unit);
            let (micros, rest) = (nanos.div_euclid(1_000), nanos.rem_euclid(1_000));
            match (i64::try_from(micros), i64::try_from(rest)) {
                (Ok(micros), Ok(rest)) => {
                    Moment::Timestamp(micros).write(Years::Iso, out);
                    write_nanos(micros, rest, out);
                    if *zoned {
                        out.push(b'Z');
                    }
                }
                // Further away than microseconds reach.
                _ => out.extend_from_slice(format!("{nanos} ns").as_bytes()),
            }
        }
    }
}

/// Appends the digits behind those of a microsecond, which were written without zeros at their end.
fn write_nanos(micros: i64, nanos: i64, out: &mut Vec<u8>) {
    if nanos == 0 {
        return;
    }
    let fraction = micros.rem_euclid(1_000_000);
    if fraction == 0 {
        out.push(b'.');
    }
    let shown = format!("{fraction:06}");
    let zeros = if fraction == 0 { 6 } else { shown.len() - shown.trim_end_matches('0').len() };
    out.extend(std::iter::repeat_n(b'0', zeros));
    let digits = format!("{nanos:03}");
    out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
}

fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        for digit in [byte >> 4, byte & 15] {
            out.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        }
    }
}
