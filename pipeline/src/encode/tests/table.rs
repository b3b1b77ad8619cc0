//! The nasty table: every type, typical, NULL, empty and at its ends. `tests/python/check_types.py` states the same values.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::Schema;

use crate::silo::ColumnType;
use crate::text::moment::DAY;

/// Rows of the table; the second is all NULL, and columns with fewer values are NULL to the end.
const ROWS: usize = 24;

/// The columns' types, in their order.
pub(super) fn kinds() -> Vec<ColumnType> {
    columns().into_iter().map(|(_, kind, _)| kind).collect()
}

/// The table in one batch.
pub(super) fn batch() -> RecordBatch {
    let columns = columns();
    let fields: Vec<_> = columns.iter().map(|(name, kind, _)| kind.field(name)).collect();
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn columns() -> Vec<(&'static str, ColumnType, ArrayRef)> {
    let mut columns = numbers();
    columns.extend(decimals());
    columns.extend(lengths());
    columns.extend(moments());
    columns
}

fn numbers() -> Vec<(&'static str, ColumnType, ArrayRef)> {
    let integers = [7, 0, i64::MIN, i64::MAX, 9_007_199_254_740_993, -1];
    let singles = [
        0.1,
        0.0,
        -0.0,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1e-45,
        16_777_216.0,
        -1.5e-7,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
    ];
    let reals = [
        0.1,
        0.0,
        -0.0,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        9_007_199_254_740_992.0,
        -1.5e-7,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    vec![
        ("id", ColumnType::Integer, Arc::new(Int64Array::from_iter_values(1..25))),
        ("boolean", ColumnType::Boolean, Arc::new(BooleanArray::from(rows(&[true, false])))),
        ("integer", ColumnType::Integer, Arc::new(Int64Array::from(rows(&integers)))),
        ("single", ColumnType::Single, Arc::new(Float32Array::from(rows(&singles)))),
        ("real", ColumnType::Real, Arc::new(Float64Array::from(rows(&reals)))),
    ]
}

fn decimals() -> Vec<(&'static str, ColumnType, ArrayRef)> {
    let decimal = |name, precision, scale, values: &[i128]| {
        let array = Decimal128Array::from(rows(values)).with_precision_and_scale(precision, scale);
        let array: ArrayRef = Arc::new(array.unwrap());
        (name, ColumnType::Decimal { precision, scale }, array)
    };
    let most = 10_i128.pow(38) - 1;
    vec![
        decimal("whole", 5, 0, &[7, 0, 99_999, -99_999]),
        decimal("money", 15, 2, &[1_999, 0, 999_999_999_999_999, -999_999_999_999_999, -1]),
        decimal("sixteen", 16, 2, &[1_999, 0, 9_999_999_999_999_999, -1]),
        decimal("digits", 38, 0, &[7, 0, most, -most]),
        decimal("wide", 38, 10, &[12_345_000_000_000, 0, most, -most, 1, -1]),
        decimal("fraction", 38, 38, &[most, 0, -most, 1]),
    ]
}

fn lengths() -> Vec<(&'static str, ColumnType, ArrayRef)> {
    let texts = [
        "plain",
        "",
        "say \"hi\", she said; ok",
        "two\nlines\r\nthree\rfour",
        "\u{1f600} e\u{301} \u{65e5}\u{672c} \u{10ffff}",
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\ttab",
        "\rreturn",
        "'=1",
        "nul\0inside",
        "\u{1}\u{1b}\u{7f}\u{85}\u{2028}",
        "\u{feff}mark",
        "\\N \\ \\\"",
        "NULL",
        "null",
        " around ",
        "\"",
        "\"\"",
        "true",
        "infinity",
    ];
    let every: Vec<u8> = (0..=255).collect();
    let bytes = [&b"\x00\xff"[..], b"", b"\"", b"\xf8\x00\x00", b"=1+1", b"\r\n", &every];
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let json = [
        "{\"a\":[1,2.50,null,true],\"b\":{}}",
        "null",
        "\"\"",
        "-1",
        "9007199254740993",
        "1e400",
        "\"=1+1\"",
        "{\"say\":\"\\\"hi\\\", \\n\\r\\n\\u0001\",\"caf\\u00e9\":\"\u{1f600} \\ud83d\\ude00\",\"\":\"\\/\"}",
        "{\"a\":1,\"a\":2}",
        "[]",
        "{}",
        "0.10000000000000000000000000000000000001",
        "-0.0",
        "true",
        &deep,
        "\"a b\"",
    ];
    let texts: Vec<_> = rows(&texts);
    vec![
        ("text", ColumnType::Text, Arc::new(StringArray::from(texts))),
        ("bytes", ColumnType::Bytes, Arc::new(BinaryArray::from(rows(&bytes)))),
        ("json", ColumnType::Json, Arc::new(StringArray::from(rows(&json)))),
    ]
}

fn moments() -> Vec<(&'static str, ColumnType, ArrayRef)> {
    // 2024-02-29, 1970-01-01, the day before, then: the first day of our era and the one before, of four digits and the one after,
    // PostgreSQL's first and last, the century that has no leap day, and the ends of time.
    let days = [
        19_782,
        0,
        -1,
        -719_162,
        -719_163,
        2_932_896,
        2_932_897,
        -2_440_588,
        2_145_042_905,
        -25_509,
        -25_508,
        i32::MAX,
        i32::MIN,
    ];
    let times = [45_296_789_000, 0, DAY - 1, 1, 3_600_000_000, 60_000_000, 100_000];
    let first = -719_162 * DAY;
    let last = 2_932_897 * DAY - 1;
    let micros = [
        19_783 * DAY - 500_000,
        0,
        -1,
        first,
        first - 1,
        last,
        last + 1,
        -2_440_588 * DAY,
        i64::MAX - 1,
        1,
        -63_517_780_799_500_000,
        i64::MAX,
        i64::MIN,
    ];
    let wall = TimestampMicrosecondArray::from(rows(&micros));
    vec![
        ("date", ColumnType::Date, Arc::new(Date32Array::from(rows(&days)))),
        ("time", ColumnType::Time, Arc::new(Time64MicrosecondArray::from(rows(&times)))),
        ("timestamp", ColumnType::Timestamp, Arc::new(wall.clone())),
        ("timestamptz", ColumnType::TimestampTz, Arc::new(wall.with_timezone("UTC"))),
    ]
}

/// The values with a NULL after the first and as many at the end as rows are left.
fn rows<T: Copy>(values: &[T]) -> Vec<Option<T>> {
    let mut rows: Vec<Option<T>> = values.iter().copied().map(Some).collect();
    rows.insert(1, None);
    assert!(rows.len() <= ROWS, "more values than rows");
    rows.resize(ROWS, None);
    rows
}

#[test]
fn the_second_row_is_all_null_but_its_number() {
    let batch = batch();
    assert_eq!(batch.num_rows(), ROWS);
    assert!(batch.columns()[1..].iter().all(|column| column.is_null(1) && !column.is_null(0)));
}
