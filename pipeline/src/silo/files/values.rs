//! What do Arrow's values become that Parquet files hold? Everything has an exact form: a column's type, its text, or JSON.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Decimal128Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, Float32Array, Int64Array, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};

use super::select::{Cell, NANOS, time_of, time_of_seconds};
use super::wanted::Wanted;
use super::written::{write, write_json, written};
use crate::Value;
use crate::silo::ColumnType;
use crate::silo::items::text_of;

/// One value of an Arrow array.
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Single(f32),
    Real(f64),
    Decimal(i128, i8),
    /// Digits of a number that no other variant holds.
    Number(String),
    Text(&'a str),
    Bytes(&'a [u8]),
    Date(i32),
    /// Nanoseconds of a day.
    Time(i64),
    /// A moment in a unit of so many nanoseconds; in UTC or on a wall clock.
    Moment {
        value: i64,
        unit: i64,
        zoned: bool,
    },
    /// A list, a map or a struct.
    Nested,
    /// A type that no Parquet file is read as.
    Strange,
}

/// Says what a column of a file becomes; `uuid`: the file says that its bytes are UUIDs.
pub(super) fn kind_of(data_type: &DataType, uuid: bool) -> ColumnType {
    match data_type {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => ColumnType::Integer,
        DataType::UInt64 => ColumnType::Decimal { precision: 20, scale: 0 },
        DataType::Float16 | DataType::Float32 => ColumnType::Single,
        DataType::Float64 => ColumnType::Real,
        DataType::Decimal128(precision, scale)
            if u8::try_from(*scale).is_ok_and(|scale| scale <= *precision) =>
        {
            ColumnType::Decimal { precision: *precision, scale: *scale }
        }
        DataType::FixedSizeBinary(16) if uuid => ColumnType::Text,
        DataType::Binary | DataType::BinaryView | DataType::FixedSizeBinary(_) => ColumnType::Bytes,
        DataType::Date32 => ColumnType::Date,
        DataType::Time32(TimeUnit::Millisecond) | DataType::Time64(TimeUnit::Microsecond) => {
            ColumnType::Time
        }
        // Numbers of seconds go up to years that microseconds do not hold: they are checked value by value.
        DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond, zone) => {
            if zone.is_some() { ColumnType::TimestampTz } else { ColumnType::Timestamp }
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(..) => {
            ColumnType::Json
        }
        // Text as it is; nanoseconds and wide decimals as text that keeps every digit.
        _ => ColumnType::Text,
    }
}

/// Says whether values of a type can be taken over. Intervals cannot: Arrow leaves out a part of them.
pub(super) fn is_read(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) => is_read(item.data_type()),
        DataType::Struct(members) => members.iter().all(|member| is_read(member.data_type())),
        DataType::Map(entries, _) => is_read(entries.data_type()),
        DataType::Time32(unit) => *unit == TimeUnit::Millisecond,
        DataType::Time64(unit) => *unit != TimeUnit::Millisecond,
        DataType::Timestamp(unit, _) => *unit != TimeUnit::Second,
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_)
        | DataType::Date32 => true,
        _ => false,
    }
}

/// Turns a column of a file into one of a section's type: its own, or text if files differ. `None` if a value does not fit.
pub(super) fn convert(array: &ArrayRef, uuid: bool, kind: ColumnType) -> Option<ArrayRef> {
    if kind_of(array.data_type(), uuid) != kind {
        return (kind == ColumnType::Text).then(|| texts(array, uuid, false));
    }
    Some(match (kind, array.data_type()) {
        (ColumnType::Boolean, _)
        | (ColumnType::Integer, DataType::Int64)
        | (ColumnType::Single, DataType::Float32)
        | (ColumnType::Real | ColumnType::Date, _)
        | (ColumnType::Time, DataType::Time64(_))
        | (ColumnType::Decimal { .. }, DataType::Decimal128(..)) => Arc::clone(array),
        (ColumnType::Integer, _) => Arc::new(Int64Array::from_iter(
            (0..array.len()).map(|row| integer(&scalar(array, row))),
        )),
        (ColumnType::Single, _) => {
            let halves = array.as_primitive_opt::<Float16Type>()?;
            Arc::new(
                halves.iter().map(|half| half.map(|half| half.to_f32())).collect::<Float32Array>(),
            )
        }
        (ColumnType::Decimal { precision, scale }, _) => {
            let mut builder = Decimal128Builder::with_capacity(array.len());
            for value in array.as_primitive_opt::<UInt64Type>()? {
                builder.append_option(value.map(i128::from));
            }
            Arc::new(builder.finish().with_precision_and_scale(precision, scale).ok()?)
        }
        (ColumnType::Bytes, _) => {
            let mut builder = BinaryBuilder::new();
            for row in 0..array.len() {
                match scalar(array, row) {
                    Scalar::Bytes(bytes) => builder.append_value(bytes),
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        (ColumnType::Time, _) => {
            let times = array.as_primitive_opt::<Time32MillisecondType>()?;
            let micros = times.iter().map(|time| time.map(|time| i64::from(time) * 1_000));
            Arc::new(micros.collect::<Time64MicrosecondArray>())
        }
        (ColumnType::Timestamp | ColumnType::TimestampTz, _) => {
            let micros = (0..array.len()).map(|row| match scalar(array, row) {
                Scalar::Moment { value, unit, .. } => value.checked_mul(unit / 1_000).map(Some),
                _ => Some(None),
            });
            let micros: TimestampMicrosecondArray = micros.collect::<Option<_>>()?;
            let zone = (kind == ColumnType::TimestampTz).then_some("UTC");
            Arc::new(micros.with_timezone_opt(zone))
        }
        (ColumnType::Json, _) => texts(array, uuid, true),
        (ColumnType::Text, _) => texts(array, uuid, false),
    })
}

/// Returns the bytes that a row of a column takes about.
pub(super) fn width(array: &dyn Array, row: usize) -> usize {
    match array.data_type() {
        DataType::Utf8View | DataType::BinaryView | DataType::Utf8 | DataType::Binary => {
            match scalar(array, row) {
                Scalar::Text(text) => text.len() + 4,
                Scalar::Bytes(bytes) => bytes.len() + 4,
                _ => 4,
            }
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::Map(..) => elements(array, row)
            .map_or(4, |items| {
                (0..items.len()).map(|item| width(&items, item) + 8).sum::<usize>() + 4
            }),
        DataType::Struct(_) => {
            let members = array.as_struct().columns().iter();
            members.map(|member| width(member, row) + 16).sum()
        }
        _ => 16,
    }
}

/// Looks at one value.
pub(super) fn scalar(array: &dyn Array, row: usize) -> Scalar<'_> {
    if array.is_null(row) {
        return Scalar::Null;
    }
    let at = |value: i64, unit: i64, zoned: bool| Scalar::Moment { value, unit, zoned };
    match array.data_type() {
        DataType::Null => Scalar::Null,
        DataType::Boolean => Scalar::Boolean(array.as_boolean().value(row)),
        DataType::Int8 => Scalar::Integer(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Scalar::Integer(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Scalar::Integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Scalar::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Scalar::Integer(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Scalar::Integer(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Scalar::Integer(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Scalar::Unsigned(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float16 => {
            Scalar::Single(array.as_primitive::<Float16Type>().value(row).to_f32())
        }
        DataType::Float32 => Scalar::Single(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Scalar::Real(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) if *scale >= 0 => {
            Scalar::Decimal(array.as_primitive::<Decimal128Type>().value(row), *scale)
        }
        DataType::Decimal128(..) => {
            Scalar::Number(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Decimal256(..) => {
            Scalar::Number(array.as_primitive::<Decimal256Type>().value_as_string(row))
        }
        DataType::Utf8 => Scalar::Text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Scalar::Text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Scalar::Text(array.as_string_view().value(row)),
        DataType::Binary => Scalar::Bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Scalar::Bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => Scalar::Bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Scalar::Bytes(array.as_fixed_size_binary().value(row)),
        DataType::Date32 => Scalar::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Time32(TimeUnit::Millisecond) => {
            let millis = array.as_primitive::<Time32MillisecondType>().value(row);
            Scalar::Time(i64::from(millis) * 1_000_000)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let micros = array.as_primitive::<Time64MicrosecondType>().value(row);
            micros.checked_mul(1_000).map_or(Scalar::Strange, Scalar::Time)
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            Scalar::Time(array.as_primitive::<Time64NanosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            let value = array.as_primitive::<TimestampMillisecondType>().value(row);
            at(value, 1_000_000, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let value = array.as_primitive::<TimestampMicrosecondType>().value(row);
            at(value, 1_000, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let value = array.as_primitive::<TimestampNanosecondType>().value(row);
            at(value, 1, zone.is_some())
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(..) => {
            Scalar::Nested
        }
        _ => Scalar::Strange,
    }
}

/// A cell of a column; `uuid` as for [`kind_of`].
pub(super) struct ArrowCell<'a> {
    pub(super) value: Scalar<'a>,
    pub(super) uuid: bool,
}

impl Cell for ArrowCell<'_> {
    fn is_null(&self) -> bool {
        matches!(self.value, Scalar::Null)
    }

    fn is_in(&self, wanted: &Wanted) -> bool {
        match &self.value {
            Scalar::Integer(number) => wanted.has_integer(*number),
            Scalar::Single(number) => wanted.has_real((*number).into()),
            Scalar::Real(number) => wanted.has_real(*number),
            Scalar::Text(text) => wanted.has_text(text),
            Scalar::Bytes(bytes) if self.uuid => wanted.has_uuid(bytes),
            Scalar::Bytes(bytes) => wanted.has_bytes(bytes),
            Scalar::Unsigned(_) | Scalar::Number(_) => {
                wanted.has_number(&written(&self.value, self.uuid))
            }
            Scalar::Decimal(..) => {
                // `12.00` is 12.
                let text = written(&self.value, false);
                let short = text.trim_end_matches('0').trim_end_matches('.');
                wanted.has_number(if text.contains('.') { short } else { &text })
            }
            _ => false,
        }
    }

    fn nanos(&self) -> Option<i128> {
        match &self.value {
            Scalar::Text(text) => time_of(text),
            Scalar::Integer(seconds) => time_of_seconds(*seconds),
            Scalar::Date(days) => Some(i128::from(*days) * 86_400 * NANOS),
            Scalar::Moment { value, unit, .. } => Some(i128::from(*value) * i128::from(*unit)),
            Scalar::Real(_) => super::select::time_of_number(&written(&self.value, false)),
            _ => None,
        }
    }
}

/// Returns what a column provides as an identifier; `None` for NULL. `json`: the column holds JSON text.
pub(super) fn identifier(
    array: &dyn Array,
    row: usize,
    json: bool,
) -> Result<Option<Value>, &'static str> {
    Ok(match scalar(array, row) {
        Scalar::Null => None,
        Scalar::Text(token) if json => match token.as_bytes().first() {
            Some(b'n') => None,
            Some(b'"') => Some(Value::Text(
                text_of(token).ok_or("holds text that is not Unicode")?.into_owned(),
            )),
            Some(b'{' | b'[') => return Err("holds lists or objects"),
            _ => Some(token.parse().map_or_else(|_| Value::Text(token.to_owned()), Value::Integer)),
        },
        Scalar::Integer(number) => Some(Value::Integer(number)),
        Scalar::Real(number) => Some(Value::Real(number.to_bits())),
        Scalar::Bytes(bytes) => Some(Value::Bytes(bytes.to_vec())),
        value => Some(Value::Text(written(&value, false))),
    })
}

/// Returns the elements of a list or a map in a row.
pub(super) fn elements(array: &dyn Array, row: usize) -> Option<ArrayRef> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::List(_) => Some(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Some(array.as_list::<i64>().value(row)),
        DataType::Map(..) => Some(Arc::new(array.as_map().value(row))),
        _ => None,
    }
}

/// All values as text, or as JSON.
fn texts(array: &ArrayRef, uuid: bool, as_json: bool) -> ArrayRef {
    let mut builder = StringBuilder::new();
    let mut out = Vec::new();
    for row in 0..array.len() {
        match scalar(array, row) {
            Scalar::Null => builder.append_null(),
            Scalar::Text(text) if !as_json => builder.append_value(text),
            value => {
                out.clear();
                if as_json || matches!(value, Scalar::Nested) {
                    write_json(array, row, &mut out);
                } else {
                    write(&value, uuid, &mut out);
                }
                builder.append_value(String::from_utf8_lossy(&out));
            }
        }
    }
    Arc::new(builder.finish())
}

fn integer(value: &Scalar<'_>) -> Option<i64> {
    if let Scalar::Integer(number) = value { Some(*number) } else { None }
}

/// Nanoseconds in a day, the end of which is a time too.
#[cfg(test)]
const DAY_NANOS: i64 = crate::text::moment::DAY * 1_000;

#[cfg(test)]
mod tests {
    use arrow_array::{
        Decimal128Array, Decimal256Array, FixedSizeBinaryArray, Int32Array, StringViewArray,
        TimestampNanosecondArray, UInt64Array,
    };
    use arrow_buffer::i256;

    use super::*;

    fn all_texts(array: impl Array + 'static, uuid: bool) -> Vec<Option<String>> {
        let array: ArrayRef = Arc::new(array);
        let texts = convert(&array, uuid, ColumnType::Text).unwrap();
        texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn nanoseconds_keep_every_digit() {
        let array = TimestampNanosecondArray::from(vec![
            Some(0),
            Some(1),
            Some(1_500_000_000),
            Some(1_000_000_120),
            Some(-1),
            None,
        ]);
        let wanted = [
            Some("1970-01-01T00:00:00"),
            Some("1970-01-01T00:00:00.000000001"),
            Some("1970-01-01T00:00:01.5"),
            Some("1970-01-01T00:00:01.00000012"),
            Some("1969-12-31T23:59:59.999999999"),
            None,
        ];
        let found = all_texts(array.clone(), false);
        assert_eq!(found, wanted.map(|text| text.map(str::to_owned)));
        let zoned = array.with_timezone("UTC");
        assert_eq!(all_texts(zoned, false)[0].as_deref(), Some("1970-01-01T00:00:00Z"));
        let mut day = Vec::new();
        write(&Scalar::Time(DAY_NANOS), false, &mut day);
        assert_eq!(day, b"24:00:00");
    }

    #[test]
    fn wide_numbers_and_uuids_are_exact() {
        let wide =
            Decimal256Array::from(vec![i256::from_i128(-1_230)]).with_precision_and_scale(40, 2);
        assert_eq!(all_texts(wide.unwrap(), false)[0].as_deref(), Some("-12.30"));
        let id = FixedSizeBinaryArray::try_from_iter([[0x12_u8; 16]].into_iter()).unwrap();
        let id: ArrayRef = Arc::new(id);
        assert_eq!(kind_of(id.data_type(), false), ColumnType::Bytes);
        let text = "12121212-1212-1212-1212-121212121212";
        assert_eq!(all_texts(Arc::clone(&id), true)[0].as_deref(), Some(text));
        let known = [("id".to_owned(), vec![Value::Text(text.to_owned())])].into();
        let wanted = Wanted::of_identifier("id", &known);
        assert!(ArrowCell { value: scalar(&id, 0), uuid: true }.is_in(&wanted));
        let big: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        let kind = kind_of(big.data_type(), false);
        let big = convert(&big, false, kind).unwrap();
        assert_eq!(big.as_primitive::<Decimal128Type>().value(0), i128::from(u64::MAX));
    }

    #[test]
    fn a_value_is_found_whatever_its_type() {
        let known = [("id".to_owned(), vec![Value::Text("12".to_owned())])].into();
        let wanted = Wanted::of_identifier("id", &known);
        let decimals =
            Decimal128Array::from(vec![1_200, 1_250]).with_precision_and_scale(9, 2).unwrap();
        let arrays: [ArrayRef; 4] = [
            Arc::new(Int32Array::from(vec![12, 13])),
            Arc::new(StringViewArray::from(vec!["12", "012"])),
            Arc::new(UInt64Array::from(vec![12, 120])),
            Arc::new(decimals),
        ];
        for array in arrays {
            let is_in = |row| ArrowCell { value: scalar(&array, row), uuid: false }.is_in(&wanted);
            assert!(is_in(0) && !is_in(1), "{}", array.data_type());
        }
    }

    #[test]
    fn a_moment_that_microseconds_do_not_hold_is_refused() {
        let far: ArrayRef = Arc::new(arrow_array::TimestampMillisecondArray::from(vec![i64::MAX]));
        assert!(convert(&far, false, ColumnType::Timestamp).is_none());
        assert_eq!(all_texts(far, false)[0].as_deref(), Some("9223372036854775807000000 ns"));
    }
}
