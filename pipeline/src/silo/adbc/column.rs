//! What does a column become? Its Arrow type decides.

use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::cell::is_encoded;
use crate::SiloError;
use crate::silo::{ColumnShape, ColumnType, JSON_EXTENSION};

/// A column of a selection.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    /// Its Arrow type in words.
    pub(super) declared: String,
    pub(super) data_type: DataType,
    pub(super) kind: ColumnType,
    /// Its bytes are UUIDs.
    pub(super) uuid: bool,
}

/// What a column is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// Whole numbers.
    Number,
    /// Texts.
    Text,
    /// No identifier.
    Not,
}

impl Source {
    pub(super) fn of(field: &Field) -> Self {
        let extension = field.extension_type_name();
        let data_type = field.data_type().clone();
        let uuid = extension == Some(UUID) && data_type == DataType::FixedSizeBinary(16);
        let is_json = extension == Some(JSON_EXTENSION);
        let kind = match kind(&data_type) {
            ColumnType::Text if is_json => ColumnType::Json,
            ColumnType::Bytes if uuid => ColumnType::Text,
            other => other,
        };
        let declared = match extension {
            Some(extension) => format!("{data_type} ({extension})"),
            None => data_type.to_string(),
        };
        Self { name: field.name().clone(), declared, data_type, kind, uuid }
    }

    pub(super) fn shape(&self) -> ColumnShape {
        ColumnShape { name: self.name.clone(), declared: self.declared.clone(), kind: self.kind }
    }

    /// What it is compared with: text in any encoding, UUIDs, and whole numbers.
    pub(super) fn compared(&self) -> Compared {
        match (self.kind, plain(&self.data_type)) {
            (ColumnType::Integer | ColumnType::Decimal { scale: 0, .. }, _) => Compared::Number,
            (ColumnType::Text, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                Compared::Text
            }
            (ColumnType::Text, _) if self.uuid => Compared::Text,
            _ => Compared::Not,
        }
    }

    /// Says whether its values can be a cursor: the database orders and compares them alike, and what is read of one is handed back
    /// as it was. A dictionary may be an enumeration, which is ordered by its words' places.
    pub(super) fn can_be_key(&self) -> bool {
        match self.kind {
            ColumnType::Integer => !is_encoded(&self.data_type),
            ColumnType::Text => self.compared() == Compared::Text && !is_encoded(&self.data_type),
            _ => false,
        }
    }

    /// Says whether rows can be ordered by it. Maps cannot be, in many databases.
    pub(super) fn can_order(&self) -> bool {
        orders(&self.data_type)
    }
}

/// Returns the columns of a statement. Two of one name could not be told apart in a file.
pub(super) fn all(schema: &Schema) -> Result<Vec<Source>, SiloError> {
    let columns: Vec<Source> = schema.fields().iter().map(|field| Source::of(field)).collect();
    for (at, column) in columns.iter().enumerate() {
        let same = |other: &Source| other.name.to_lowercase() == column.name.to_lowercase();
        if columns.iter().take(at).any(same) {
            return Err(SiloError::Settings {
                what: format!("column {} occurs twice", column.name),
            });
        }
    }
    if columns.is_empty() {
        return Err(SiloError::Settings { what: "it has no column".to_owned() });
    }
    Ok(columns)
}

fn kind(data_type: &DataType) -> ColumnType {
    match data_type {
        DataType::Boolean => ColumnType::Boolean,
        DataType::UInt64 => ColumnType::Decimal { precision: 20, scale: 0 },
        kind if kind.is_integer() => ColumnType::Integer,
        DataType::Float16 | DataType::Float32 => ColumnType::Single,
        DataType::Float64 => ColumnType::Real,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale)
            if *precision <= 38 && u8::try_from(*scale).is_ok_and(|scale| scale <= *precision) =>
        {
            ColumnType::Decimal { precision: *precision, scale: *scale }
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => ColumnType::Bytes,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Microsecond) => ColumnType::Time,
        // Numbers of seconds go up to years that microseconds do not hold: they are checked value by value.
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond,
            zone,
        ) => {
            if zone.is_some() {
                ColumnType::TimestampTz
            } else {
                ColumnType::Timestamp
            }
        }
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) => kind(plain(data_type)),
        nested if nested.is_nested() => ColumnType::Json,
        // Text as it is; NULL, nanoseconds, lengths of time and wide decimals as text that keeps every digit.
        _ => ColumnType::Text,
    }
}

/// The type of the values themselves.
fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        other => other,
    }
}

fn orders(data_type: &DataType) -> bool {
    match plain(data_type) {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => orders(item.data_type()),
        DataType::Struct(members) => members.iter().all(|member| orders(member.data_type())),
        DataType::Map(..) | DataType::Union(..) => false,
        _ => true,
    }
}

/// Arrow's extension type of UUIDs.
const UUID: &str = "arrow.uuid";
