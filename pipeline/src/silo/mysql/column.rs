//! What does a column become? The type the server names decides.

use mysql_async::Column;
use mysql_async::consts::{ColumnFlags, ColumnType as Wire};

use super::catalogue::{Declared, Table};
use super::name::quote;
use crate::silo::{ColumnShape, ColumnType};

/// A column of a selection.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) declared: String,
    pub(super) decode: Decode,
    /// Character set and collation of a text in a table; of a query they are not known.
    pub(super) collation: Option<(String, String)>,
    /// A table's column that is written as text and is none, such as a `uuid`: the server compares it by its own type.
    pub(super) native: bool,
    /// Days that no calendar has are among its values: they are written as the server writes them.
    pub(super) loose: bool,
}

/// What is asked of the letters of a text that equals another by its collation. A collation may call letters the same that tell
/// people apart, `é` and `e`; and a letter that a character set does not have becomes a question mark in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// Nothing.
    Any,
    /// They are the same.
    Exact,
    /// They are the same but for their case.
    Folded,
    /// They are the same; the collation, which is not known, is not asked.
    Alone,
}

/// The binary form of a value, by what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decode {
    /// Every value is one of 64 bits with a sign; these are the least and the most.
    Integer {
        least: i64,
        most: i64,
    },
    /// 64 bits without a sign: a decimal, because half of them are beyond [`i64`].
    Unsigned,
    Year,
    /// So many bits, as a number.
    Bits {
        bits: u32,
    },
    Single,
    Real,
    /// Exact; as text where Arrow's decimals do not hold it.
    Decimal {
        precision: u32,
        scale: u32,
    },
    /// At most so many characters; of an `enum` or a `set` if `words`.
    Text {
        characters: u32,
        words: bool,
    },
    Json,
    /// At most so many.
    Bytes {
        length: u32,
    },
    Date,
    /// So many digits behind the seconds.
    DateTime {
        digits: u8,
    },
    /// As a date and time, in UTC.
    Timestamp {
        digits: u8,
    },
    /// A length of time or a time of day: the server does not tell them apart.
    Time {
        digits: u8,
    },
}

impl Source {
    pub(super) fn of(column: &Column, table: Option<&Table>) -> Self {
        let name = column.name_str().into_owned();
        let known = table.and_then(|table| table.columns.get(&name));
        let decode = decode(column, known);
        let declared =
            known.map_or_else(|| decode.in_words(column), |known| known.as_written.clone());
        let collation = known.and_then(|known| known.collation.clone());
        let native = known.is_some() && collation.is_none();
        Self { name, declared, decode, collation, native, loose: false }
    }

    pub(super) fn shape(&self) -> ColumnShape {
        let kind = if self.loose { ColumnType::Text } else { self.decode.kind() };
        ColumnShape { name: self.name.clone(), declared: self.declared.clone(), kind }
    }

    /// The expression by which rows are ordered and compared as a cursor is. A collation that is not known, and words, which the
    /// server orders by their numbers, are taken by their characters.
    pub(super) fn ordered(&self) -> String {
        let name = quote(&self.name);
        match self.decode {
            Decode::Text { words: false, .. } if self.collation.is_some() => name,
            Decode::Text { .. } | Decode::Json => {
                format!("convert({name} using utf8mb4) collate utf8mb4_bin")
            }
            _ => name,
        }
    }

    /// Says whether its values can be a cursor: the server compares them as it orders them, and to their ends.
    pub(super) const fn can_be_key(&self) -> bool {
        match self.decode {
            Decode::Text { characters, .. } => characters <= LONGEST_KEY,
            Decode::Bytes { length } => length <= LONGEST_KEY * 4,
            Decode::Json => false,
            _ => !self.loose,
        }
    }

    /// What is asked of its letters besides what its collation says.
    pub(super) fn letters(&self) -> Letters {
        match (&self.decode, &self.collation) {
            (Decode::Text { .. }, None) if !self.native => Letters::Alone,
            (Decode::Text { .. }, Some((charset, collation))) => {
                if !collation.ends_with("_bin") {
                    Letters::Folded
                } else if charset == "utf8mb4" {
                    Letters::Any
                } else {
                    Letters::Exact
                }
            }
            _ => Letters::Any,
        }
    }

    /// Says whether it holds days.
    pub(super) const fn has_days(&self) -> bool {
        matches!(self.decode, Decode::Date | Decode::DateTime { .. } | Decode::Timestamp { .. })
    }
}

impl Decode {
    pub(super) fn kind(self) -> ColumnType {
        match self {
            Self::Integer { .. } | Self::Year | Self::Bits { bits: 0..=63 } => ColumnType::Integer,
            Self::Unsigned | Self::Bits { .. } => ColumnType::Decimal { precision: 20, scale: 0 },
            Self::Single => ColumnType::Single,
            Self::Real => ColumnType::Real,
            Self::Decimal { precision, scale } => {
                let fits = (1..=38).contains(&precision) && scale <= precision;
                match (u8::try_from(precision), i8::try_from(scale)) {
                    (Ok(precision), Ok(scale)) if fits => ColumnType::Decimal { precision, scale },
                    _ => ColumnType::Text,
                }
            }
            Self::Text { .. } | Self::Time { .. } => ColumnType::Text,
            Self::Json => ColumnType::Json,
            Self::Bytes { .. } => ColumnType::Bytes,
            Self::Date => ColumnType::Date,
            Self::DateTime { .. } => ColumnType::Timestamp,
            Self::Timestamp { .. } => ColumnType::TimestampTz,
        }
    }

    /// The type of a query's column as people write it.
    fn in_words(self, column: &Column) -> String {
        let behind = |word: &str, digits: u8| match digits {
            0 => word.to_owned(),
            digits => format!("{word}({digits})"),
        };
        match self {
            Self::Integer { least, .. } => {
                let word = match column.column_type() {
                    Wire::MYSQL_TYPE_TINY => "tinyint",
                    Wire::MYSQL_TYPE_SHORT => "smallint",
                    Wire::MYSQL_TYPE_INT24 => "mediumint",
                    Wire::MYSQL_TYPE_LONG => "int",
                    _ => "bigint",
                };
                if least == 0 { format!("{word} unsigned") } else { word.to_owned() }
            }
            Self::Unsigned => "bigint unsigned".to_owned(),
            Self::Year => "year".to_owned(),
            Self::Bits { bits } => format!("bit({bits})"),
            Self::Single => "float".to_owned(),
            Self::Real => "double".to_owned(),
            Self::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Self::Text { words: true, .. } => "enum".to_owned(),
            Self::Text { .. } => "text".to_owned(),
            Self::Json => "json".to_owned(),
            Self::Bytes { .. } => "binary".to_owned(),
            Self::Date => "date".to_owned(),
            Self::DateTime { digits } => behind("datetime", digits),
            Self::Timestamp { digits } => behind("timestamp", digits),
            Self::Time { digits } => behind("time", digits),
        }
    }
}

fn decode(column: &Column, known: Option<&Declared>) -> Decode {
    let flags = column.flags();
    let unsigned = flags.contains(ColumnFlags::UNSIGNED_FLAG);
    let whole = |bits: u32| {
        let most = (1_i64 << (bits - 1)) - 1;
        if unsigned {
            Decode::Integer { least: 0, most: most * 2 + 1 }
        } else {
            Decode::Integer { least: -most - 1, most }
        }
    };
    // 31 stands for "as many as there are".
    let digits = column.decimals().min(6);
    match column.column_type() {
        Wire::MYSQL_TYPE_TINY => whole(8),
        Wire::MYSQL_TYPE_SHORT => whole(16),
        Wire::MYSQL_TYPE_INT24 => whole(24),
        Wire::MYSQL_TYPE_LONG => whole(32),
        Wire::MYSQL_TYPE_LONGLONG if unsigned => Decode::Unsigned,
        Wire::MYSQL_TYPE_LONGLONG => Decode::Integer { least: i64::MIN, most: i64::MAX },
        Wire::MYSQL_TYPE_YEAR => Decode::Year,
        Wire::MYSQL_TYPE_BIT => Decode::Bits { bits: column.column_length() },
        Wire::MYSQL_TYPE_FLOAT => Decode::Single,
        Wire::MYSQL_TYPE_DOUBLE => Decode::Real,
        Wire::MYSQL_TYPE_DECIMAL | Wire::MYSQL_TYPE_NEWDECIMAL => {
            // The length counts a point and a sign.
            let scale = u32::from(column.decimals());
            let besides = u32::from(scale > 0) + u32::from(!unsigned);
            Decode::Decimal { precision: column.column_length().saturating_sub(besides), scale }
        }
        Wire::MYSQL_TYPE_DATE | Wire::MYSQL_TYPE_NEWDATE => Decode::Date,
        Wire::MYSQL_TYPE_DATETIME | Wire::MYSQL_TYPE_DATETIME2 => Decode::DateTime { digits },
        Wire::MYSQL_TYPE_TIMESTAMP | Wire::MYSQL_TYPE_TIMESTAMP2 => Decode::Timestamp { digits },
        Wire::MYSQL_TYPE_TIME | Wire::MYSQL_TYPE_TIME2 => Decode::Time { digits },
        Wire::MYSQL_TYPE_JSON => Decode::Json,
        Wire::MYSQL_TYPE_NULL => Decode::Text { characters: 0, words: false },
        Wire::MYSQL_TYPE_GEOMETRY | Wire::MYSQL_TYPE_VECTOR => Decode::Bytes { length: u32::MAX },
        _ if known.is_some_and(|known| known.is_json) => Decode::Json,
        _ => {
            let words =
                flags.contains(ColumnFlags::ENUM_FLAG) || flags.contains(ColumnFlags::SET_FLAG);
            if column.character_set() == BINARY && !words {
                return Decode::Bytes { length: column.column_length() };
            }
            Decode::Text { characters: column.column_length() / 4, words }
        }
    }
}

/// The collation of bytes.
const BINARY: u16 = 63;
/// Characters of the longest text that an index holds, of up to four bytes each.
const LONGEST_KEY: u32 = 768;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(wire: Wire, flags: ColumnFlags, length: u32, decimals: u8) -> Decode {
        let column = Column::new(wire)
            .with_flags(flags)
            .with_column_length(length)
            .with_decimals(decimals)
            .with_character_set(45);
        decode(&column, None)
    }

    #[test]
    fn whole_numbers_know_their_limits() {
        let (signed, unsigned) = (ColumnFlags::empty(), ColumnFlags::UNSIGNED_FLAG);
        for (wire, flags, least, most) in [
            (Wire::MYSQL_TYPE_TINY, signed, -128, 127),
            (Wire::MYSQL_TYPE_TINY, unsigned, 0, 255),
            (Wire::MYSQL_TYPE_INT24, signed, -8_388_608, 8_388_607),
            (Wire::MYSQL_TYPE_LONG, unsigned, 0, 4_294_967_295),
            (Wire::MYSQL_TYPE_LONGLONG, signed, i64::MIN, i64::MAX),
        ] {
            assert_eq!(of(wire, flags, 20, 0), Decode::Integer { least, most });
        }
        assert_eq!(of(Wire::MYSQL_TYPE_LONGLONG, unsigned, 20, 0), Decode::Unsigned);
        assert_eq!(Decode::Unsigned.kind(), ColumnType::Decimal { precision: 20, scale: 0 });
    }

    #[test]
    fn decimals_are_as_wide_as_declared() {
        let (signed, unsigned) = (ColumnFlags::empty(), ColumnFlags::UNSIGNED_FLAG);
        for (flags, length, decimals, kind) in [
            (signed, 14, 2, ColumnType::Decimal { precision: 12, scale: 2 }),
            (unsigned, 13, 2, ColumnType::Decimal { precision: 12, scale: 2 }),
            (signed, 39, 0, ColumnType::Decimal { precision: 38, scale: 0 }),
            (signed, 40, 38, ColumnType::Decimal { precision: 38, scale: 38 }),
            (signed, 40, 0, ColumnType::Text),
            (signed, 67, 30, ColumnType::Text),
        ] {
            assert_eq!(of(Wire::MYSQL_TYPE_NEWDECIMAL, flags, length, decimals).kind(), kind);
        }
    }

    #[test]
    fn a_key_is_no_longer_than_what_is_sorted() {
        let text = |characters| Source {
            name: "k".to_owned(),
            declared: String::new(),
            decode: Decode::Text { characters, words: false },
            collation: None,
            native: false,
            loose: false,
        };
        assert!(text(768).can_be_key());
        assert!(!text(769).can_be_key());
        assert_eq!(text(10).ordered(), "convert(`k` using utf8mb4) collate utf8mb4_bin");
    }
}
