//! How are a driver's batches cut and taken over? Into pieces no bigger than other silos', without copying where the types agree.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::cell::{Cell, cell, elements};
use super::column::Source;
use super::convert::convert;
use crate::SiloError;
use crate::silo::{BATCH_BYTES, BATCH_ROWS};

/// Takes over batches of the columns of a section.
pub(super) struct Taker {
    schema: SchemaRef,
    columns: Vec<Source>,
    /// Rows of the section before the next batch.
    before: u64,
}

impl Taker {
    pub(super) const fn new(schema: SchemaRef, columns: Vec<Source>) -> Self {
        Self { schema, columns, before: 0 }
    }

    /// Hands over a batch piece by piece, until `send` says that no more are wanted; says whether more are.
    pub(super) fn take(
        &mut self,
        batch: &RecordBatch,
        mut send: impl FnMut(RecordBatch) -> bool,
    ) -> Result<bool, SiloError> {
        let mut from = 0;
        while from < batch.num_rows() {
            let len = piece(batch, from);
            if !send(self.convert(&batch.slice(from, len))?) {
                return Ok(false);
            }
            from += len;
        }
        Ok(true)
    }

    fn convert(&mut self, batch: &RecordBatch) -> Result<RecordBatch, SiloError> {
        let converted: Result<Vec<ArrayRef>, SiloError> = batch
            .columns()
            .iter()
            .zip(&self.columns)
            .map(|(array, column)| {
                convert(array, column).map_err(|(row, what)| SiloError::Value {
                    row: self.before + row as u64 + 1,
                    column: column.name.clone(),
                    what: what.to_owned(),
                })
            })
            .collect();
        self.before += batch.num_rows() as u64;
        RecordBatch::try_new(self.schema.clone(), converted?).map_err(|_| SiloError::ShapeChanged)
    }
}

/// How many rows from here on make a piece; at least one.
fn piece(batch: &RecordBatch, from: usize) -> usize {
    let mut len = (batch.num_rows() - from).min(BATCH_ROWS);
    while len > 1
        && batch.columns().iter().map(|column| bytes(column, from, len)).sum::<usize>()
            > BATCH_BYTES
    {
        len = len.div_ceil(2);
    }
    len
}

/// About how many bytes rows of a column take once they are taken over.
fn bytes(array: &dyn Array, from: usize, len: usize) -> usize {
    let between =
        |offsets: Option<(usize, usize)>| offsets.map_or(0, |(start, end)| end - start) + 4 * len;
    match array.data_type() {
        DataType::Utf8 => between(ends(array.as_string::<i32>().value_offsets(), from, len)),
        DataType::Binary => between(ends(array.as_binary::<i32>().value_offsets(), from, len)),
        DataType::LargeUtf8 => between(ends(array.as_string::<i64>().value_offsets(), from, len)),
        DataType::LargeBinary => between(ends(array.as_binary::<i64>().value_offsets(), from, len)),
        DataType::Struct(members) => {
            let names: usize = members.iter().map(|member| member.name().len() + 4).sum();
            let columns = array.as_struct().columns();
            columns.iter().map(|column| bytes(column, from, len)).sum::<usize>() + names * len
        }
        kind if kind.is_primitive() || matches!(kind, DataType::Boolean | DataType::Null) => {
            8 * len
        }
        _ => (from..from + len).map(|row| width(array, row)).sum(),
    }
}

fn width(array: &dyn Array, row: usize) -> usize {
    match cell(array, row) {
        Cell::Text(text) => text.len() + 4,
        Cell::Bytes(bytes) => bytes.len() + 4,
        Cell::Nested => elements(array, row).map_or(32, |items| bytes(&items, 0, items.len()) + 4),
        _ => 16,
    }
}

/// Where the values of some rows begin and end.
fn ends<T: Copy + TryInto<usize>>(
    offsets: &[T],
    from: usize,
    len: usize,
) -> Option<(usize, usize)> {
    let at = |row: usize| offsets.get(row).copied()?.try_into().ok();
    Some((at(from)?, at(from + len)?))
}
