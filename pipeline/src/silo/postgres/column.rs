//! What does a column become? The type the server names decides.

use tokio_postgres::Column;
use tokio_postgres::types::{Kind, Type};

use super::valid::base;
use crate::silo::{ColumnShape, ColumnType};
use crate::sql::quote;

/// A column of a selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) declared: String,
    pub(super) decode: Decode,
    pub(super) kind: Type,
    /// The server writes it as this type first.
    cast: Option<&'static str>,
}

/// How rows are ordered by a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// Different values have different places.
    Whole(String),
    /// As [`Whole`](Self::Whole), by something the server computes for it.
    Computed(String),
    /// Some values that differ stand in any order.
    Partial(String),
    /// The server has no order of it.
    None,
}

/// The binary form of a value, by what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decode {
    Boolean,
    Int2,
    Int4,
    Int8,
    Oid,
    Single,
    Real,
    /// Exact, as many digits as Arrow holds.
    Decimal {
        precision: u8,
        scale: i8,
    },
    /// Exact, as text.
    Numeric,
    Text,
    Uuid,
    Bytes,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Json,
    Jsonb,
    /// Elements of one form, in any number of dimensions.
    Array(Box<Self>),
}

impl Source {
    pub(super) fn of(column: &Column) -> Self {
        let kind = base(column.type_());
        let modifier = column.type_modifier();
        let (decode, cast) = match kind.kind() {
            Kind::Array(element) => match scalar(base(element), modifier) {
                Some(element) => (Decode::Array(Box::new(element)), None),
                None => (Decode::Array(Box::new(Decode::Text)), Some("text[]")),
            },
            _ => match scalar(kind, modifier) {
                Some(decode) => (decode, None),
                None => (Decode::Text, Some("text")),
            },
        };
        Self {
            name: column.name().to_owned(),
            declared: declared(kind, modifier),
            decode,
            kind: kind.clone(),
            cast,
        }
    }

    /// The column as it is selected.
    pub(super) fn selected(&self) -> String {
        match self.cast {
            Some(cast) => format!("{}::{cast}", quote(&self.name)),
            None => quote(&self.name),
        }
    }

    /// Says whether a column that was [selected](Self::selected) has the type that this one is taken over as.
    pub(super) fn is_sent_as(&self, column: &Column) -> bool {
        self.cast.is_some() || base(column.type_()).oid() == self.kind.oid()
    }

    pub(super) fn shape(&self) -> ColumnShape {
        ColumnShape {
            name: self.name.clone(),
            declared: self.declared.clone(),
            kind: self.decode.kind(),
        }
    }

    /// How rows without a key are ordered by it.
    pub(super) fn order(&self) -> Order {
        let name = quote(&self.name);
        if self.cast.is_some() {
            return Order::None;
        }
        match self.decode {
            Decode::Json | Decode::Jsonb | Decode::Array(_) => Order::None,
            // 1.0 and 1.00, 0 and -0, a month and thirty days.
            Decode::Numeric | Decode::Single | Decode::Real | Decode::Interval => {
                Order::Partial(name)
            }
            // By bytes: a collation may call different texts equal.
            Decode::Text => Order::Computed(format!("{name}::text collate \"C\"")),
            _ => Order::Whole(name),
        }
    }

    /// Says whether its values can be a cursor: the server compares them, and reads back the text of one as the same value.
    pub(super) fn can_be_key(&self) -> bool {
        self.cast.is_none() && self.decode.can_be_key() && !is_citext(&self.kind)
    }

    /// The operator that compares its values with others for being equal. Where citext's own is not on the search path, a bare `=`
    /// is that of text, which tells cases apart.
    pub(super) fn equals(&self) -> String {
        if is_citext(&self.kind) {
            format!("operator({}.=)", quote(self.kind.schema()))
        } else {
            "=".to_owned()
        }
    }
}

impl Decode {
    pub(super) const fn kind(&self) -> ColumnType {
        match self {
            Self::Boolean => ColumnType::Boolean,
            Self::Int2 | Self::Int4 | Self::Int8 | Self::Oid => ColumnType::Integer,
            Self::Single => ColumnType::Single,
            Self::Real => ColumnType::Real,
            Self::Decimal { precision, scale } => {
                ColumnType::Decimal { precision: *precision, scale: *scale }
            }
            Self::Numeric | Self::Text | Self::Uuid | Self::Interval => ColumnType::Text,
            Self::Bytes => ColumnType::Bytes,
            Self::Date => ColumnType::Date,
            Self::Time => ColumnType::Time,
            Self::Timestamp => ColumnType::Timestamp,
            Self::TimestampTz => ColumnType::TimestampTz,
            Self::Json | Self::Jsonb | Self::Array(_) => ColumnType::Json,
        }
    }

    /// An interval is none: a month equals thirty days, and only one of them is the cursor.
    const fn can_be_key(&self) -> bool {
        !matches!(self, Self::Json | Self::Jsonb | Self::Array(_) | Self::Interval)
    }
}

/// The form of a type that is no array, if it is one of those read in binary form.
fn scalar(kind: &Type, modifier: i32) -> Option<Decode> {
    if matches!(kind.kind(), Kind::Enum(_)) {
        return Some(Decode::Text);
    }
    Some(match *kind {
        Type::BOOL => Decode::Boolean,
        Type::INT2 => Decode::Int2,
        Type::INT4 => Decode::Int4,
        Type::INT8 => Decode::Int8,
        Type::OID => Decode::Oid,
        Type::FLOAT4 => Decode::Single,
        Type::FLOAT8 => Decode::Real,
        Type::NUMERIC => match precision_and_scale(modifier) {
            Some((precision, scale)) => Decode::Decimal { precision, scale },
            None => Decode::Numeric,
        },
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => Decode::Text,
        Type::UUID => Decode::Uuid,
        Type::BYTEA => Decode::Bytes,
        Type::DATE => Decode::Date,
        Type::TIME => Decode::Time,
        Type::TIMESTAMP => Decode::Timestamp,
        Type::TIMESTAMPTZ => Decode::TimestampTz,
        Type::INTERVAL => Decode::Interval,
        Type::JSON => Decode::Json,
        Type::JSONB => Decode::Jsonb,
        _ if is_citext(kind) => Decode::Text,
        _ => return None,
    })
}

/// Text whose case does not matter: an extension's, in whatever schema that was put.
fn is_citext(kind: &Type) -> bool {
    kind.name() == "citext"
}

/// Reads the modifier of `numeric(p, s)`; `None` if there is none, or Arrow's decimals do not hold it.
fn precision_and_scale(modifier: i32) -> Option<(u8, i8)> {
    let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
    let precision = u8::try_from(packed >> 16 & 0xffff).ok()?;
    // Eleven bits with a sign.
    let scale = i8::try_from((packed & 0x7ff ^ 1024) - 1024).ok()?;
    let fits = (1..=38).contains(&precision) && scale >= 0;
    (fits && i16::from(scale) <= i16::from(precision)).then_some((precision, scale))
}

/// The type as people write it.
fn declared(kind: &Type, modifier: i32) -> String {
    if let Kind::Array(element) = kind.kind() {
        return format!("{}[]", declared(element, modifier));
    }
    let name = match kind.schema() {
        "pg_catalog" | "public" => kind.name().to_owned(),
        schema => format!("{schema}.{}", kind.name()),
    };
    let packed = modifier.saturating_sub(4);
    match *kind {
        Type::NUMERIC if packed >= 0 => {
            format!("{name}({},{})", packed >> 16 & 0xffff, (packed & 0x7ff ^ 1024) - 1024)
        }
        Type::VARCHAR | Type::BPCHAR if packed >= 0 => format!("{name}({packed})"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_of_decimals_are_read() {
        let packed = |precision: i32, scale: i32| (precision << 16 | scale & 0x7ff) + 4;
        assert_eq!(precision_and_scale(packed(12, 2)), Some((12, 2)));
        assert_eq!(precision_and_scale(packed(38, 38)), Some((38, 38)));
        for modifier in [-1, packed(39, 2), packed(5, -2), packed(2, 5), packed(1000, 0)] {
            assert_eq!(precision_and_scale(modifier), None, "{modifier}");
        }
        assert_eq!(declared(&Type::NUMERIC, packed(5, -2)), "numeric(5,-2)");
        assert_eq!(declared(&Type::NUMERIC_ARRAY, packed(12, 2)), "numeric(12,2)[]");
        assert_eq!(declared(&Type::VARCHAR, 24), "varchar(20)");
        assert_eq!(declared(&Type::TEXT, -1), "text");
    }
}
