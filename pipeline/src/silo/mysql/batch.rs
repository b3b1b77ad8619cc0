//! How are the server's rows taken over into Arrow columns?

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use mysql_async::{Row, Value as Bind};

use super::column::{Decode, Source};
use super::scalar;
use crate::SiloError;
use crate::silo::{BATCH_BYTES, BATCH_ROWS, ColumnType};

/// Collects rows until a batch is full.
pub(super) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    /// Where the key's columns are; none without a key.
    key: Vec<usize>,
    last_key: Vec<Bind>,
    scratch: String,
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
    Integer(Int64Builder),
    Single(Float32Builder),
    Real(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
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
                decode: source.decode,
                values: Values::new(source.shape().kind, field.data_type()),
            })
            .collect();
        Self {
            schema,
            columns,
            key,
            last_key: Vec::new(),
            scratch: String::new(),
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
            let value = row.as_ref(index).ok_or(SiloError::ShapeChanged)?;
            match column.append(value, &mut self.scratch) {
                Ok(size) => self.bytes += size,
                // It was not there when the section was described: a table without a snapshot.
                Err(scalar::NO_DAY) => return Err(SiloError::ShapeChanged),
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
        let columns = self.columns.iter_mut().map(|column| column.values.finish()).collect();
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
        let mut same = self.last_key.len() == self.key.len();
        for (place, column) in self.key.iter().enumerate() {
            let value = row.as_ref(*column).ok_or(SiloError::ShapeChanged)?;
            if *value == Bind::NULL {
                return Err(SiloError::ShapeChanged);
            }
            match self.last_key.get_mut(place) {
                Some(last) if last == value => {}
                Some(last) => {
                    same = false;
                    last.clone_from(value);
                }
                None => self.last_key.push(value.clone()),
            }
        }
        if same { Err(SiloError::ShapeChanged) } else { Ok(()) }
    }
}

impl Column {
    /// Appends a value and returns about how many bytes it takes; the error says what is wrong, without the value.
    fn append(&mut self, value: &Bind, scratch: &mut String) -> Result<usize, &'static str> {
        if *value == Bind::NULL {
            self.values.append_null();
            return Ok(8);
        }
        match &mut self.values {
            Values::Integer(builder) => builder.append_value(scalar::integer(value)?),
            Values::Single(builder) => builder.append_value(scalar::single(value)?),
            Values::Real(builder) => builder.append_value(scalar::real(value)?),
            Values::Decimal(builder, precision, scale) => {
                builder.append_value(scalar::decimal(value, self.decode, *precision, *scale)?);
                return Ok(16);
            }
            Values::Text(builder) => {
                return scalar::text(value, self.decode, scratch, |text| {
                    builder.append_value(text);
                    text.len() + 4
                });
            }
            Values::Bytes(builder) => {
                let Bind::Bytes(bytes) = value else { return Err("a value that is no bytes") };
                builder.append_value(bytes);
                return Ok(bytes.len() + 4);
            }
            Values::Date(builder) => builder.append_value(scalar::date(value)?),
            Values::Timestamp(builder) => builder.append_value(scalar::timestamp(value)?),
        }
        Ok(8)
    }
}

impl Values {
    fn new(kind: ColumnType, data_type: &DataType) -> Self {
        match kind {
            ColumnType::Boolean | ColumnType::Integer => Self::Integer(Int64Builder::new()),
            ColumnType::Single => Self::Single(Float32Builder::new()),
            ColumnType::Real => Self::Real(Float64Builder::new()),
            ColumnType::Decimal { precision, scale } => Self::Decimal(
                Decimal128Builder::new().with_data_type(data_type.clone()),
                precision,
                scale,
            ),
            ColumnType::Text | ColumnType::Json | ColumnType::Time => {
                Self::Text(StringBuilder::new())
            }
            ColumnType::Bytes => Self::Bytes(BinaryBuilder::new()),
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Timestamp | ColumnType::TimestampTz => Self::Timestamp(
                TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()),
            ),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Integer(builder) => builder.append_null(),
            Self::Single(builder) => builder.append_null(),
            Self::Real(builder) => builder.append_null(),
            Self::Decimal(builder, ..) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Bytes(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Single(builder) => Arc::new(builder.finish()),
            Self::Real(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, ..) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}
