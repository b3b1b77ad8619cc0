//! What do a section's rows look like? Columns and types, frozen when a section starts.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

/// The columns of a section, its order and its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Columns in the order of the silo.
    pub columns: Vec<ColumnShape>,
    /// Columns that order the rows.
    pub ordered_by: Vec<String>,
    /// The order columns are proven unique and not null: slices can be cut and reading can go on after a cursor.
    pub keyed: bool,
    /// The statement that reads the section, parameters by name.
    pub statement: String,
    /// What a reader should know about the values.
    pub notes: Vec<String>,
    /// Rows, counted or estimated. Not part of what makes two shapes equal: see [`same_columns`](Self::same_columns).
    pub rows: Option<u64>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// What the silo calls its type.
    pub declared: String,
    /// What it becomes.
    pub kind: ColumnType,
}

/// Types a silo's values become; each has one Arrow type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnType {
    /// 64-bit integer.
    Integer,
    /// 64-bit float.
    Real,
    /// Exact decimal.
    Decimal {
        /// Digits in all, at most 38.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// UTF-8 text.
    Text,
    /// Bytes.
    Bytes,
}

impl Shape {
    /// Returns the Arrow schema; every column may be NULL.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let fields = self
            .columns
            .iter()
            .map(|column| Field::new(&column.name, column.kind.data_type(), true))
            .collect::<Vec<_>>();
        Arc::new(Schema::new(fields))
    }

    /// Says whether a section that began with `self` can go on with `other`.
    #[must_use]
    pub fn same_columns(&self, other: &Self) -> bool {
        self.columns == other.columns
            && self.ordered_by == other.ordered_by
            && self.keyed == other.keyed
    }
}

impl ColumnType {
    /// Returns the Arrow type.
    #[must_use]
    pub const fn data_type(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Real => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
            Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
        }
    }
}
