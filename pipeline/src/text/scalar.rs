//! What is a value of an Arrow column as text? For key values and hashes.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};

use super::{Moment, Years, number};

/// Appends the value in `row`, which is not NULL, as the CSV file has it but without quotes; bytes are appended as they are.
/// `None`: no column of a silo has such a type, and nothing was appended.
pub(crate) fn scalar(
    column: &dyn Array,
    row: usize,
    years: Years,
    out: &mut Vec<u8>,
) -> Option<()> {
    match column.data_type() {
        DataType::Boolean => {
            let word: &[u8] = if column.as_boolean().value(row) { b"true" } else { b"false" };
            out.extend_from_slice(word);
        }
        DataType::Int64 => number::integer(native::<Int64Type>(column, row), out),
        DataType::Float32 => number::single(native::<Float32Type>(column, row), "", out),
        DataType::Float64 => number::real(native::<Float64Type>(column, row), "", out),
        DataType::Decimal128(_, scale) => {
            number::decimal(native::<Decimal128Type>(column, row), *scale, out);
        }
        DataType::Utf8 => out.extend_from_slice(column.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => out.extend_from_slice(column.as_binary::<i32>().value(row)),
        DataType::Date32 => Moment::Date(native::<Date32Type>(column, row)).write(years, out),
        DataType::Time64(TimeUnit::Microsecond) => {
            Moment::Time(native::<Time64MicrosecondType>(column, row)).write(years, out);
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = native::<TimestampMicrosecondType>(column, row);
            Moment::at(micros, zone.is_some()).write(years, out);
        }
        _ => return None,
    }
    Some(())
}

fn native<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> T::Native {
    column.as_primitive::<T>().value(row)
}
