//! What do a section's rows look like? Columns and types, frozen when a section starts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::extension::EXTENSION_TYPE_NAME_KEY;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
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
    /// True or false.
    Boolean,
    /// 64-bit integer.
    Integer,
    /// 32-bit float.
    Single,
    /// 64-bit float.
    Real,
    /// Exact decimal.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, from 0 to `precision`: Parquet has no others.
        scale: i8,
    },
    /// UTF-8 text.
    Text,
    /// Bytes.
    Bytes,
    /// Day, as days since 1970-01-01; [`i32::MAX`] and [`i32::MIN`] are the infinite ones.
    Date,
    /// Time of day in microseconds, up to and with 24:00:00.
    Time,
    /// Moment on a wall clock, as microseconds since 1970-01-01; [`i64::MAX`] and [`i64::MIN`] are the infinite ones.
    Timestamp,
    /// Moment in UTC, in the numbers of [`Timestamp`](Self::Timestamp).
    TimestampTz,
    /// One JSON value as text, without whitespace outside its strings.
    Json,
}

impl Shape {
    /// Returns the Arrow schema; every column may be NULL.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let fields =
            self.columns.iter().map(|column| column.kind.field(&column.name)).collect::<Vec<_>>();
        Arc::new(Schema::new(fields))
    }

    /// Returns the shape of the same rows with the columns of the key alone, in its order; `None` without a key.
    pub(crate) fn of_key(&self) -> Option<Self> {
        let column = |name: &String| self.columns.iter().find(|column| column.name == *name);
        let columns: Option<Vec<ColumnShape>> =
            self.ordered_by.iter().map(|name| column(name).cloned()).collect();
        Some(Self { columns: columns.filter(|_| self.keyed)?, ..self.clone() })
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
    pub fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Single => DataType::Float32,
            Self::Real => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
            Self::Text | Self::Json => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// Returns the Arrow field of a column: its type, may be NULL. JSON text is marked as Arrow's extension type
    /// [`arrow.json`](https://arrow.apache.org/docs/format/CanonicalExtensions.html#json).
    #[must_use]
    pub fn field(self, name: &str) -> Field {
        let field = Field::new(name, self.data_type(), true);
        match self {
            Self::Json => field.with_metadata(HashMap::from([(
                EXTENSION_TYPE_NAME_KEY.to_owned(),
                JSON_EXTENSION.to_owned(),
            )])),
            _ => field,
        }
    }
}

/// The extension type of JSON text.
pub(crate) const JSON_EXTENSION: &str = "arrow.json";
