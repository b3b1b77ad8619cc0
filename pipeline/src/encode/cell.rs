//! What does a column hold in a row? For the formats that are text.

use std::io::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{
    Array, BinaryArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::DataType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::EncodeError;

/// A column as its type, so that the type is looked at once for a batch.
pub(super) struct Column<'a> {
    array: &'a dyn Array,
    values: Values<'a>,
}

/// What a row holds in a column.
pub(super) enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    /// Its digits, with a point where it has a scale.
    Decimal {
        digits: String,
        /// More digits than every double holds.
        wide: bool,
    },
    Text(&'a str),
    Bytes(&'a [u8]),
}

enum Values<'a> {
    Integer(&'a Int64Array),
    Real(&'a Float64Array),
    /// The flag: wide.
    Decimal(&'a Decimal128Array, bool),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
}

impl<'a> Column<'a> {
    /// Returns the columns of a batch.
    ///
    /// # Errors
    /// [`EncodeError`] when a type has no form as text here.
    pub(super) fn all(batch: &'a RecordBatch) -> Result<Vec<Self>, EncodeError> {
        batch.columns().iter().map(|array| Self::of(array)).collect()
    }

    fn of(array: &'a dyn Array) -> Result<Self, EncodeError> {
        let values = match array.data_type() {
            DataType::Int64 => Values::Integer(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Values::Real(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(precision, _) => {
                Values::Decimal(array.as_primitive::<Decimal128Type>(), *precision > 15)
            }
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Binary => Values::Bytes(array.as_binary()),
            other => return Err(EncodeError(format!("there is no form for {other} here"))),
        };
        Ok(Self { array, values })
    }

    /// Returns what `row` of the batch holds.
    pub(super) fn cell(&self, row: usize) -> Cell<'a> {
        if self.array.is_null(row) {
            return Cell::Null;
        }
        match self.values {
            Values::Integer(array) => Cell::Integer(array.value(row)),
            Values::Real(array) => Cell::Real(array.value(row)),
            Values::Decimal(array, wide) => {
                Cell::Decimal { digits: array.value_as_string(row), wide }
            }
            Values::Text(array) => Cell::Text(array.value(row)),
            Values::Bytes(array) => Cell::Bytes(array.value(row)),
        }
    }
}

/// Appends a whole number.
pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a vector takes every byte");
}

/// Appends a number with the fewest digits that read back as it; `quote` stands on both sides of a word that is no number.
pub(super) fn real(value: f64, quote: &str, out: &mut Vec<u8>) {
    if value.is_finite() {
        serde_json::to_writer(out, &value)
            .expect("a float serialises, and a vector takes every byte");
        return;
    }
    let word = match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    };
    write!(out, "{quote}{word}{quote}").expect("a vector takes every byte");
}

/// Appends bytes as base64 in quotes.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD
        .encode_slice(bytes, out.get_mut(start..).unwrap_or_default())
        .expect("the buffer was made as long as base64 of these bytes is");
    out.truncate(start + written);
    out.push(b'"');
}
