//! Which columns do items have? A sample of them decides, settings override.

use std::collections::HashMap;

use antumbra_config::ColumnWord;

use super::scan::{Members, text_of};
use super::{ItemFault, MORE, number, scan};
use crate::silo::{ColumnShape, ColumnType};

/// Columns found in a sample of items, and columns that settings declare.
///
/// Declared columns come first, in their order and whether seen or not; then members in the order they were first seen. A member
/// whose name another column has, letter case aside, has none: readers of files could not tell them apart.
#[derive(Debug)]
pub(in crate::silo) struct Inferred {
    columns: Vec<Found>,
    by_name: HashMap<String, usize>,
    folded: HashMap<String, usize>,
    items: u64,
}

#[derive(Debug)]
struct Found {
    name: String,
    declared: Option<ColumnWord>,
    classes: Classes,
}

/// What a member's values are, `null` aside.
#[derive(Debug, Default, Clone, Copy)]
struct Classes {
    boolean: bool,
    integer: bool,
    real: bool,
    text: bool,
    /// Objects, arrays, numbers that no type holds exactly, texts with half a surrogate pair.
    other: bool,
    /// Some whole number is none that a float holds exactly.
    wide: bool,
}

impl Inferred {
    /// Begins with the columns that settings declare.
    pub(in crate::silo) fn new(declared: &[(String, ColumnWord)]) -> Self {
        let mut inferred =
            Self { columns: Vec::new(), by_name: HashMap::new(), folded: HashMap::new(), items: 0 };
        for (name, word) in declared {
            if let Some(index) = inferred.column(name)
                && let Some(found) = inferred.columns.get_mut(index)
            {
                found.declared = Some(*word);
            }
        }
        inferred
    }

    /// Looks at an item: the text of one JSON value.
    ///
    /// # Errors
    /// [`ItemFault`] if it is none.
    pub(in crate::silo) fn look(&mut self, item: &str) -> Result<(), ItemFault> {
        self.items += 1;
        let number = self.items;
        let broken = |_| ItemFault { item: number, member: None, what: "no well-formed JSON" };
        let item = scan::whole(item).map_err(broken)?;
        let Some(members) = Members::of(item) else { return Ok(()) };
        for member in members {
            let (name, value) = member.map_err(broken)?;
            if let Some(name) = text_of(name)
                && let Some(index) = self.column(&name)
                && let Some(found) = self.columns.get_mut(index)
            {
                found.classes.note(value);
            }
        }
        Ok(())
    }

    /// Returns the columns, [`MORE`] as the last of them.
    pub(in crate::silo) fn columns(self) -> Vec<ColumnShape> {
        let more = ColumnShape {
            name: MORE.to_owned(),
            declared: "what has no column".to_owned(),
            kind: ColumnType::Json,
        };
        self.columns.into_iter().map(Found::decide).chain([more]).collect()
    }

    /// The column of a name; makes one if it may have one.
    fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(index) = self.by_name.get(name) {
            return Some(*index);
        }
        let folded = name.to_lowercase();
        if self.columns.len() >= MAX_COLUMNS
            || name.is_empty()
            || folded == MORE
            || self.folded.contains_key(&folded)
        {
            return None;
        }
        let index = self.columns.len();
        self.columns.push(Found {
            name: name.to_owned(),
            declared: None,
            classes: Classes::default(),
        });
        self.by_name.insert(name.to_owned(), index);
        self.folded.insert(folded, index);
        Some(index)
    }
}

impl Found {
    fn decide(self) -> ColumnShape {
        let (declared, kind) = match self.declared {
            Some(word) => (word.to_string(), of_word(word)),
            None => self.classes.decide(),
        };
        ColumnShape { name: self.name, declared, kind }
    }
}

impl Classes {
    fn note(&mut self, token: &str) {
        match token.as_bytes().first() {
            Some(b'n') => {}
            Some(b't' | b'f') => self.boolean = true,
            Some(b'"') if text_of(token).is_some() => self.text = true,
            Some(b'-' | b'0'..=b'9') => {
                let real = number::real(token).is_some();
                if number::integer(token).is_some() {
                    // `5.0` says that there may be fractions.
                    let whole = !token.contains(['.', 'e', 'E']);
                    self.integer |= whole;
                    self.real |= !whole;
                    self.wide |= !real;
                } else if real {
                    self.real = true;
                } else {
                    self.other = true;
                }
            }
            _ => self.other = true,
        }
    }

    fn decide(self) -> (String, ColumnType) {
        let number = self.integer || self.real;
        let (word, kind) = match (self.boolean, number, self.text, self.other) {
            (true, false, false, false) => ("boolean", ColumnType::Boolean),
            (false, true, false, false) if !self.real => ("integer", ColumnType::Integer),
            (false, true, false, false) if !self.wide => ("number", ColumnType::Real),
            (false, false, true, false) => ("string", ColumnType::Text),
            // Of several kinds, or none so far: JSON holds whatever comes.
            _ => ("JSON", ColumnType::Json),
        };
        (format!("{INFERRED}{word}"), kind)
    }
}

const fn of_word(word: ColumnWord) -> ColumnType {
    match word {
        ColumnWord::Boolean => ColumnType::Boolean,
        ColumnWord::Integer => ColumnType::Integer,
        ColumnWord::Real => ColumnType::Real,
        ColumnWord::Text => ColumnType::Text,
        ColumnWord::Bytes => ColumnType::Bytes,
        ColumnWord::Date => ColumnType::Date,
        ColumnWord::Timestamp => ColumnType::Timestamp,
        ColumnWord::Timestamptz => ColumnType::TimestampTz,
        ColumnWord::Json => ColumnType::Json,
        ColumnWord::Decimal { precision, scale } => ColumnType::Decimal { precision, scale },
    }
}

/// Stands before the kind of a column that no setting declares; no word of settings begins so.
pub(super) const INFERRED: &str = "inferred ";
/// Columns at most, as many as a PostgreSQL table has: objects that are used as maps have a member for each key.
const MAX_COLUMNS: usize = 1_600;

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(declared: &[(&str, &str)], items: &[&str]) -> Vec<(String, ColumnType)> {
        let declared: Vec<(String, ColumnWord)> = declared
            .iter()
            .map(|(name, word)| ((*name).to_owned(), word.parse().unwrap()))
            .collect();
        let mut inferred = Inferred::new(&declared);
        for item in items {
            inferred.look(item).unwrap();
        }
        inferred.columns().into_iter().map(|column| (column.name, column.kind)).collect()
    }

    fn kind(values: &[&str]) -> ColumnType {
        let items: Vec<String> = values.iter().map(|value| format!("{{\"a\":{value}}}")).collect();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        columns(&[], &items)[0].1
    }

    #[test]
    fn values_of_one_kind_make_its_type_and_others_json() {
        for (values, expected) in [
            (&["true", "null"][..], ColumnType::Boolean),
            (&["1", "-9223372036854775808"], ColumnType::Integer),
            (&["1", "1.5"], ColumnType::Real),
            (&["1.0"], ColumnType::Real),
            (&["9007199254740993", "1.5"], ColumnType::Json),
            (&["9223372036854775809"], ColumnType::Json),
            (&["1e400"], ColumnType::Json),
            (&["\"x\"", "\"\""], ColumnType::Text),
            (&["\"x\"", "1"], ColumnType::Json),
            (&["\"\\ud800\""], ColumnType::Json),
            (&["{}"], ColumnType::Json),
            (&["[1]", "null"], ColumnType::Json),
            (&["null"], ColumnType::Json),
            (&["true", "1"], ColumnType::Json),
        ] {
            assert_eq!(kind(values), expected, "{values:?}");
        }
    }

    #[test]
    fn columns_stand_in_order_of_first_sight_behind_the_declared() {
        let found = columns(
            &[("price", "decimal(12,2)"), ("born", "date")],
            &[r#"{"id":1,"price":"1.50"}"#, r#"{"x":[],"id":2,"ID":3,"":4,"_MORE":5}"#, "[7]", "8"],
        );
        let expected = [
            ("price", ColumnType::Decimal { precision: 12, scale: 2 }),
            ("born", ColumnType::Date),
            ("id", ColumnType::Integer),
            ("x", ColumnType::Json),
            ("_more", ColumnType::Json),
        ];
        let found: Vec<(&str, ColumnType)> =
            found.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_object_used_as_a_map_has_an_end_of_columns() {
        let members: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":{n}")).collect();
        let item = format!("{{{}}}", members.join(","));
        assert_eq!(columns(&[], &[&item]).len(), MAX_COLUMNS + 1);
    }

    #[test]
    fn an_item_that_is_no_json_is_named_by_its_number() {
        let mut inferred = Inferred::new(&[]);
        inferred.look("{}").unwrap();
        let fault = inferred.look("{\"canary-email\":}").unwrap_err();
        assert_eq!(fault.item, 2);
        assert!(!fault.to_string().contains("canary"));
    }

    #[test]
    fn no_inferred_kind_is_a_word_of_settings() {
        for values in [&["true"][..], &["1"], &["1.5"], &["\"x\""], &["{}"]] {
            let item = format!("{{\"a\":{}}}", values[0]);
            let mut inferred = Inferred::new(&[]);
            inferred.look(&item).unwrap();
            let declared = inferred.columns()[0].declared.clone();
            assert!(declared.parse::<ColumnWord>().is_err(), "{declared}");
        }
    }
}
