//! What becomes of every Arrow type, and how batches are cut.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Date64Array, Decimal32Array, Decimal64Array,
    Decimal128Array, Decimal256Array, DictionaryArray, DurationMillisecondArray,
    FixedSizeBinaryArray, FixedSizeListArray, Float16Array, Int16Array, Int32Array,
    IntervalDayTimeArray, IntervalYearMonthArray, LargeBinaryArray, LargeListArray,
    LargeListViewArray, LargeStringArray, ListViewArray, NullArray, RecordBatch, RunArray,
    StringArray, StringViewArray, Time32MillisecondArray, Time32SecondArray,
    Time64MicrosecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampSecondArray, UInt64Array,
};
use arrow_buffer::{IntervalDayTime, i256};
use arrow_schema::{DataType, Field, Schema};

use super::batch::Taker;
use super::column::{self, Source};
use super::convert::convert;
use crate::silo::{ColumnType, Shape};
use crate::text::{Years, scalar};

fn field(array: &ArrayRef, extension: Option<&str>) -> Field {
    let field = Field::new("c", array.data_type().clone(), true);
    match extension {
        Some(name) => field.with_metadata(std::collections::HashMap::from([(
            "ARROW:extension:name".to_owned(),
            name.to_owned(),
        )])),
        None => field,
    }
}

/// An array with its extension type, and what it becomes.
type Case<'a> = ((ArrayRef, Option<&'a str>), ColumnType, Vec<String>);

/// The column that an array becomes, and its values as text.
fn become_of(array: &ArrayRef, extension: Option<&str>) -> (ColumnType, Vec<String>) {
    let source = Source::of(&field(array, extension));
    let converted = convert(array, &source).unwrap();
    assert_eq!(*converted.data_type(), source.kind.data_type(), "{}", source.declared);
    let text = |row: usize| {
        if converted.is_null(row) {
            return "NULL".to_owned();
        }
        let mut out = Vec::new();
        match converted.data_type() {
            DataType::Utf8 => return converted.as_string::<i32>().value(row).to_owned(),
            DataType::Binary => return format!("{:?}", converted.as_binary::<i32>().value(row)),
            _ => scalar(&converted, row, Years::Iso, &mut out).unwrap(),
        }
        String::from_utf8(out).unwrap()
    };
    (source.kind, (0..converted.len()).map(text).collect())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one case for each type")]
fn every_arrow_type_has_an_exact_form() {
    const DAY: i64 = 86_400_000;
    let list = |array: ArrayRef| (array, None);
    let items = Some(vec![Some(1), None]);
    let large: ArrayRef =
        Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>([items.clone(), None]));
    let fixed: ArrayRef = Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
        [items.clone(), None],
        2,
    ));
    let view: ArrayRef =
        Arc::new(ListViewArray::from_iter_primitive::<Int32Type, _, _>([items.clone(), None]));
    let large_view: ArrayRef =
        Arc::new(LargeListViewArray::from_iter_primitive::<Int32Type, _, _>([items, None]));
    let runs =
        RunArray::try_new(&Int16Array::from(vec![2, 3]), &StringArray::from(vec![Some("a"), None]));
    let words: DictionaryArray<Int8Type> = vec![Some("b"), None, Some("b")].into_iter().collect();
    let uuids = FixedSizeBinaryArray::try_from_iter([[0x12_u8; 16]].into_iter()).unwrap();
    let wide = i256::from_string(&"9".repeat(70)).unwrap();
    let decimal = |precision, scale| ColumnType::Decimal { precision, scale };
    let cases: Vec<Case<'_>> = vec![
        (list(Arc::new(BooleanArray::from(vec![true]))), ColumnType::Boolean, vec!["true".into()]),
        (
            list(Arc::new(UInt64Array::from(vec![u64::MAX]))),
            decimal(20, 0),
            vec![u64::MAX.to_string()],
        ),
        (
            list(Arc::new(Float16Array::from(vec![half(1.5)]))),
            ColumnType::Single,
            vec!["1.5".into()],
        ),
        (
            list(Arc::new(Decimal32Array::from(vec![-5]).with_precision_and_scale(4, 2).unwrap())),
            decimal(4, 2),
            vec!["-0.05".into()],
        ),
        (
            list(Arc::new(Decimal64Array::from(vec![5]).with_precision_and_scale(12, 0).unwrap())),
            decimal(12, 0),
            vec!["5".into()],
        ),
        (
            list(Arc::new(
                Decimal128Array::from(vec![12]).with_precision_and_scale(5, -2).unwrap(),
            )),
            ColumnType::Text,
            vec!["1200".into()],
        ),
        (
            list(Arc::new(
                Decimal256Array::from(vec![i256::from_i128(7)])
                    .with_precision_and_scale(38, 1)
                    .unwrap(),
            )),
            decimal(38, 1),
            vec!["0.7".into()],
        ),
        (
            list(Arc::new(
                Decimal256Array::from(vec![wide]).with_precision_and_scale(76, 0).unwrap(),
            )),
            ColumnType::Text,
            vec!["9".repeat(70)],
        ),
        (
            list(Arc::new(LargeStringArray::from(vec![Some("x"), None]))),
            ColumnType::Text,
            vec!["x".into(), "NULL".into()],
        ),
        (
            list(Arc::new(StringViewArray::from(vec!["a text longer than twelve bytes"]))),
            ColumnType::Text,
            vec!["a text longer than twelve bytes".into()],
        ),
        (
            (Arc::new(StringArray::from(vec!["{ \"a\": 1 }"])), Some("arrow.json")),
            ColumnType::Json,
            vec!["{\"a\":1}".into()],
        ),
        (
            list(Arc::new(LargeBinaryArray::from(vec![&b"\0"[..]]))),
            ColumnType::Bytes,
            vec!["[0]".into()],
        ),
        (
            list(Arc::new(BinaryViewArray::from(vec![&b"\x01"[..]]))),
            ColumnType::Bytes,
            vec!["[1]".into()],
        ),
        (
            (Arc::new(uuids.clone()), Some("arrow.uuid")),
            ColumnType::Text,
            vec!["12121212-1212-1212-1212-121212121212".into()],
        ),
        (list(Arc::new(uuids)), ColumnType::Bytes, vec![format!("{:?}", [0x12_u8; 16])]),
        (
            list(Arc::new(Date64Array::from(vec![-DAY, 0]))),
            ColumnType::Date,
            vec!["1969-12-31".into(), "1970-01-01".into()],
        ),
        (
            list(Arc::new(Time32SecondArray::from(vec![86_400]))),
            ColumnType::Time,
            vec!["24:00:00".into()],
        ),
        (
            list(Arc::new(Time32MillisecondArray::from(vec![1]))),
            ColumnType::Time,
            vec!["00:00:00.001".into()],
        ),
        (
            list(Arc::new(Time64NanosecondArray::from(vec![1]))),
            ColumnType::Text,
            vec!["00:00:00.000000001".into()],
        ),
        (
            list(Arc::new(TimestampSecondArray::from(vec![-1, i64::MAX]).with_timezone("+02:00"))),
            ColumnType::TimestampTz,
            vec!["1969-12-31T23:59:59Z".into(), "infinity".into()],
        ),
        (
            list(Arc::new(TimestampMillisecondArray::from(vec![1]))),
            ColumnType::Timestamp,
            vec!["1970-01-01T00:00:00.001".into()],
        ),
        (
            list(Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("Europe/Berlin"))),
            ColumnType::TimestampTz,
            vec!["1970-01-01T00:00:00.000001Z".into()],
        ),
        (
            list(Arc::new(DurationMillisecondArray::from(vec![-1_500]))),
            ColumnType::Text,
            vec!["PT-1.5S".into()],
        ),
        (
            list(Arc::new(IntervalYearMonthArray::from(vec![14]))),
            ColumnType::Text,
            vec!["P1Y2M".into()],
        ),
        (
            list(Arc::new(IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, 500)]))),
            ColumnType::Text,
            vec!["P1DT0.5S".into()],
        ),
        (list(large), ColumnType::Json, vec!["[1,null]".into(), "NULL".into()]),
        (list(fixed), ColumnType::Json, vec!["[1,null]".into(), "NULL".into()]),
        (list(view), ColumnType::Json, vec!["[1,null]".into(), "NULL".into()]),
        (list(large_view), ColumnType::Json, vec!["[1,null]".into(), "NULL".into()]),
        (
            list(Arc::new(runs.unwrap())),
            ColumnType::Text,
            vec!["a".into(), "a".into(), "NULL".into()],
        ),
        (list(Arc::new(words)), ColumnType::Text, vec!["b".into(), "NULL".into(), "b".into()]),
        (list(Arc::new(NullArray::new(1))), ColumnType::Text, vec!["NULL".into()]),
    ];
    for ((array, extension), kind, texts) in cases {
        let what = array.data_type().clone();
        assert_eq!(become_of(&array, extension), (kind, texts), "{what}");
    }
}

#[test]
fn a_value_that_its_type_does_not_hold_is_refused() {
    let refused: [(ArrayRef, Option<&str>); 6] = [
        (
            Arc::new(
                Decimal128Array::from(vec![0, 100_000]).with_precision_and_scale(5, 2).unwrap(),
            ),
            None,
        ),
        (Arc::new(Date64Array::from(vec![0, 1])), None),
        (Arc::new(Time64MicrosecondArray::from(vec![0, 86_400_000_001])), None),
        (Arc::new(Time32SecondArray::from(vec![0, -1])), None),
        (Arc::new(TimestampSecondArray::from(vec![0, i64::MAX - 1])), None),
        (Arc::new(StringArray::from(vec!["1", "{"])), Some("arrow.json")),
    ];
    for (array, extension) in refused {
        let source = Source::of(&field(&array, extension));
        let error = convert(&array, &source).unwrap_err();
        assert_eq!(error.0, 1, "{}", source.declared);
    }
    // What stands where a NULL is is no value.
    let array = Decimal128Array::new(vec![0, 100_000].into(), Some(vec![true, false].into()));
    let array: ArrayRef = Arc::new(array.with_precision_and_scale(5, 2).unwrap());
    assert!(convert(&array, &Source::of(&field(&array, None))).unwrap().is_null(1));
}

#[test]
fn what_is_of_our_types_is_passed_on_without_copying() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let decimals: ArrayRef =
        Arc::new(Decimal128Array::from(vec![1, 2]).with_precision_and_scale(9, 2).unwrap());
    for array in [texts, decimals] {
        let converted = convert(&array, &Source::of(&field(&array, None))).unwrap();
        assert!(Arc::ptr_eq(&array, &converted), "{}", array.data_type());
    }
    let zoned: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("Etc/UTC"));
    let converted = convert(&zoned, &Source::of(&field(&zoned, None))).unwrap();
    let pointer = |array: &ArrayRef| array.to_data().buffers()[0].as_ptr();
    assert_eq!(pointer(&zoned), pointer(&converted));
}

#[test]
fn batches_are_cut_by_rows_and_by_bytes() {
    let cut = |texts: Vec<String>| {
        let numbers: ArrayRef =
            Arc::new(Int32Array::from_iter_values(0..i32::try_from(texts.len()).unwrap()));
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap();
        let columns = column::all(&batch.schema()).unwrap();
        let shape = Shape {
            columns: columns.iter().map(Source::shape).collect(),
            ordered_by: vec![],
            keyed: false,
            statement: String::new(),
            notes: vec![],
            rows: None,
        };
        let (mut lengths, mut rows) = (Vec::new(), Vec::new());
        let mut taker = Taker::new(shape.schema(), columns);
        let more = taker.take(&batch, |piece| {
            let numbers = piece.column(0).as_primitive::<arrow_array::types::Int64Type>().clone();
            rows.extend(numbers.values().to_vec());
            lengths.push(piece.num_rows());
            true
        });
        assert_eq!(more, Ok(true));
        assert!(rows.iter().copied().eq(0..i64::try_from(rows.len()).unwrap()));
        lengths
    };
    assert_eq!(cut(vec![String::new(); 20_000]), [8_192, 8_192, 3_616]);
    assert_eq!(cut(vec!["x".repeat(600_000); 3]), [1, 1, 1]);
    assert_eq!(cut(vec!["x".repeat(3 << 20)]), [1]);
    assert!(cut(vec![]).is_empty());
}

#[test]
fn a_value_that_is_refused_is_named_by_its_row_in_the_section() {
    let batch = |values: Vec<i128>| {
        let array = Decimal128Array::from(values).with_precision_and_scale(3, 0).unwrap();
        RecordBatch::try_from_iter([("d", Arc::new(array) as ArrayRef)]).unwrap()
    };
    let schema = Arc::new(Schema::new(vec![Field::new("d", DataType::Decimal128(3, 0), true)]));
    let mut taker = Taker::new(Arc::clone(&schema), column::all(&schema).unwrap());
    assert_eq!(taker.take(&batch(vec![1, 2]), |_| true), Ok(true));
    let error = taker.take(&batch(vec![3, 1_000]), |_| true).unwrap_err();
    assert_eq!(error.to_string(), "row 4, column d: a value that its type does not hold");
    assert_eq!(taker.take(&batch(vec![3]), |_| false), Ok(false));
}

fn half(
    value: f32,
) -> <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native {
    <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native::from_f32(value)
}
