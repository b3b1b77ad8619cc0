//! How do the rows of a slice become a Parquet row group? In runs that do not depend on how they came, column by column.
//!
//! A column writer holds pages, perhaps a dictionary, and the compressor's and decompressor's state, together about 280 kB however
//! little it was given. Up to [`MOST_WRITERS`] columns each have theirs from the slice's first run on, so that no more than a run
//! is there uncompressed. More columns are written one after the other when the slice ends, and its rows are kept until then; so are
//! the columns of a slice that is one run of large rows. The bytes are the same.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::writer::SerializedFileWriter;

use super::EncodeError;
use super::parquet::{failed, writer};
use crate::silo::value_bytes;

/// A row group under way.
pub(super) struct RowGroup {
    /// Rows that do not fill a run yet.
    waiting: Vec<RecordBatch>,
    columns: Columns,
}

enum Columns {
    /// Each has a writer, from the first run on: it decides how columns are written.
    Together(Option<Box<Writers>>),
    /// They are written when the slice ends; until then its runs are kept, in the pieces they came in.
    OneByOne(Vec<Vec<RecordBatch>>),
}

struct Writers {
    file: SerializedFileWriter<Vec<u8>>,
    columns: Vec<ArrowColumnWriter>,
}

impl RowGroup {
    /// Begins one for rows of this schema.
    pub(super) fn new(schema: &Schema) -> Self {
        let together = schema.fields().len() <= MOST_WRITERS;
        let columns =
            if together { Columns::Together(None) } else { Columns::OneByOne(Vec::new()) };
        Self { waiting: Vec::new(), columns }
    }

    /// Ends it behind what stands in `out`, and returns its metadata. Its offsets count as if it were the first of a file.
    pub(super) fn end(
        mut self,
        schema: &SchemaRef,
        out: &mut Vec<u8>,
    ) -> Result<RowGroupMetaData, EncodeError> {
        if matches!(self.columns, Columns::Together(None)) && self.waits_for_much() {
            // One run, of large rows: all columns together would be there once more.
            self.columns = Columns::OneByOne(Vec::new());
        }
        self.write_waiting()?;
        match self.columns {
            Columns::Together(None) => Err(without_rows()),
            Columns::Together(Some(writers)) => {
                let Writers { file, columns } = *writers;
                let bytes = columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
                out.reserve_exact(bytes);
                append(file, columns.into_iter().map(|column| column.close().map_err(failed)), out)
            }
            Columns::OneByOne(runs) if runs.is_empty() => Err(without_rows()),
            Columns::OneByOne(runs) => {
                let (file, _) = writer(schema, &[])?.into_serialized_writer().map_err(failed)?;
                let columns = 0..schema.fields().len();
                append(file, columns.flat_map(|column| chunks(&runs, column)), out)
            }
        }
    }

    /// Writes rows in runs of [`RUN_ROWS`]; those behind the last whole run wait.
    ///
    /// The writer looks whether a page or its dictionary is full after each call, so that calls whose lengths came from the
    /// silo's batches would make pages that depend on where reading began.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        // Only the rows that fill up what waits are copied.
        let missing = RUN_ROWS.saturating_sub(self.waiting_rows()).min(batch.num_rows());
        let mut at = 0;
        if !self.waiting.is_empty() {
            self.waiting.push(batch.slice(0, missing));
            at = missing;
            if self.waiting_rows() < RUN_ROWS {
                return Ok(());
            }
            self.write_waiting()?;
        }
        while batch.num_rows() - at >= RUN_ROWS {
            self.write_run(&batch.slice(at, RUN_ROWS))?;
            at += RUN_ROWS;
        }
        if at < batch.num_rows() {
            self.waiting.push(batch.slice(at, batch.num_rows() - at));
        }
        Ok(())
    }

    /// Writes what waits, a run or the slice's last rows.
    fn write_waiting(&mut self) -> Result<(), EncodeError> {
        let waiting = std::mem::take(&mut self.waiting);
        match &mut self.columns {
            _ if waiting.is_empty() => Ok(()),
            Columns::OneByOne(runs) => {
                runs.push(waiting);
                Ok(())
            }
            Columns::Together(_) => self.write_run(&joined(&waiting)?),
        }
    }

    fn waits_for_much(&self) -> bool {
        self.waiting.iter().map(value_bytes).sum::<u64>() >= MUCH
    }

    fn waiting_rows(&self) -> usize {
        self.waiting.iter().map(RecordBatch::num_rows).sum()
    }

    fn write_run(&mut self, run: &RecordBatch) -> Result<(), EncodeError> {
        match &mut self.columns {
            Columns::Together(Some(writers)) => write(&mut writers.columns, run),
            Columns::Together(none) => {
                write(&mut none.insert(Box::new(Writers::of(run)?)).columns, run)
            }
            Columns::OneByOne(runs) => {
                runs.push(vec![run.clone()]);
                Ok(())
            }
        }
    }
}

impl Writers {
    /// Makes writers for a row group that begins with `first`.
    fn of(first: &RecordBatch) -> Result<Self, EncodeError> {
        let mut plain = Vec::new();
        if first.num_rows() == RUN_ROWS {
            let columns = first.schema_ref().fields().iter().zip(first.columns());
            let varied = columns.filter(|(_, column)| 2 * distinct(column) > RUN_ROWS);
            plain.extend(varied.map(|(field, _)| field.name().clone()));
        }
        let (file, factory) =
            writer(first.schema_ref(), &plain)?.into_serialized_writer().map_err(failed)?;
        let columns = factory.create_column_writers(0).map_err(failed)?;
        Ok(Self { file, columns })
    }
}

/// Writes a run of all the columns that these are the writers of.
fn write(columns: &mut [ArrowColumnWriter], run: &RecordBatch) -> Result<(), EncodeError> {
    let mut writers = columns.iter_mut();
    for (field, column) in run.schema_ref().fields().iter().zip(run.columns()) {
        for leaf in compute_leaves(field, column).map_err(failed)? {
            let Some(writer) = writers.next() else {
                return Err(EncodeError::Format(
                    "a column has more leaves than writers".to_owned(),
                ));
            };
            writer.write(&leaf).map_err(failed)?;
        }
    }
    Ok(())
}

/// Joins the pieces of a run.
fn joined(pieces: &[RecordBatch]) -> Result<RecordBatch, EncodeError> {
    match pieces {
        [] => Err(without_rows()),
        [one] => Ok(one.clone()),
        [first, ..] => concat_batches(first.schema_ref(), pieces).map_err(unjoined),
    }
}

/// Writes one column of all runs; an error is the only element.
fn chunks(runs: &[Vec<RecordBatch>], column: usize) -> Vec<Result<ArrowColumnChunk, EncodeError>> {
    match column_chunks(runs, column) {
        Ok(chunks) => chunks.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

fn column_chunks(
    runs: &[Vec<RecordBatch>],
    column: usize,
) -> Result<Vec<ArrowColumnChunk>, EncodeError> {
    let mut writers = None;
    for run in runs {
        let pieces = run.iter().map(|piece| piece.project(&[column]).map_err(unjoined));
        let one = joined(&pieces.collect::<Result<Vec<_>, _>>()?)?;
        let Writers { columns, .. } = match &mut writers {
            Some(writers) => writers,
            none => none.insert(Writers::of(&one)?),
        };
        write(columns, &one)?;
    }
    let columns = writers.map(|writers| writers.columns).unwrap_or_default();
    columns.into_iter().map(|column| column.close().map_err(failed)).collect()
}

/// Appends the columns of a row group to `out`, so that they are there once.
fn append(
    mut file: SerializedFileWriter<Vec<u8>>,
    columns: impl Iterator<Item = Result<ArrowColumnChunk, EncodeError>>,
    out: &mut Vec<u8>,
) -> Result<RowGroupMetaData, EncodeError> {
    // What the writer writes of itself goes no further.
    let flushed = |error: std::io::Error| EncodeError::Format(error.to_string());
    file.flush().map_err(flushed)?;
    std::mem::swap(file.inner_mut(), out);
    let mut group = file.next_row_group().map_err(failed)?;
    for column in columns {
        column?.append_to_row_group(&mut group).map_err(failed)?;
    }
    let metadata = group.close().map_err(failed)?;
    file.flush().map_err(flushed)?;
    std::mem::swap(file.inner_mut(), out);
    Ok(metadata.as_ref().clone())
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn unjoined(error: ArrowError) -> EncodeError {
    EncodeError::Format(error.to_string())
}

pub(super) fn without_rows() -> EncodeError {
    EncodeError::Format("a slice without rows".to_owned())
}

/// Counts the different values of a column; none where the writer makes no dictionary.
fn distinct(column: &ArrayRef) -> usize {
    let mut seen: HashSet<&[u8]> = HashSet::new();
    match (column.data_type(), column.data_type().primitive_width()) {
        (DataType::Utf8, _) => {
            let texts = column.as_string::<i32>().iter().flatten();
            seen.extend(texts.map(str::as_bytes));
            seen.len()
        }
        (DataType::Binary, _) => {
            seen.extend(column.as_binary::<i32>().iter().flatten());
            seen.len()
        }
        (_, Some(width)) => {
            let data = column.to_data();
            let values = data.buffers().first().map_or(&[][..], |buffer| buffer.as_slice());
            let values = values.get(data.offset() * width..).unwrap_or_default();
            // What stands under a NULL is anything.
            let rows = values.chunks_exact(width).take(data.len()).enumerate();
            seen.extend(rows.filter(|(row, _)| column.is_valid(*row)).map(|(_, value)| value));
            seen.len()
        }
        _ => 0,
    }
}

/// Rows handed to the writer at once, counted from the beginning of the slice; its own batches are as long.
pub(super) const RUN_ROWS: usize = 1_024;
/// Bytes of a slice's only run beyond which its columns are written one by one.
const MUCH: u64 = 4 << 20;
/// Columns that have a writer each, at most.
pub(super) const MOST_WRITERS: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::Field;
    use proptest::prelude::*;

    use super::*;

    /// Values that repeat, values that do not, NULLs, and a column of several leaves' depth.
    fn rows(count: i64) -> RecordBatch {
        let texts = (0..count).map(|n| (n % 3 != 0).then(|| format!("text {n}")));
        let mut lists = ListBuilder::new(Int64Builder::new());
        (0..count).for_each(|n| lists.append_value((0..n % 4).map(Some)));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..count)),
            Arc::new(texts.collect::<StringArray>()),
            Arc::new(StringArray::from_iter_values(
                (0..count).map(|n| if n % 2 == 0 { "even" } else { "odd" }),
            )),
            Arc::new(lists.finish()),
            Arc::new(Int64Array::from_iter((0..count).map(|_| None::<i64>))),
        ];
        let fields = columns.iter().zip(["id", "t", "parity", "list", "nothing"]);
        let fields =
            fields.map(|(column, name)| Field::new(name, column.data_type().clone(), true));
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
    }

    fn encoded(
        columns: Columns,
        batches: &[RecordBatch],
        before: &[u8],
    ) -> (RowGroupMetaData, Vec<u8>) {
        let mut group = RowGroup { waiting: Vec::new(), columns };
        batches.iter().for_each(|batch| group.write(batch).unwrap());
        let mut out = before.to_vec();
        (group.end(batches[0].schema_ref(), &mut out).unwrap(), out)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn columns_written_one_by_one_are_the_same_bytes(
            count in 1_i64..6_000,
            pieces in prop::collection::vec(1_usize..3_000, 1..4),
        ) {
            let rows = rows(count);
            let (mut cut, mut at, mut turn) = (Vec::new(), 0, pieces.iter().cycle());
            while at < rows.num_rows() {
                let len = (*turn.next().unwrap()).min(rows.num_rows() - at);
                cut.push(rows.slice(at, len));
                at += len;
            }
            let together = encoded(Columns::Together(None), &cut, b"before");
            let one_by_one = encoded(Columns::OneByOne(Vec::new()), &cut, b"before");
            prop_assert!(together == one_by_one);
        }
    }

    #[test]
    fn columns_are_written_one_by_one_where_they_are_many() {
        let schema = |columns| {
            let field = |n| Field::new(format!("c{n}"), DataType::Int64, true);
            Schema::new((0..columns).map(field).collect::<Vec<_>>())
        };
        assert!(matches!(RowGroup::new(&schema(MOST_WRITERS)).columns, Columns::Together(None)));
        let more = RowGroup::new(&schema(MOST_WRITERS + 1));
        assert!(matches!(more.columns, Columns::OneByOne(_)));
    }

    #[test]
    fn a_row_group_without_rows_is_refused() {
        let schema = rows(1).schema();
        for columns in [Columns::Together(None), Columns::OneByOne(Vec::new())] {
            let group = RowGroup { waiting: Vec::new(), columns };
            assert!(group.end(&schema, &mut Vec::new()).is_err());
        }
    }
}
