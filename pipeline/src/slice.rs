//! Where does a slice end? Row content alone decides, so that one stream and many partitions cut alike.
//!
//! A keyed hash of the key columns picks natural cuts, about every [`SLICE_ROWS`] rows; a slice also ends before the row
//! that would take it past [`MAX_ROWS`] rows or [`SLICE_BYTES`] bytes. These counts start at zero at each cut, so a reader
//! that starts at any cut finds the same next one. The hash is keyed so that nobody can shape data against it.

use std::hash::Hasher;

use antumbra_crypto::Secret32;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use siphasher::sip::SipHasher13;

use crate::Value;
use crate::silo::{Cursor, Shape};
use crate::text::{Years, scalar};

/// Rows between natural cuts, on average.
pub(crate) const SLICE_ROWS: u64 = 131_072;
/// Rows of a slice, at most.
pub(crate) const MAX_ROWS: u64 = 2 * SLICE_ROWS;
/// Bytes of column data in a slice, at most; a single row may be larger.
pub(crate) const SLICE_BYTES: u64 = 16 << 20;

/// Finds cuts in a stream of batches.
pub(crate) struct Slicer {
    hasher: SipHasher13,
    key: Vec<usize>,
    rows: u64,
    bytes: u64,
    scratch: Vec<u8>,
}

impl Slicer {
    /// Starts at a cut. Without a proven key there are no natural cuts.
    pub(crate) fn new(secret: &Secret32, shape: &Shape) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&secret.expose()[..16]);
        let place = |name: &String| shape.columns.iter().position(|column| column.name == *name);
        let columns = if shape.keyed { &shape.ordered_by[..] } else { &[] };
        Self {
            hasher: SipHasher13::new_with_key(&key),
            key: columns.iter().filter_map(place).collect(),
            rows: 0,
            bytes: 0,
            scratch: Vec::new(),
        }
    }

    /// Returns the runs of a batch's rows as (offset, length); each run but the first starts with a cut, and the first
    /// does if the flag is set.
    pub(crate) fn split(&mut self, batch: &RecordBatch) -> (bool, Vec<(usize, usize)>) {
        let mut runs = Vec::new();
        let mut starts_with_cut = false;
        let mut from = 0;
        let sizes = Sizes::of(batch);
        for row in 0..batch.num_rows() {
            let size = sizes.of_row(row);
            let full = self.rows >= MAX_ROWS || self.bytes + size > SLICE_BYTES;
            if self.rows > 0 && (full || self.is_natural_cut(batch, row)) {
                if row == 0 {
                    starts_with_cut = true;
                } else {
                    runs.push((from, row - from));
                    from = row;
                }
                self.rows = 0;
                self.bytes = 0;
            }
            self.rows += 1;
            self.bytes += size;
        }
        runs.push((from, batch.num_rows() - from));
        (starts_with_cut, runs)
    }

    /// Returns the first row of a batch that a natural cut stands before, whatever was read before the batch. The batch may have the
    /// columns of the key alone if the shape has.
    pub(crate) fn natural_cut(&mut self, batch: &RecordBatch) -> Option<usize> {
        (0..batch.num_rows()).find(|row| self.is_natural_cut(batch, *row))
    }

    /// Returns the key of a row, for the cursor; empty without a key.
    pub(crate) fn cursor(&self, batch: &RecordBatch, row: usize) -> Cursor {
        let values = self.key.iter().filter_map(|column| value(batch.column(*column), row));
        Cursor(values.collect())
    }

    fn is_natural_cut(&mut self, batch: &RecordBatch, row: usize) -> bool {
        if self.key.is_empty() {
            return false;
        }
        self.scratch.clear();
        for column in &self.key {
            hashed(batch.column(*column), row, &mut self.scratch);
        }
        let mut hasher = self.hasher;
        hasher.write(&self.scratch);
        hasher.finish().is_multiple_of(SLICE_ROWS)
    }
}

/// Returns the largest row of a batch, its largest column, and the row's bytes; `None` without rows.
pub(crate) fn widest(batch: &RecordBatch) -> Option<(usize, String, u64)> {
    let sizes = Sizes::of(batch);
    let row = (0..batch.num_rows()).max_by_key(|row| sizes.of_row(*row))?;
    let len = |column: &dyn Array| match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value_length(row),
        DataType::Binary => column.as_binary::<i32>().value_length(row),
        _ => 0,
    };
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let (field, _) = columns.max_by_key(|(_, column)| len(column))?;
    Some((row, field.name().clone(), sizes.of_row(row)))
}

/// The sizes of rows by the lengths of their values, not by Arrow's buffers: the same wherever a row stands.
struct Sizes<'a> {
    /// Of the columns whose values are all equally long.
    fixed: u64,
    /// Of the others, where each value begins and the last one ends.
    offsets: Vec<&'a [i32]>,
}

impl<'a> Sizes<'a> {
    fn of(batch: &'a RecordBatch) -> Self {
        let mut sizes = Self { fixed: 0, offsets: Vec::new() };
        for column in batch.columns() {
            sizes.fixed += match column.data_type() {
                DataType::Utf8 => {
                    sizes.offsets.push(column.as_string::<i32>().value_offsets());
                    4
                }
                DataType::Binary => {
                    sizes.offsets.push(column.as_binary::<i32>().value_offsets());
                    4
                }
                DataType::Boolean => 1,
                DataType::Float32 | DataType::Date32 => 4,
                DataType::Decimal128(..) => 16,
                _ => 8,
            };
        }
        sizes
    }

    fn of_row(&self, row: usize) -> u64 {
        let len = |offsets: &&[i32]| match offsets.get(row..) {
            Some([start, end, ..]) => u64::from(start.abs_diff(*end)),
            _ => 0,
        };
        self.fixed + self.offsets.iter().map(len).sum::<u64>()
    }
}

/// Appends what [`Value::encode`] makes of a key column's value, nothing for NULL.
fn hashed(column: &dyn Array, row: usize, out: &mut Vec<u8>) {
    match column.data_type() {
        DataType::Utf8 if !column.is_null(row) => {
            // As a text of its own would be, without making one.
            let text = column.as_string::<i32>().value(row).as_bytes();
            out.push(TEXT);
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
            out.extend_from_slice(text);
        }
        _ => {
            if let Some(value) = value(column, row) {
                value.encode(out);
            }
        }
    }
}

/// How [`Value::encode`] begins a text.
const TEXT: u8 = 3;

/// The value of a key column. What has no kind of its own is text that PostgreSQL reads back as the same value.
pub(crate) fn value(column: &dyn Array, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Int64 => Some(Value::Integer(column.as_primitive::<Int64Type>().value(row))),
        DataType::Float64 => {
            Some(Value::Real(column.as_primitive::<Float64Type>().value(row).to_bits()))
        }
        DataType::Binary => Some(Value::Bytes(column.as_binary::<i32>().value(row).to_vec())),
        _ => {
            let mut text = Vec::new();
            scalar(column, row, Years::Era, &mut text)?;
            String::from_utf8(text).ok().map(Value::Text)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
        Int64Array, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    };
    use arrow_schema::{Field, Schema};
    use proptest::prelude::*;

    use super::*;
    use crate::silo::{ColumnShape, ColumnType};

    fn shape(keyed: bool) -> Shape {
        let column =
            |name: &str, kind| ColumnShape { name: name.into(), declared: String::new(), kind };
        Shape {
            columns: vec![column("id", ColumnType::Integer), column("t", ColumnType::Text)],
            ordered_by: vec!["id".into()],
            keyed,
            statement: String::new(),
            notes: vec![],
            rows: None,
        }
    }

    fn batch(ids: std::ops::Range<i64>, text_len: usize) -> RecordBatch {
        let fields =
            vec![Field::new("id", DataType::Int64, true), Field::new("t", DataType::Utf8, true)];
        let text = "x".repeat(text_len);
        let texts = StringArray::from_iter_values(ids.clone().map(|_| text.as_str()));
        let columns: Vec<Arc<dyn Array>> =
            vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(texts)];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    /// First ids of slices when `ids` are read in batches of `step`, starting at a cut.
    fn cuts(secret: &Secret32, ids: std::ops::Range<i64>, step: i64, len: usize) -> Vec<i64> {
        let mut slicer = Slicer::new(secret, &shape(true));
        let mut found = vec![];
        let mut at = ids.start;
        while at < ids.end {
            let end = (at + step).min(ids.end);
            let (first, runs) = slicer.split(&batch(at..end, len));
            for (index, (offset, _)) in runs.into_iter().enumerate() {
                if index > 0 || first {
                    found.push(at + i64::try_from(offset).unwrap());
                }
            }
            at = end;
        }
        found
    }

    #[test]
    fn cuts_do_not_depend_on_how_rows_are_batched_or_where_reading_started() {
        let secret = Secret32::from_slice(&[7; 32]).unwrap();
        let whole = cuts(&secret, 0..600_000, 8_192, 20);
        assert!(whole.len() > 3, "{whole:?}");
        assert_eq!(whole, cuts(&secret, 0..600_000, 1_000, 20));
        for (index, cut) in whole.iter().enumerate() {
            assert_eq!(cuts(&secret, *cut..600_000, 777, 20), whole[index + 1..], "from {cut}");
        }
    }

    /// First ids of the slices of `ids` when they are read in parts, each of which begins at the first natural cut behind a bound.
    fn cuts_of_parts(
        secret: &Secret32,
        ids: std::ops::Range<i64>,
        bounds: &[i64],
        (step, len): (i64, usize),
    ) -> Vec<i64> {
        let mut starts = vec![ids.start];
        for (place, bound) in bounds.iter().enumerate() {
            let until = bounds.get(place + 1).map_or(ids.end, |next| next + 1);
            let behind = batch(bound + 1..until, 0);
            let cut = Slicer::new(secret, &shape(true)).natural_cut(&behind);
            starts.extend(cut.map(|row| bound + 1 + i64::try_from(row).unwrap()));
        }
        let ends = starts[1..].iter().copied().chain([ids.end]).collect::<Vec<_>>();
        let parts = starts.into_iter().zip(ends);
        let cuts = parts
            .flat_map(|(start, end)| [vec![start], cuts(secret, start..end, step, len)].concat());
        cuts.skip(1).collect()
    }

    #[test]
    fn natural_cuts_are_not_those_of_full_slices() {
        let secret = Secret32::from_slice(&[7; 32]).unwrap();
        let rows = batch(0..600_000, 0);
        let mut slicer = Slicer::new(&secret, &shape(true));
        let natural = slicer.natural_cut(&rows).unwrap();
        assert!(cuts(&secret, 0..600_000, 8_192, 300).len() > 10, "most are by bytes");
        assert!(cuts(&secret, 0..600_000, 8_192, 300).contains(&i64::try_from(natural).unwrap()));
        assert_eq!(slicer.natural_cut(&rows.slice(0, natural)), None);
        assert_eq!(slicer.natural_cut(&rows.slice(natural, 1)), Some(0));
        assert_eq!(Slicer::new(&secret, &shape(false)).natural_cut(&rows), None);
    }

    #[test]
    fn a_slice_holds_at_most_its_bytes_unless_one_row_is_larger() {
        let secret = Secret32::from_slice(&[7; 32]).unwrap();
        let mut slicer = Slicer::new(&secret, &shape(false));
        let (_, runs) = slicer.split(&batch(0..40, 1 << 20));
        assert!(runs.len() == 3 && runs.iter().all(|(_, rows)| *rows <= 15), "{runs:?}");
        let (_, runs) = Slicer::new(&secret, &shape(false)).split(&batch(0..2, 17 << 20));
        assert_eq!(runs, [(0, 1), (1, 1)]);
    }

    /// What the cursor holds of a row with one value.
    fn key_of(kind: ColumnType, column: Arc<dyn Array>) -> Vec<Value> {
        let schema = Arc::new(Schema::new(vec![kind.field("id")]));
        let batch = RecordBatch::try_new(schema, vec![column]).unwrap();
        let secret = Secret32::from_slice(&[7; 32]).unwrap();
        let mut shape = shape(true);
        shape.columns = vec![ColumnShape { name: "id".into(), declared: String::new(), kind }];
        Slicer::new(&secret, &shape).cursor(&batch, 0).0
    }

    #[test]
    fn keys_of_every_type_are_values_that_postgresql_reads_back() {
        let text = |text: &str| vec![Value::Text(text.to_owned())];
        let zoned = |micros| {
            let array = TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC");
            key_of(ColumnType::TimestampTz, Arc::new(array))
        };
        let date = |days| key_of(ColumnType::Date, Arc::new(Date32Array::from(vec![days])));
        assert_eq!(date(19_782), text("2024-02-29"));
        assert_eq!(date(-735_160), text("0044-03-15 BC"));
        assert_eq!(date(3_789_421), text("12345-01-31"));
        assert_eq!(date(i32::MIN), text("-infinity"));
        assert_eq!(zoned(-1), text("1969-12-31T23:59:59.999999Z"));
        assert_eq!(zoned(-63_517_780_799_500_000), text("0044-03-15T12:00:00.5Z BC"));
        let wall = TimestampMicrosecondArray::from(vec![i64::MAX - 1]);
        let wall = key_of(ColumnType::Timestamp, Arc::new(wall));
        assert_eq!(wall, text("294247-01-10T04:00:54.775806"));
        let time = Time64MicrosecondArray::from(vec![86_400_000_000]);
        assert_eq!(key_of(ColumnType::Time, Arc::new(time)), text("24:00:00"));
        let boolean = BooleanArray::from(vec![false]);
        assert_eq!(key_of(ColumnType::Boolean, Arc::new(boolean)), text("false"));
        let single = Float32Array::from(vec![0.1]);
        assert_eq!(key_of(ColumnType::Single, Arc::new(single)), text("0.1"));
        let kind = ColumnType::Decimal { precision: 38, scale: 2 };
        let decimal = Decimal128Array::from(vec![-5]).with_data_type(kind.data_type());
        assert_eq!(key_of(kind, Arc::new(decimal)), text("-0.05"));
        let json = StringArray::from(vec!["{\"a\":1}"]);
        assert_eq!(key_of(ColumnType::Json, Arc::new(json)), text("{\"a\":1}"));
        let real = Float64Array::from(vec![-0.0]);
        let bits = vec![Value::Real((-0.0_f64).to_bits())];
        assert_eq!(key_of(ColumnType::Real, Arc::new(real)), bits);
        let bytes = BinaryArray::from(vec![&b"\xff"[..]]);
        let expected = vec![Value::Bytes(vec![255])];
        assert_eq!(key_of(ColumnType::Bytes, Arc::new(bytes)), expected);
    }

    /// Cuts hash these bytes: were they to change, a section that is resumed would be cut in other places.
    #[test]
    fn a_key_is_hashed_as_its_value_is_encoded() {
        let columns: [Arc<dyn Array>; 4] = [
            Arc::new(StringArray::from(vec![Some("\u{e9}t\u{e9}"), None, Some("")])),
            Arc::new(Int64Array::from(vec![Some(-1), None, Some(7)])),
            Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None, Some(b"")])),
            Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-0.0)])),
        ];
        for column in columns {
            for row in 0..3 {
                let (mut found, mut expected) = (Vec::new(), Vec::new());
                hashed(&column, row, &mut found);
                if let Some(value) = value(&column, row) {
                    value.encode(&mut expected);
                }
                assert_eq!(found, expected);
            }
        }
    }

    /// Cuts count these bytes: were they to change, a section that is resumed would be cut in other places.
    #[test]
    fn a_row_is_as_long_as_its_values() {
        let lengths = [
            (ColumnType::Boolean, 1),
            (ColumnType::Integer, 8),
            (ColumnType::Single, 4),
            (ColumnType::Real, 8),
            (ColumnType::Decimal { precision: 5, scale: 2 }, 16),
            (ColumnType::Text, 4),
            (ColumnType::Bytes, 4),
            (ColumnType::Date, 4),
            (ColumnType::Time, 8),
            (ColumnType::Timestamp, 8),
            (ColumnType::TimestampTz, 8),
            (ColumnType::Json, 4),
        ];
        for (kind, expected) in lengths {
            let schema = Arc::new(Schema::new(vec![kind.field("c")]));
            let column = arrow_array::new_null_array(&kind.data_type(), 1);
            let batch = RecordBatch::try_new(schema, vec![column]).unwrap();
            assert_eq!(Sizes::of(&batch).of_row(0), expected, "{kind:?}");
        }
        let sliced = batch(0..3, 20).slice(1, 2);
        assert_eq!(Sizes::of(&sliced).of_row(1), 8 + 4 + 20);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn parts_are_cut_as_one_stream(
            seed: [u8; 32],
            bounds in prop::collection::btree_set(0_i64..400_000, 0..6),
            step in 1_000_i64..20_000,
            len in 0_usize..250,
        ) {
            let secret = Secret32::from_slice(&seed).unwrap();
            let bounds: Vec<i64> = bounds.into_iter().collect();
            let whole = cuts(&secret, 0..400_000, step, len);
            prop_assert_eq!(cuts_of_parts(&secret, 0..400_000, &bounds, (step, len)), whole);
        }

        #[test]
        fn every_row_is_in_exactly_one_run(rows in 1_i64..5_000, step in 1_i64..999, seed: [u8; 32]) {
            let secret = Secret32::from_slice(&seed).unwrap();
            let mut slicer = Slicer::new(&secret, &shape(true));
            let mut at = 0;
            while at < rows {
                let end = (at + step).min(rows);
                let (_, runs) = slicer.split(&batch(at..end, 3));
                let mut next = 0;
                for (offset, len) in runs {
                    prop_assert_eq!(offset, next);
                    prop_assert!(len > 0);
                    next += len;
                }
                prop_assert_eq!(i64::try_from(next).unwrap(), end - at);
                at = end;
            }
        }
    }
}
