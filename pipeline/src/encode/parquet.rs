//! Parquet: a slice is a row group, zstd pages, the footer last.
//!
//! A slice is encoded as the first row group of a file of its own, and its metadata is kept with the slice. The footer has all of
//! them, moved to where the slices stand. So slices can be made in any order and by any worker, and the file is the same.
//!
//! Types are Arrow's, with two differences. `-infinity` of days and timestamps is the second least number instead of the least,
//! since that is what `DuckDB` reads as it; the least one would be a day in the past. The time 24:00:00 is refused: Parquet has
//! no such time, and pyarrow reads midnight.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Time64MicrosecondType, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::EncodeError;
use super::cell::refuse;
use super::footer::{Footer, Frame};
use super::row_group::{RowGroup, without_rows};
use crate::text::moment;

pub(super) const PROLOGUE: &[u8] = b"PAR1";

/// Encodes rows as Parquet row groups.
pub(crate) struct ParquetEncoder {
    schema: SchemaRef,
    open: Option<RowGroup>,
    frame: Option<Frame>,
    footer: Option<Footer>,
}

impl ParquetEncoder {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, EncodeError> {
        if schema.fields().is_empty() {
            return Err(EncodeError::Format("Parquet cannot hold rows without columns".to_owned()));
        }
        writer(schema, &[])?;
        Ok(Self { schema: Arc::clone(schema), open: None, frame: None, footer: None })
    }

    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        let batch = holdable(batch)?;
        self.open.get_or_insert_with(|| RowGroup::new(&self.schema)).write(&batch)
    }

    /// Appends the row group and returns its length and metadata.
    pub(super) fn end_slice(&mut self, out: &mut Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        let open = self.open.take().ok_or_else(without_rows)?;
        let start = out.len();
        let metadata = open.end(&self.schema, out)?;
        let len = out.len().saturating_sub(start);
        let mut kept = (len as u64).to_le_bytes().to_vec();
        kept.append(&mut self.frame()?.group(metadata)?);
        Ok(kept)
    }

    /// Begins the footer of a file of so many slices and rows.
    pub(super) fn footer(
        &mut self,
        slices: usize,
        rows: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.footer = Some(self.frame()?.begin(slices, rows, out));
        Ok(())
    }

    /// Appends what was kept of the next slice to the footer.
    pub(super) fn in_footer(&mut self, kept: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let (len, group) = kept.split_first_chunk::<8>().ok_or_else(no_footer)?;
        let (Some(frame), Some(footer)) = (&self.frame, &mut self.footer) else {
            return Err(no_footer());
        };
        frame.next(footer, group, u64::from_le_bytes(*len), out)
    }

    /// Ends the footer, and the file.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let footer = self.footer.take().ok_or_else(no_footer)?;
        self.frame()?.end(&footer, out)
    }

    fn frame(&mut self) -> Result<&Frame, EncodeError> {
        match &mut self.frame {
            Some(frame) => Ok(frame),
            none => {
                // A file of this schema without rows has everything of the footer but the row groups.
                let empty = writer(&self.schema, &[])?.close().map_err(failed)?;
                Ok(none.insert(Frame::of(empty.file_metadata())?))
            }
        }
    }
}

impl std::fmt::Debug for ParquetEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetEncoder").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Returns the batch with the numbers that Parquet's readers take for what the values are.
fn holdable(batch: &RecordBatch) -> Result<RecordBatch, EncodeError> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        columns.push(match column.data_type() {
            DataType::Date32 => {
                let days = column.as_primitive::<Date32Type>();
                infinite(column, days, i32::MIN, i32::MIN + 1)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let micros = column.as_primitive::<TimestampMicrosecondType>();
                infinite(column, micros, i64::MIN, i64::MIN + 1)
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                let micros = column.as_primitive::<Time64MicrosecondType>();
                let wrong = |micros| !(0..moment::DAY).contains(&micros);
                refuse(field, micros.iter(), wrong, "not a time before 24:00:00")?;
                Arc::clone(column)
            }
            _ => Arc::clone(column),
        });
    }
    RecordBatch::try_new(batch.schema(), columns)
        .map_err(|error| EncodeError::Format(error.to_string()))
}

/// Returns the column with `least` as `second`; itself if there is none.
fn infinite<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    values: &PrimitiveArray<T>,
    least: T::Native,
    second: T::Native,
) -> ArrayRef {
    if !values.values().contains(&least) {
        return Arc::clone(column);
    }
    let moved = values.unary::<_, T>(|value| if value == least { second } else { value });
    Arc::new(moved.with_data_type(column.data_type().clone()))
}

/// Makes a writer; the columns named `plain` get no dictionary: where hardly a value repeats, making one is a quarter of the work
/// and saves nothing.
pub(super) fn writer(
    schema: &SchemaRef,
    plain: &[String],
) -> Result<ArrowWriter<Vec<u8>>, EncodeError> {
    let level = ZstdLevel::try_new(1).map_err(failed)?;
    let properties = plain.iter().fold(WriterProperties::builder(), |properties, name| {
        properties.set_column_dictionary_enabled(ColumnPath::from(vec![name.clone()]), false)
    });
    let properties = properties
        .set_compression(Compression::ZSTD(level))
        .set_created_by("antumbra".to_owned())
        .set_max_row_group_row_count(None)
        .set_data_page_size_limit(PAGE_BYTES)
        // Page indexes would have to be kept and moved too; readers prune by row group.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties);
    ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(schema), options).map_err(failed)
}

fn no_footer() -> EncodeError {
    EncodeError::Format("a slice before the footer".to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
pub(super) fn failed(error: ParquetError) -> EncodeError {
    EncodeError::Format(error.to_string())
}

/// Bytes of a page before it is compressed, about: a page is there as values, as bytes and compressed, for each column. With an eighth
/// of the writer's own size a million rows of nine columns took 7 MiB less memory, and the file was no larger.
const PAGE_BYTES: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use arrow_schema::{DataType, Field, Schema};
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn batch(ids: std::ops::Range<i64>) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("t", DataType::Utf8, true),
        ]);
        let texts: Vec<_> =
            ids.clone().map(|id| (id % 3 != 0).then(|| format!("text {id}"))).collect();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(StringArray::from(texts))];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn file(slices: &[RecordBatch], schema: &SchemaRef) -> Vec<u8> {
        let mut out = PROLOGUE.to_vec();
        let mut kept = vec![];
        for slice in slices {
            // A new encoder for each slice: as if each was made by another worker.
            let mut encoder = ParquetEncoder::new(schema).unwrap();
            encoder.rows(slice).unwrap();
            kept.push(encoder.end_slice(&mut out).unwrap());
        }
        let mut encoder = ParquetEncoder::new(schema).unwrap();
        let rows: usize = slices.iter().map(RecordBatch::num_rows).sum();
        encoder.footer(slices.len(), rows as u64, &mut out).unwrap();
        kept.iter().for_each(|kept| encoder.in_footer(kept, &mut out).unwrap());
        encoder.end(&mut out).unwrap();
        out
    }

    #[test]
    fn slices_of_different_encoders_make_one_file() {
        let slices = [batch(0..1000), batch(1000..1001), batch(1001..5000)];
        let bytes = file(&slices, &slices[0].schema());
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 3);
        let read: Vec<_> =
            reader.with_batch_size(10_000).build().unwrap().map(Result::unwrap).collect();
        let rows: usize = read.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 5000);
        let ids: Vec<i64> = read
            .iter()
            .flat_map(|batch| {
                use arrow_array::cast::AsArray;
                let ids = batch.column(0).as_primitive::<arrow_array::types::Int64Type>();
                ids.values().to_vec()
            })
            .collect();
        assert!(ids.iter().copied().eq(0..5000));
    }

    /// A resumed section starts a slice with a fresh batch where an uninterrupted one goes on in the middle of one.
    #[test]
    fn a_row_group_does_not_depend_on_how_its_rows_were_batched() {
        let rows = batch(0..50_000);
        let encode = |sizes: &[usize]| {
            let mut encoder = ParquetEncoder::new(&rows.schema()).unwrap();
            let (mut at, mut turn) = (0, sizes.iter().cycle());
            while at < rows.num_rows() {
                let len = (*turn.next().unwrap()).min(rows.num_rows() - at);
                encoder.rows(&rows.slice(at, len)).unwrap();
                at += len;
            }
            let mut out = Vec::new();
            let kept = encoder.end_slice(&mut out).unwrap();
            (out, kept)
        };
        let whole = encode(&[50_000]);
        for sizes in [&[8_192][..], &[777], &[5_000, 8_192, 1], &[1_024], &[3]] {
            assert!(encode(sizes) == whole, "{sizes:?}");
        }
    }

    #[test]
    fn a_column_whose_values_hardly_repeat_has_no_dictionary() {
        let rows = batch(0..5_000);
        let repeating: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..5_000).map(|id| if id % 2 == 0 { "even" } else { "odd" }),
        ));
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("t", DataType::Utf8, true),
            Field::new("parity", DataType::Utf8, true),
        ]);
        let columns = vec![Arc::clone(rows.column(0)), Arc::clone(rows.column(1)), repeating];
        let rows = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let dictionaries = |rows: &RecordBatch| -> Vec<bool> {
            let bytes = Bytes::from(file(std::slice::from_ref(rows), &rows.schema()));
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
            let group = reader.metadata().row_group(0).clone();
            let read = reader.with_batch_size(10_000).build().unwrap().next().unwrap().unwrap();
            assert_eq!(&read, rows);
            let pages = group.columns().iter().map(|column| column.dictionary_page_offset());
            pages.map(|page| page.is_some()).collect()
        };
        assert_eq!(dictionaries(&rows), [false, false, true]);
        assert_eq!(dictionaries(&rows.slice(7, 3_000)), [false, false, true]);
        // Too few rows to tell.
        assert_eq!(dictionaries(&rows.slice(0, 100)), [true, true, true]);
    }

    #[test]
    fn what_stands_under_a_null_changes_nothing() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let encode = |hidden: fn(i64) -> i64| {
            let values = (0..5_000).map(|row| if row % 2 == 0 { 7 } else { hidden(row) });
            let nulls = (0..5_000).map(|row| row % 2 == 0).collect::<Vec<bool>>();
            let column = Int64Array::new(values.collect(), Some(nulls.into()));
            let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(column)]).unwrap();
            file(std::slice::from_ref(&rows), &schema)
        };
        assert!(encode(|row| row) == encode(|_| 0));
    }

    #[test]
    fn a_file_without_rows_has_its_schema() {
        let schema = batch(0..1).schema();
        let bytes = file(&[], &schema);
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
        assert_eq!(reader.schema().fields(), schema.fields());
    }
}
