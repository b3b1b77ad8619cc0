//! What does a column hold in a row? For the formats that are text.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int64Array, RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, TimeUnit};

use super::EncodeError;
use crate::silo::JSON_EXTENSION;
use crate::text::{Moment, Years, json, moment, number};

/// A column as its type, so that the type is looked at once for a batch.
pub(super) struct Column<'a> {
    array: &'a dyn Array,
    values: Values<'a>,
}

/// What a row holds in a column, by what a format must decide for itself.
pub(super) enum Cell<'a> {
    Null,
    Text(&'a str),
    /// One JSON value without whitespace outside its strings.
    Json(&'a str),
    /// What looks the same in each format but for quotes.
    Plain(Plain<'a>),
}

/// A piece of a long value: a cell of the same kind.
pub(super) struct Piece<'a> {
    pub(super) cell: Cell<'a>,
    /// Nothing of the value stands before it.
    pub(super) first: bool,
    /// Nothing of the value stands behind it.
    pub(super) last: bool,
}

/// A value whose text no format has to escape.
pub(super) enum Plain<'a> {
    Boolean(bool),
    Integer(i64),
    Single(f32),
    Real(f64),
    Decimal {
        unscaled: i128,
        scale: i8,
        /// More digits than every double holds.
        wide: bool,
    },
    Moment(Moment),
    Bytes(&'a [u8]),
}

enum Values<'a> {
    Boolean(&'a BooleanArray),
    Integer(&'a Int64Array),
    Single(&'a Float32Array),
    Real(&'a Float64Array),
    Decimal { array: &'a Decimal128Array, scale: i8, wide: bool },
    Text(&'a StringArray),
    Json(&'a StringArray),
    Bytes(&'a BinaryArray),
    Date(&'a Date32Array),
    Time(&'a Time64MicrosecondArray),
    Timestamp { array: &'a TimestampMicrosecondArray, zoned: bool },
}

impl<'a> Column<'a> {
    /// Returns the columns of a batch.
    ///
    /// # Errors
    /// [`EncodeError`] when a type has no form as text here, or a value is none of its column's type: JSON text that is not one
    /// value without whitespace, a time beyond its day. Rows count from 1 in the batch.
    pub(super) fn all(batch: &'a RecordBatch) -> Result<Vec<Self>, EncodeError> {
        let fields = batch.schema_ref().fields().iter();
        fields.zip(batch.columns()).map(|(field, array)| Self::of(field, array)).collect()
    }

    fn of(field: &Field, array: &'a dyn Array) -> Result<Self, EncodeError> {
        let values = match array.data_type() {
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::Int64 => Values::Integer(array.as_primitive::<Int64Type>()),
            DataType::Float32 => Values::Single(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Values::Real(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(precision, scale) => Values::Decimal {
                array: array.as_primitive::<Decimal128Type>(),
                scale: *scale,
                wide: *precision > 15,
            },
            DataType::Utf8 if field.extension_type_name() == Some(JSON_EXTENSION) => {
                let array = array.as_string();
                let wrong = |text| !json::is_minified(text);
                refuse(field, array.iter(), wrong, "not one JSON value without whitespace")?;
                Values::Json(array)
            }
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Binary => Values::Bytes(array.as_binary()),
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>()),
            DataType::Time64(TimeUnit::Microsecond) => {
                let array = array.as_primitive::<Time64MicrosecondType>();
                let wrong = |micros| !(0..=moment::DAY).contains(&micros);
                refuse(field, array.iter(), wrong, "not a time of day")?;
                Values::Time(array)
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => Values::Timestamp {
                array: array.as_primitive::<TimestampMicrosecondType>(),
                zoned: zone.is_some(),
            },
            other => {
                return Err(EncodeError::Format(format!("there is no form for {other} here")));
            }
        };
        Ok(Self { array, values })
    }

    /// Returns what `row` of the batch holds.
    pub(super) fn cell(&self, row: usize) -> Cell<'a> {
        if self.array.is_null(row) {
            return Cell::Null;
        }
        Cell::Plain(match self.values {
            Values::Text(array) => return Cell::Text(array.value(row)),
            Values::Json(array) => return Cell::Json(array.value(row)),
            Values::Boolean(array) => Plain::Boolean(array.value(row)),
            Values::Integer(array) => Plain::Integer(array.value(row)),
            Values::Single(array) => Plain::Single(array.value(row)),
            Values::Real(array) => Plain::Real(array.value(row)),
            Values::Decimal { array, scale, wide } => {
                Plain::Decimal { unscaled: array.value(row), scale, wide }
            }
            Values::Bytes(array) => Plain::Bytes(array.value(row)),
            Values::Date(array) => Plain::Moment(Moment::Date(array.value(row))),
            Values::Time(array) => Plain::Moment(Moment::Time(array.value(row))),
            Values::Timestamp { array, zoned } => {
                Plain::Moment(Moment::at(array.value(row), zoned))
            }
        })
    }
}

impl<'a> Cell<'a> {
    /// Returns the bytes of a text, of JSON and of bytes; those of anything else are few.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Plain(Plain::Bytes(bytes)) => bytes.len(),
            Self::Null | Self::Plain(_) => 0,
        }
    }

    /// Returns the piece of at most so many bytes, a multiple of three, that begins at `from`, and where it ends. Letters stay whole,
    /// and so do the three bytes that base64 takes together.
    pub(super) fn piece(&self, from: usize, most: usize) -> (Piece<'a>, usize) {
        let len = self.len();
        let end = from.saturating_add(most).min(len);
        let (end, cell) = match self {
            Self::Text(text) | Self::Json(text) => {
                let end = text.floor_char_boundary(end);
                let part = text.get(from..end).unwrap_or_default();
                (
                    end,
                    if matches!(self, Self::Text(_)) { Self::Text(part) } else { Self::Json(part) },
                )
            }
            Self::Plain(Plain::Bytes(bytes)) => {
                (end, Self::Plain(Plain::Bytes(bytes.get(from..end).unwrap_or_default())))
            }
            Self::Null | Self::Plain(_) => (len, Self::Null),
        };
        (Piece { cell, first: from == 0, last: end >= len }, end)
    }
}

impl Plain<'_> {
    /// Appends the value. `quote` stands on both sides of what is neither a number that every double holds nor a truth value;
    /// bytes are always in quotes.
    pub(super) fn write(&self, quote: &str, out: &mut Vec<u8>) {
        match *self {
            Self::Boolean(true) => out.extend_from_slice(b"true"),
            Self::Boolean(false) => out.extend_from_slice(b"false"),
            Self::Integer(value) => number::integer(value, out),
            Self::Single(value) => number::single(value, quote, out),
            Self::Real(value) => number::real(value, quote, out),
            Self::Decimal { unscaled, scale, wide } => {
                let quote = if wide { quote } else { "" };
                out.extend_from_slice(quote.as_bytes());
                number::decimal(unscaled, scale, out);
                out.extend_from_slice(quote.as_bytes());
            }
            Self::Moment(moment) => {
                out.extend_from_slice(quote.as_bytes());
                moment.write(Years::Iso, out);
                out.extend_from_slice(quote.as_bytes());
            }
            Self::Bytes(value) => number::base64(value, out),
        }
    }
}

/// Refuses the first value that is `wrong`.
///
/// # Errors
/// [`EncodeError::Value`], its row counted from 1.
pub(super) fn refuse<T>(
    field: &Field,
    values: impl Iterator<Item = Option<T>>,
    wrong: impl Fn(T) -> bool,
    what: &'static str,
) -> Result<(), EncodeError> {
    for (row, value) in (1..).zip(values) {
        if value.is_some_and(&wrong) {
            return Err(EncodeError::Value { row, column: field.name().clone(), what });
        }
    }
    Ok(())
}
