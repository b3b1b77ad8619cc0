//! How does one value of an item become one cell?

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_schema::ArrowError;

use super::value::{Scalar, decimal, text_value};
use super::{number, scan};
use crate::silo::ColumnType;
use crate::text;

/// The cells of one column.
#[derive(Debug)]
pub(super) struct Column {
    kind: ColumnType,
    /// Settings said the type: texts are read as it. A type that was inferred takes values of its own kind only.
    declared: bool,
    cells: Cells,
}

#[derive(Debug)]
enum Cells {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Real(Float64Builder),
    Decimal(Decimal128Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Column {
    pub(super) fn new(kind: ColumnType, declared: bool) -> Self {
        let cells = match kind {
            ColumnType::Boolean => Cells::Boolean(BooleanBuilder::new()),
            ColumnType::Integer => Cells::Integer(Int64Builder::new()),
            ColumnType::Real => Cells::Real(Float64Builder::new()),
            ColumnType::Decimal { .. } => Cells::Decimal(Decimal128Builder::new()),
            // The types beside text are none that items have; a batch in which texts stand for them is refused.
            ColumnType::Text | ColumnType::Json | ColumnType::Single | ColumnType::Time => {
                Cells::Text(StringBuilder::new())
            }
            ColumnType::Bytes => Cells::Bytes(BinaryBuilder::new()),
            ColumnType::Date => Cells::Date(Date32Builder::new()),
            ColumnType::Timestamp | ColumnType::TimestampTz => {
                Cells::Timestamp(TimestampMicrosecondBuilder::new())
            }
        };
        Self { kind, declared, cells }
    }

    /// Appends a JSON value other than `null` and returns about how many bytes it takes; `None`, and nothing appended, if it does
    /// not fit exactly.
    pub(super) fn push(&mut self, token: &str) -> Option<usize> {
        if self.kind == ColumnType::Json {
            let json = text::minify_json(token)?;
            return self.append(&Scalar::Json(json));
        }
        match token.as_bytes().first()? {
            b'"' => {
                let text = scan::text_of(token)?;
                if self.declared {
                    self.push_text(&text)
                } else {
                    self.append(&Scalar::Text(&text))
                }
            }
            b't' | b'f' => match self.kind {
                ColumnType::Boolean => self.append(&Scalar::Boolean(token == "true")),
                _ => self.push_spelling(token),
            },
            b'{' | b'[' => None,
            _ => match self.kind {
                ColumnType::Integer => self.append(&Scalar::Integer(number::integer(token)?)),
                ColumnType::Real if self.declared => {
                    self.append(&Scalar::Real(number::declared_real(token)?))
                }
                ColumnType::Real => self.append(&Scalar::Real(number::real(token)?)),
                ColumnType::Decimal { precision, scale } => {
                    self.append(&Scalar::Decimal(decimal(token, precision, scale)?))
                }
                _ => self.push_spelling(token),
            },
        }
    }

    /// Appends a text that is read as the column's type; otherwise as [`push`](Self::push).
    pub(super) fn push_text(&mut self, text: &str) -> Option<usize> {
        let value = text_value(self.kind, text)?;
        self.append(&value)
    }

    pub(super) fn push_null(&mut self) {
        match &mut self.cells {
            Cells::Boolean(cells) => cells.append_null(),
            Cells::Integer(cells) => cells.append_null(),
            Cells::Real(cells) => cells.append_null(),
            Cells::Decimal(cells) => cells.append_null(),
            Cells::Text(cells) => cells.append_null(),
            Cells::Bytes(cells) => cells.append_null(),
            Cells::Date(cells) => cells.append_null(),
            Cells::Timestamp(cells) => cells.append_null(),
        }
    }

    /// Ends a batch; the next begins empty.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match &mut self.cells {
            Cells::Boolean(cells) => Arc::new(cells.finish()),
            Cells::Integer(cells) => Arc::new(cells.finish()),
            Cells::Real(cells) => Arc::new(cells.finish()),
            Cells::Decimal(cells) => {
                let ColumnType::Decimal { precision, scale } = self.kind else {
                    return Err(ArrowError::SchemaError(String::new()));
                };
                Arc::new(cells.finish().with_precision_and_scale(precision, scale)?)
            }
            Cells::Text(cells) => Arc::new(cells.finish()),
            Cells::Bytes(cells) => Arc::new(cells.finish()),
            Cells::Date(cells) => Arc::new(cells.finish()),
            Cells::Timestamp(cells) => {
                let zone = (self.kind == ColumnType::TimestampTz).then(|| "UTC".into());
                Arc::new(cells.finish().with_timezone_opt::<Arc<str>>(zone))
            }
        })
    }

    /// A number or a word in a column that settings made a text: as it is spelled.
    fn push_spelling(&mut self, token: &str) -> Option<usize> {
        if self.declared && self.kind == ColumnType::Text {
            return self.append(&Scalar::Text(token));
        }
        None
    }

    fn append(&mut self, value: &Scalar<'_>) -> Option<usize> {
        match (&mut self.cells, value) {
            (Cells::Boolean(cells), Scalar::Boolean(value)) => cells.append_value(*value),
            (Cells::Integer(cells), Scalar::Integer(value)) => cells.append_value(*value),
            (Cells::Real(cells), Scalar::Real(value)) => cells.append_value(*value),
            (Cells::Decimal(cells), Scalar::Decimal(value)) => {
                cells.append_value(*value);
                return Some(16);
            }
            (Cells::Text(cells), Scalar::Text(value)) if self.kind == ColumnType::Text => {
                cells.append_value(value);
                return Some(value.len() + 4);
            }
            (Cells::Text(cells), Scalar::Json(value)) if self.kind == ColumnType::Json => {
                cells.append_value(value);
                return Some(value.len() + 4);
            }
            (Cells::Bytes(cells), Scalar::Bytes(value)) => {
                cells.append_value(value);
                return Some(value.len() + 4);
            }
            (Cells::Date(cells), Scalar::Date(value)) => cells.append_value(*value),
            (Cells::Timestamp(cells), Scalar::Timestamp(value)) => cells.append_value(*value),
            _ => return None,
        }
        Some(8)
    }
}
