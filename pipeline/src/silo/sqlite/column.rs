//! What does a column become? Its declared type is a hint; the storage classes of its rows decide.

use rusqlite::types::ValueRef;

use crate::silo::ColumnType;

/// The storage classes that a column's selected values have (NULL aside).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Classes {
    integer: bool,
    real: bool,
    text: bool,
    blob: bool,
    /// Every number so far fits the declared decimal exactly.
    decimal: bool,
}

impl Classes {
    pub(super) const fn none() -> Self {
        Self { integer: false, real: false, text: false, blob: false, decimal: true }
    }

    /// Notes a class by the word of SQLite's `typeof`.
    pub(super) fn note_word(&mut self, word: &[u8]) {
        match word {
            b"integer" => self.integer = true,
            b"real" => self.real = true,
            b"text" => self.text = true,
            b"blob" => self.blob = true,
            _ => {}
        }
    }

    /// Notes a value of a column that is declared as a decimal.
    pub(super) fn note_decimal(&mut self, value: ValueRef<'_>, precision: u8, scale: i8) {
        match value {
            ValueRef::Null => {}
            ValueRef::Integer(_) => self.integer = true,
            ValueRef::Real(_) => self.real = true,
            ValueRef::Text(_) => self.text = true,
            ValueRef::Blob(_) => self.blob = true,
        }
        let null = matches!(value, ValueRef::Null);
        self.decimal = self.decimal && (null || unscaled(value, precision, scale).is_some());
    }

    /// Says whether the values are of more than one kind, numbers counting as one.
    pub(super) const fn mixed(self) -> bool {
        let kinds = (self.integer || self.real) as u8 + self.text as u8 + self.blob as u8;
        kinds > 1
    }

    /// Decides what the column becomes. `key`: cursors need the silo's own values, so no decimals.
    pub(super) fn decide(self, declared: &str, key: bool) -> ColumnType {
        if self.blob {
            return ColumnType::Bytes;
        }
        if self.text {
            return ColumnType::Text;
        }
        match (decimal(declared), self.integer, self.real) {
            (Some((precision, scale)), ..) if self.decimal && !key => {
                ColumnType::Decimal { precision, scale }
            }
            (_, true, false) => ColumnType::Integer,
            (_, _, true) => ColumnType::Real,
            (_, false, false) => of_empty(declared),
        }
    }
}

/// Reads `DECIMAL(p, s)` or `NUMERIC(p, s)`.
pub(super) fn decimal(declared: &str) -> Option<(u8, i8)> {
    let upper = declared.to_ascii_uppercase();
    let rest = upper.strip_prefix("DECIMAL").or_else(|| upper.strip_prefix("NUMERIC"))?;
    let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',').unwrap_or((inner, "0"));
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: i8 = scale.trim().parse().ok()?;
    let fits = (1..=38).contains(&precision) && (0..=38).contains(&scale);
    (fits && i16::from(scale) <= i16::from(precision)).then_some((precision, scale))
}

/// Returns a number as a decimal's unscaled value, if it is exactly one.
///
/// A REAL counts as the shortest decimal that reads back as it: that is what was written into the database.
pub(super) fn unscaled(value: ValueRef<'_>, precision: u8, scale: i8) -> Option<i128> {
    let text = match value {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) if number.is_finite() => number.to_string(),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let scale = usize::try_from(scale).ok()?;
    let zeros = scale.checked_sub(fraction.len())?;
    let digits = format!("{whole}{fraction}{:0<zeros$}", "");
    let unscaled: i128 = digits.parse().ok()?;
    let limit = 10_i128.checked_pow(u32::from(precision))?;
    (-limit < unscaled && unscaled < limit).then_some(unscaled)
}

/// A column without values: its declared type's affinity (SQLite's "Datatypes", section 3.1).
fn of_empty(declared: &str) -> ColumnType {
    let upper = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
    if has(&["INT"]) {
        ColumnType::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        ColumnType::Text
    } else if has(&["BLOB"]) {
        ColumnType::Bytes
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        ColumnType::Real
    } else {
        ColumnType::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_is_the_decimal_it_was_written_as() {
        assert_eq!(unscaled(ValueRef::Real(19.99), 12, 2), Some(1999));
        assert_eq!(unscaled(ValueRef::Real(-0.1), 12, 2), Some(-10));
        assert_eq!(unscaled(ValueRef::Integer(7), 12, 2), Some(700));
    }

    #[test]
    fn a_number_that_does_not_fit_the_decimal_is_none() {
        assert_eq!(unscaled(ValueRef::Real(0.125), 12, 2), None);
        assert_eq!(unscaled(ValueRef::Integer(100), 4, 2), None);
        assert_eq!(unscaled(ValueRef::Real(f64::INFINITY), 12, 2), None);
        assert_eq!(unscaled(ValueRef::Text(b"1.5"), 12, 2), None);
    }

    #[test]
    fn declared_decimals_are_read() {
        assert_eq!(decimal("DECIMAL(12, 2)"), Some((12, 2)));
        assert_eq!(decimal("numeric(9)"), Some((9, 0)));
        for text in ["DECIMAL", "DECIMAL(40,2)", "DECIMAL(2,4)", "DECIMALS(1,1", "INTEGER"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn storage_classes_win_over_the_declared_type() {
        let classes = |words: &[&str]| {
            let mut classes = Classes::none();
            words.iter().for_each(|word| classes.note_word(word.as_bytes()));
            classes
        };
        assert_eq!(classes(&["integer"]).decide("TEXT", false), ColumnType::Integer);
        assert_eq!(classes(&["integer", "real"]).decide("", false), ColumnType::Real);
        assert_eq!(classes(&["integer", "text"]).decide("INTEGER", false), ColumnType::Text);
        assert_eq!(classes(&["text", "blob"]).decide("TEXT", false), ColumnType::Bytes);
        assert_eq!(classes(&["null"]).decide("BIGINT", false), ColumnType::Integer);
        assert!(classes(&["integer", "text"]).mixed() && !classes(&["integer", "real"]).mixed());
    }
}
