//! How are SQLite's values taken over into Arrow columns?

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::column::unscaled;
use super::fault;
use crate::SiloError;
use crate::silo::{BATCH_BYTES, BATCH_ROWS, ColumnType, Shape};

/// Collects rows until a batch is full.
pub(super) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    /// Rows of the section before this batch.
    before: u64,
}

enum Column {
    Integer(Int64Builder),
    Real(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
}

impl BatchBuilder {
    pub(super) fn new(shape: &Shape) -> Self {
        let columns = shape.columns.iter().map(|column| Column::new(column.kind)).collect();
        Self { schema: shape.schema(), columns, rows: 0, bytes: 0, before: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) const fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    pub(super) fn append(&mut self, row: &Row<'_>) -> Result<(), SiloError> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            let value = row.get_ref(index).map_err(|error| fault::while_reading(&error))?;
            match column.append(value) {
                Ok(bytes) => self.bytes += bytes,
                Err(what) => {
                    return Err(SiloError::Value {
                        row: self.before + self.rows as u64 + 1,
                        column: self.schema.field(index).name().clone(),
                        what: what.to_owned(),
                    });
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<RecordBatch, SiloError> {
        let columns = self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>, _>>()?;
        self.before += self.rows as u64;
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|_| SiloError::ShapeChanged)
    }
}

impl Column {
    fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Integer => Self::Integer(Int64Builder::new()),
            ColumnType::Real => Self::Real(Float64Builder::new()),
            ColumnType::Decimal { precision, scale } => {
                Self::Decimal(Decimal128Builder::new(), precision, scale)
            }
            // The types after text are none that this silo describes; a batch in which texts stand for them is refused.
            ColumnType::Text
            | ColumnType::Boolean
            | ColumnType::Single
            | ColumnType::Date
            | ColumnType::Time
            | ColumnType::Timestamp
            | ColumnType::TimestampTz
            | ColumnType::Json => Self::Text(StringBuilder::new()),
            ColumnType::Bytes => Self::Bytes(BinaryBuilder::new()),
        }
    }

    /// Appends a value and returns about how many bytes it takes; the error says what was expected.
    fn append(&mut self, value: ValueRef<'_>) -> Result<usize, &'static str> {
        match (self, value) {
            (Self::Integer(builder), ValueRef::Null) => builder.append_null(),
            (Self::Integer(builder), ValueRef::Integer(number)) => builder.append_value(number),
            (Self::Real(builder), ValueRef::Null) => builder.append_null(),
            (Self::Real(builder), ValueRef::Real(number)) => builder.append_value(number),
            (Self::Real(builder), ValueRef::Integer(number)) => {
                builder
                    .append_value(exact(number).ok_or("a whole number beyond 2^53 among floats")?);
            }
            (Self::Decimal(builder, ..), ValueRef::Null) => builder.append_null(),
            (Self::Decimal(builder, precision, scale), value) => builder.append_value(
                unscaled(value, *precision, *scale)
                    .ok_or("not a number of the declared decimal")?,
            ),
            (Self::Text(builder), ValueRef::Null) => builder.append_null(),
            (Self::Text(builder), ValueRef::Text(text)) => {
                let text = std::str::from_utf8(text).map_err(|_| "text that is not UTF-8")?;
                builder.append_value(text);
                return Ok(text.len() + 4);
            }
            (Self::Text(builder), ValueRef::Integer(number)) => {
                builder.append_value(number.to_string());
            }
            (Self::Text(builder), ValueRef::Real(number)) => {
                builder.append_value(number.to_string());
            }
            (Self::Bytes(builder), ValueRef::Null) => builder.append_null(),
            (Self::Bytes(builder), ValueRef::Blob(bytes) | ValueRef::Text(bytes)) => {
                builder.append_value(bytes);
                return Ok(bytes.len() + 4);
            }
            (Self::Bytes(builder), ValueRef::Integer(number)) => {
                builder.append_value(number.to_string());
            }
            (Self::Bytes(builder), ValueRef::Real(number)) => {
                builder.append_value(number.to_string());
            }
            (Self::Integer(_), _) => return Err("not a whole number, as all others were"),
            (Self::Real(_), _) => return Err("not a number, as all others were"),
            (Self::Text(_), ValueRef::Blob(_)) => return Err("bytes, where all others were text"),
        }
        Ok(8)
    }

    fn finish(&mut self) -> Result<ArrayRef, SiloError> {
        Ok(match self {
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Real(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, precision, scale) => Arc::new(
                builder
                    .finish()
                    .with_precision_and_scale(*precision, *scale)
                    .map_err(|_| SiloError::ShapeChanged)?,
            ),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
        })
    }
}

/// A float holds whole numbers up to 2^53 exactly.
fn exact(number: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which is checked")]
    (number.unsigned_abs() <= 1 << 53).then_some(number as f64)
}
