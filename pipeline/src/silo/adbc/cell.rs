//! What is one value of an Arrow array, whatever the array is encoded as?

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType, RunEndIndexType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_buffer::i256;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Single(f32),
    Real(f64),
    /// An unscaled number and the digits behind its point, which may be fewer than none.
    Decimal(i256, i8),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Days since 1970.
    Date(i32),
    /// Milliseconds since 1970 of a type that stands for days.
    DateMillis(i64),
    /// Nanoseconds of a day.
    Time(i64),
    /// A moment in a unit of so many nanoseconds; in UTC or on a wall clock.
    Moment {
        value: i64,
        unit: i64,
        zoned: bool,
    },
    /// A length of time. The three are kept apart, as calendars do.
    Span {
        months: i32,
        days: i32,
        nanos: i128,
    },
    /// A list, a map, a struct or a union.
    Nested,
    /// Of a type that this reader does not know.
    Strange,
}

/// Looks at one value. A row of a dictionary or of runs is the value it stands for.
pub(super) fn cell(array: &dyn Array, row: usize) -> Cell<'_> {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
        DataType::Float16 => Cell::Single(at::<Float16Type>(array, row).to_f32()),
        DataType::Float32 => Cell::Single(at::<Float32Type>(array, row)),
        DataType::Float64 => Cell::Real(at::<Float64Type>(array, row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Cell::Text(array.as_string_view().value(row)),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Cell::Bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => Cell::Bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Cell::Bytes(array.as_fixed_size_binary().value(row)),
        DataType::Null => Cell::Null,
        DataType::Union(..) => {
            // It is NULL where the member is that it holds.
            let union = array.as_union();
            let member = union.child(union.type_id(row));
            let null = matches!(cell(member, union.value_offset(row)), Cell::Null);
            if null { Cell::Null } else { Cell::Nested }
        }
        kind if kind.is_integer() => whole(array, row),
        kind if kind.is_temporal() => temporal(array, row),
        DataType::Decimal32(_, scale) => {
            Cell::Decimal(i256::from_i128(at::<Decimal32Type>(array, row).into()), *scale)
        }
        DataType::Decimal64(_, scale) => {
            Cell::Decimal(i256::from_i128(at::<Decimal64Type>(array, row).into()), *scale)
        }
        DataType::Decimal128(_, scale) => {
            Cell::Decimal(i256::from_i128(at::<Decimal128Type>(array, row)), *scale)
        }
        DataType::Decimal256(_, scale) => Cell::Decimal(at::<Decimal256Type>(array, row), *scale),
        kind if kind.is_nested() && !is_encoded(kind) => Cell::Nested,
        _ => behind(array, row).map_or(Cell::Strange, |(values, row)| cell(values, row)),
    }
}

/// Returns the array and the row in it that a row of a dictionary or of runs stands for.
pub(super) fn behind(array: &dyn Array, row: usize) -> Option<(&dyn Array, usize)> {
    match array.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary_opt()?;
            let key = match cell(dictionary.keys(), row) {
                Cell::Integer(key) => usize::try_from(key).ok()?,
                Cell::Unsigned(key) => usize::try_from(key).ok()?,
                _ => return None,
            };
            Some((dictionary.values().as_ref(), key))
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => run::<Int16Type>(array, row),
            DataType::Int32 => run::<Int32Type>(array, row),
            _ => run::<Int64Type>(array, row),
        },
        _ => None,
    }
}

/// Says whether values of a type stand for those of another.
pub(super) const fn is_encoded(kind: &DataType) -> bool {
    matches!(kind, DataType::Dictionary(..) | DataType::RunEndEncoded(..))
}

/// Returns the elements of a list or the entries of a map in a row.
pub(super) fn elements(array: &dyn Array, row: usize) -> Option<ArrayRef> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::ListView(_) => array.as_list_view::<i32>().value(row),
        DataType::LargeListView(_) => array.as_list_view::<i64>().value(row),
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(row),
        DataType::Map(..) => Arc::new(array.as_map().value(row)),
        _ => return None,
    })
}

fn at<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn run<T: RunEndIndexType>(array: &dyn Array, row: usize) -> Option<(&dyn Array, usize)> {
    let runs = array.as_run_opt::<T>()?;
    Some((runs.values().as_ref(), runs.get_physical_index(row)))
}

fn whole(array: &dyn Array, row: usize) -> Cell<'_> {
    match array.data_type() {
        DataType::Int8 => Cell::Integer(at::<Int8Type>(array, row).into()),
        DataType::Int16 => Cell::Integer(at::<Int16Type>(array, row).into()),
        DataType::Int32 => Cell::Integer(at::<Int32Type>(array, row).into()),
        DataType::Int64 => Cell::Integer(at::<Int64Type>(array, row)),
        DataType::UInt8 => Cell::Integer(at::<UInt8Type>(array, row).into()),
        DataType::UInt16 => Cell::Integer(at::<UInt16Type>(array, row).into()),
        DataType::UInt32 => Cell::Integer(at::<UInt32Type>(array, row).into()),
        DataType::UInt64 => Cell::Unsigned(at::<UInt64Type>(array, row)),
        _ => Cell::Strange,
    }
}

fn temporal(array: &dyn Array, row: usize) -> Cell<'_> {
    let span =
        |value: i64, unit: i128| Cell::Span { months: 0, days: 0, nanos: i128::from(value) * unit };
    match array.data_type() {
        DataType::Date32 => Cell::Date(at::<Date32Type>(array, row)),
        DataType::Date64 => Cell::DateMillis(at::<Date64Type>(array, row)),
        DataType::Time32(TimeUnit::Second) => {
            Cell::Time(i64::from(at::<Time32SecondType>(array, row)) * 1_000_000_000)
        }
        DataType::Time32(_) => {
            Cell::Time(i64::from(at::<Time32MillisecondType>(array, row)) * 1_000_000)
        }
        DataType::Time64(TimeUnit::Microsecond) => at::<Time64MicrosecondType>(array, row)
            .checked_mul(1_000)
            .map_or(Cell::Strange, Cell::Time),
        DataType::Time64(_) => Cell::Time(at::<Time64NanosecondType>(array, row)),
        DataType::Timestamp(unit, zone) => {
            let (value, unit) = match unit {
                TimeUnit::Second => (at::<TimestampSecondType>(array, row), 1_000_000_000),
                TimeUnit::Millisecond => (at::<TimestampMillisecondType>(array, row), 1_000_000),
                TimeUnit::Microsecond => (at::<TimestampMicrosecondType>(array, row), 1_000),
                TimeUnit::Nanosecond => (at::<TimestampNanosecondType>(array, row), 1),
            };
            Cell::Moment { value, unit, zoned: zone.is_some() }
        }
        DataType::Duration(unit) => match unit {
            TimeUnit::Second => span(at::<DurationSecondType>(array, row), 1_000_000_000),
            TimeUnit::Millisecond => span(at::<DurationMillisecondType>(array, row), 1_000_000),
            TimeUnit::Microsecond => span(at::<DurationMicrosecondType>(array, row), 1_000),
            TimeUnit::Nanosecond => span(at::<DurationNanosecondType>(array, row), 1),
        },
        DataType::Interval(IntervalUnit::YearMonth) => {
            Cell::Span { months: at::<IntervalYearMonthType>(array, row), days: 0, nanos: 0 }
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let value = at::<IntervalDayTimeType>(array, row);
            let nanos = i128::from(value.milliseconds) * 1_000_000;
            Cell::Span { months: 0, days: value.days, nanos }
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = at::<IntervalMonthDayNanoType>(array, row);
            Cell::Span { months: value.months, days: value.days, nanos: value.nanoseconds.into() }
        }
        _ => Cell::Strange,
    }
}
