//! How do a driver's arrays become a section's columns? As they are where the types agree; else value by value, and none rounded.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};

use super::cell::{Cell, cell};
use super::column::Source;
use super::written::{write, write_json, write_uuid};
use crate::silo::ColumnType;
use crate::text::moment::DAY;
use crate::text::{json, minify_json};

/// What cannot be taken over: the row in the array, and why.
pub(super) type Refused = (usize, &'static str);

/// Turns a driver's array into the column of the section.
pub(super) fn convert(array: &ArrayRef, column: &Source) -> Result<ArrayRef, Refused> {
    if let Some(same) = as_it_is(array, column.kind) {
        return Ok(same);
    }
    Ok(match column.kind {
        ColumnType::Boolean => Arc::new(booleans(array)?),
        ColumnType::Integer => Arc::new(numbers::<Int64Type>(array, |value| match value {
            Cell::Integer(number) => Some(number),
            _ => None,
        })?),
        ColumnType::Single => Arc::new(numbers::<Float32Type>(array, |value| match value {
            Cell::Single(number) => Some(number),
            _ => None,
        })?),
        ColumnType::Real => Arc::new(numbers::<Float64Type>(array, |value| match value {
            Cell::Real(number) => Some(number),
            _ => None,
        })?),
        ColumnType::Decimal { precision, scale } => {
            let limit = limit(precision);
            let decimals = numbers::<Decimal128Type>(array, |value| {
                let unscaled = match value {
                    Cell::Unsigned(number) => number.into(),
                    Cell::Decimal(unscaled, _) => unscaled.to_i128()?,
                    _ => return None,
                };
                (unscaled.unsigned_abs() < limit).then_some(unscaled)
            })?;
            Arc::new(decimals.with_precision_and_scale(precision, scale).map_err(|_| (0, UNFIT))?)
        }
        ColumnType::Date => Arc::new(numbers::<Date32Type>(array, day)?),
        ColumnType::Time => {
            Arc::new(numbers::<Time64MicrosecondType>(array, |value| match value {
                Cell::Time(nanos) => {
                    Some(nanos / 1_000).filter(|micros| (0..=DAY).contains(micros))
                }
                _ => None,
            })?)
        }
        ColumnType::Timestamp => Arc::new(numbers::<TimestampMicrosecondType>(array, moment)?),
        ColumnType::TimestampTz => {
            Arc::new(numbers::<TimestampMicrosecondType>(array, moment)?.with_timezone("UTC"))
        }
        ColumnType::Bytes => Arc::new(bytes(array)?),
        ColumnType::Text => texts(array, |value, _, out| match value {
            Cell::Bytes(bytes) if column.uuid => {
                write_uuid(bytes, out);
                Some(())
            }
            other => write(&other, out),
        })?,
        ColumnType::Json => texts(array, |value, row, out| match value {
            // JSON already, as the driver says.
            Cell::Text(text) => {
                out.extend_from_slice(minify_json(text)?.as_bytes());
                Some(())
            }
            _ => write_json(array, row, out),
        })?,
    })
}

/// The array itself, where its type is the column's and every value is one of the column's.
fn as_it_is(array: &ArrayRef, kind: ColumnType) -> Option<ArrayRef> {
    match (kind, array.data_type()) {
        (ColumnType::Boolean, DataType::Boolean)
        | (ColumnType::Integer, DataType::Int64)
        | (ColumnType::Single, DataType::Float32)
        | (ColumnType::Real, DataType::Float64)
        | (ColumnType::Text, DataType::Utf8)
        | (ColumnType::Bytes, DataType::Binary) => Some(Arc::clone(array)),
        (ColumnType::Json, DataType::Utf8) => {
            let minified = array.as_string::<i32>().iter().flatten().all(json::is_minified);
            minified.then(|| Arc::clone(array))
        }
        (ColumnType::Decimal { precision, .. }, DataType::Decimal128(..)) => {
            let limit = limit(precision);
            fits::<Decimal128Type>(array, |value| value.unsigned_abs() < limit)
        }
        (ColumnType::Date, DataType::Date32) => fits::<Date32Type>(array, |day| day != -i32::MAX),
        (ColumnType::Time, DataType::Time64(TimeUnit::Microsecond)) => {
            fits::<Time64MicrosecondType>(array, |time| (0..=DAY).contains(&time))
        }
        (ColumnType::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, None)) => {
            fits::<TimestampMicrosecondType>(array, |micros| micros != -i64::MAX)
        }
        (ColumnType::TimestampTz, DataType::Timestamp(TimeUnit::Microsecond, Some(zone))) => {
            let same = fits::<TimestampMicrosecondType>(array, |micros| micros != -i64::MAX)?;
            if zone.as_ref() == "UTC" {
                return Some(same);
            }
            // The zone is how it is shown; the numbers are those of UTC.
            let moments = same.as_primitive::<TimestampMicrosecondType>().clone();
            Some(Arc::new(moments.with_timezone("UTC")))
        }
        _ => None,
    }
}

/// What stands where a NULL is is looked at, too: then the slow way decides.
fn fits<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    fits: impl Fn(T::Native) -> bool,
) -> Option<ArrayRef> {
    let numbers = array.as_primitive_opt::<T>()?;
    numbers.values().iter().all(|value| fits(*value)).then(|| Arc::clone(array))
}

fn numbers<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    of: impl Fn(Cell<'_>) -> Option<T::Native>,
) -> Result<PrimitiveArray<T>, Refused> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(array.len());
    for row in 0..array.len() {
        match cell(array, row) {
            Cell::Null => builder.append_null(),
            value => builder.append_value(of(value).ok_or((row, UNFIT))?),
        }
    }
    Ok(builder.finish())
}

fn booleans(array: &ArrayRef) -> Result<arrow_array::BooleanArray, Refused> {
    let mut builder = BooleanBuilder::with_capacity(array.len());
    for row in 0..array.len() {
        match cell(array, row) {
            Cell::Null => builder.append_null(),
            Cell::Boolean(value) => builder.append_value(value),
            _ => return Err((row, UNFIT)),
        }
    }
    Ok(builder.finish())
}

fn bytes(array: &ArrayRef) -> Result<arrow_array::BinaryArray, Refused> {
    let mut builder = BinaryBuilder::new();
    let mut held = 0;
    for row in 0..array.len() {
        match cell(array, row) {
            Cell::Null => builder.append_null(),
            Cell::Bytes(bytes) => {
                room(&mut held, bytes.len(), row)?;
                builder.append_value(bytes);
            }
            _ => return Err((row, UNFIT)),
        }
    }
    Ok(builder.finish())
}

fn texts(
    array: &ArrayRef,
    write: impl Fn(Cell<'_>, usize, &mut Vec<u8>) -> Option<()>,
) -> Result<ArrayRef, Refused> {
    let mut builder = StringBuilder::new();
    let (mut out, mut held) = (Vec::new(), 0);
    for row in 0..array.len() {
        match cell(array, row) {
            Cell::Null => builder.append_null(),
            value => {
                out.clear();
                write(value, row, &mut out).ok_or((row, UNFIT))?;
                room(&mut held, out.len(), row)?;
                builder.append_value(std::str::from_utf8(&out).map_err(|_| (row, UNFIT))?);
            }
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Offsets of a column are numbers of 32 bits.
fn room(held: &mut usize, more: usize, row: usize) -> Result<(), Refused> {
    *held += more;
    if i32::try_from(*held).is_ok() { Ok(()) } else { Err((row, "a value of more than 2 GiB")) }
}

/// No calendar reaches as far as the first and the last of these numbers: databases use them for infinity.
fn day(value: Cell<'_>) -> Option<i32> {
    match value {
        Cell::Date(day) if day == -i32::MAX => Some(i32::MIN),
        Cell::Date(day) => Some(day),
        Cell::DateMillis(millis) if millis % MILLIS_OF_DAY == 0 => {
            i32::try_from(millis / MILLIS_OF_DAY).ok()
        }
        _ => None,
    }
}

fn moment(value: Cell<'_>) -> Option<i64> {
    match value {
        Cell::Moment { value: i64::MAX, .. } => Some(i64::MAX),
        Cell::Moment { value, .. } if value <= -i64::MAX => Some(i64::MIN),
        Cell::Moment { value, unit, .. } => value.checked_mul(unit / 1_000),
        _ => None,
    }
}

/// What every decimal of a precision is below.
const fn limit(precision: u8) -> u128 {
    10_u128.pow(if precision > 38 { 38 } else { precision as u32 })
}

const MILLIS_OF_DAY: i64 = DAY / 1_000;
const UNFIT: &str = "a value that its type does not hold";
