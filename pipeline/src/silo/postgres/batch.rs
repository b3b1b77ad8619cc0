//! How are the server's rows taken over into Arrow columns?

use std::error::Error;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::column::{Decode, Source};
use super::scalar;
use crate::SiloError;
use crate::silo::{BATCH_BYTES, BATCH_ROWS};

/// Collects rows until a batch is full.
pub(super) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    /// Where the key's columns are; none without a key.
    key: Vec<usize>,
    last_key: Vec<u8>,
    this_key: Vec<u8>,
    scratch: Vec<u8>,
    rows: usize,
    bytes: usize,
    /// Rows read before this batch.
    before: u64,
}

struct Column {
    decode: Decode,
    values: Values,
}

enum Values {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Single(Float32Builder),
    Real(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl BatchBuilder {
    /// `schema` is that of `sources`, in their order.
    pub(super) fn new(schema: SchemaRef, sources: &[Source], key: Vec<usize>) -> Self {
        let columns = schema
            .fields()
            .iter()
            .zip(sources)
            .map(|(field, source)| Column {
                decode: source.decode.clone(),
                values: Values::new(field.data_type(), &source.decode, FIRST_ROWS, FIRST_BYTES),
            })
            .collect();
        Self {
            schema,
            columns,
            key,
            last_key: Vec::new(),
            this_key: Vec::new(),
            scratch: Vec::new(),
            rows: 0,
            bytes: 0,
            before: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) const fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    pub(super) fn append(&mut self, row: &Row) -> Result<(), SiloError> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            let Raw(bytes) = row.try_get(index).map_err(|_| SiloError::ShapeChanged)?;
            match column.append(bytes, &mut self.scratch) {
                Ok(size) => self.bytes += size,
                Err(what) => {
                    return Err(SiloError::Value {
                        row: self.before + self.rows as u64 + 1,
                        column: self.schema.field(index).name().clone(),
                        what: what.to_owned(),
                    });
                }
            }
        }
        self.check_key(row)?;
        self.rows += 1;
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<RecordBatch, SiloError> {
        // The next batch is most likely like this one: its columns need not grow.
        let rows = if self.is_full() { self.rows } else { 0 };
        let columns = self.columns.iter_mut().map(|column| column.finish(rows)).collect();
        self.before += self.rows as u64;
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|_| SiloError::ShapeChanged)
    }

    /// The key was proven in this snapshot or an earlier one; two equal keys, or a NULL, would lose a row at a cut.
    fn check_key(&mut self, row: &Row) -> Result<(), SiloError> {
        if self.key.is_empty() {
            return Ok(());
        }
        self.this_key.clear();
        for column in &self.key {
            let Raw(bytes) = row.try_get(*column).map_err(|_| SiloError::ShapeChanged)?;
            let bytes = bytes.ok_or(SiloError::ShapeChanged)?;
            self.this_key.extend_from_slice(&bytes.len().to_le_bytes());
            self.this_key.extend_from_slice(bytes);
        }
        if self.this_key == self.last_key {
            return Err(SiloError::ShapeChanged);
        }
        std::mem::swap(&mut self.this_key, &mut self.last_key);
        Ok(())
    }
}

impl Column {
    /// Appends a value and returns about how many bytes it takes; the error says what is wrong, without the value.
    fn append(
        &mut self,
        bytes: Option<&[u8]>,
        scratch: &mut Vec<u8>,
    ) -> Result<usize, &'static str> {
        let Some(bytes) = bytes else {
            self.values.append_null();
            return Ok(8);
        };
        match &mut self.values {
            Values::Boolean(builder) => builder.append_value(scalar::boolean(bytes)?),
            Values::Integer(builder) => {
                builder.append_value(scalar::integer(bytes, &self.decode)?);
            }
            Values::Single(builder) => builder.append_value(scalar::single(bytes)?),
            Values::Real(builder) => builder.append_value(scalar::real(bytes)?),
            Values::Decimal(builder, precision, scale) => {
                builder.append_value(super::numeric::unscaled(bytes, *precision, *scale)?);
                return Ok(16);
            }
            Values::Text(builder) => {
                return scalar::text(bytes, &self.decode, scratch, |text| {
                    builder.append_value(text);
                    text.len() + 4
                });
            }
            Values::Bytes(builder) => {
                builder.append_value(bytes);
                return Ok(bytes.len() + 4);
            }
            Values::Date(builder) => builder.append_value(scalar::date(bytes)?),
            Values::Time(builder) => builder.append_value(scalar::time(bytes)?),
            Values::Timestamp(builder) => builder.append_value(scalar::timestamp(bytes)?),
        }
        Ok(8)
    }
}

impl Column {
    /// Takes the values out and leaves room for so many rows more.
    fn finish(&mut self, rows: usize) -> ArrayRef {
        let bytes = match &self.values {
            Values::Text(builder) => builder.values_slice().len(),
            Values::Bytes(builder) => builder.values_slice().len(),
            _ => 0,
        };
        let values = self.values.finish();
        if rows > 0 {
            // Large rows are not kept room for: there may be none behind them, and memory is short while there are.
            let bytes = bytes.min(2 * BATCH_BYTES);
            self.values = Values::new(values.data_type(), &self.decode, rows, bytes);
        }
        values
    }
}

impl Values {
    /// With room for so many rows, and so many bytes of texts.
    fn new(data_type: &DataType, decode: &Decode, rows: usize, bytes: usize) -> Self {
        match decode {
            Decode::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            Decode::Int2 | Decode::Int4 | Decode::Int8 | Decode::Oid => {
                Self::Integer(Int64Builder::with_capacity(rows))
            }
            Decode::Single => Self::Single(Float32Builder::with_capacity(rows)),
            Decode::Real => Self::Real(Float64Builder::with_capacity(rows)),
            Decode::Decimal { precision, scale } => Self::Decimal(
                Decimal128Builder::with_capacity(rows).with_data_type(data_type.clone()),
                *precision,
                *scale,
            ),
            Decode::Bytes => Self::Bytes(BinaryBuilder::with_capacity(rows, bytes)),
            Decode::Date => Self::Date(Date32Builder::with_capacity(rows)),
            Decode::Time => Self::Time(Time64MicrosecondBuilder::with_capacity(rows)),
            Decode::Timestamp | Decode::TimestampTz => Self::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(data_type.clone()),
            ),
            Decode::Numeric
            | Decode::Text
            | Decode::Uuid
            | Decode::Interval
            | Decode::Json
            | Decode::Jsonb
            | Decode::Array(_) => Self::Text(StringBuilder::with_capacity(rows, bytes)),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Boolean(builder) => builder.append_null(),
            Self::Integer(builder) => builder.append_null(),
            Self::Single(builder) => builder.append_null(),
            Self::Real(builder) => builder.append_null(),
            Self::Decimal(builder, ..) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Bytes(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Time(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Single(builder) => Arc::new(builder.finish()),
            Self::Real(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, ..) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A value's bytes as they came, NULL as `None`.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Room of a first batch: most people have few rows.
const FIRST_ROWS: usize = 64;
const FIRST_BYTES: usize = 1_024;
