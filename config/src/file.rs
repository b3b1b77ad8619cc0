//! The settings file: one parse that yields the values and the line of each.

use std::{collections::BTreeMap, ops::Range};

use figment::value::{Dict, Value};
use toml_edit::{ImDocument, Item, TableLike};

use crate::path::child;

/// Holds what a settings file says.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) values: Dict,
    /// The line of everything in it, from 1.
    pub(crate) lines: BTreeMap<Vec<String>, usize>,
    /// Paths that hold a date or time, which no setting is. They are not among the values.
    pub(crate) dates: Vec<Vec<String>>,
}

/// Says where and why a text is not TOML. Does not quote the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// Reads a settings file.
pub(crate) fn parse(text: &str) -> Result<File, SyntaxError> {
    let line_of = Lines::new(text);
    let document = ImDocument::parse(text).map_err(|error| SyntaxError {
        line: line_of.line(error.span()).unwrap_or(0),
        message: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    let mut file = File::default();
    file.values = file.table(document.as_table(), &[], &line_of);
    Ok(file)
}

impl File {
    fn table(&mut self, table: &dyn TableLike, path: &[String], lines: &Lines) -> Dict {
        let mut dict = Dict::new();
        for (key, item) in table.iter() {
            let path = child(path, key);
            let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
            self.note(&path, span, lines);
            if let Some(value) = self.item(item, &path, lines) {
                dict.insert(key.to_owned(), value);
            }
        }
        dict
    }

    fn item(&mut self, item: &Item, path: &[String], lines: &Lines) -> Option<Value> {
        match item {
            Item::None => None,
            Item::Value(value) => self.value(value, path, lines),
            Item::Table(table) => Some(Value::from(self.table(table, path, lines))),
            Item::ArrayOfTables(tables) => {
                let mut list = Vec::with_capacity(tables.len());
                for (index, table) in tables.iter().enumerate() {
                    let path = child(path, &index.to_string());
                    self.note(&path, table.span(), lines);
                    list.push(Value::from(self.table(table, &path, lines)));
                }
                Some(Value::from(list))
            }
        }
    }

    fn value(&mut self, value: &toml_edit::Value, path: &[String], lines: &Lines) -> Option<Value> {
        use toml_edit::Value as Toml;
        match value {
            Toml::String(text) => Some(Value::from(text.value().as_str())),
            Toml::Integer(number) => Some(Value::from(*number.value())),
            Toml::Float(number) => Some(Value::from(*number.value())),
            Toml::Boolean(answer) => Some(Value::from(*answer.value())),
            Toml::Datetime(_) => {
                self.dates.push(path.to_vec());
                None
            }
            Toml::Array(array) => {
                let mut list = Vec::with_capacity(array.len());
                for (index, element) in array.iter().enumerate() {
                    let path = child(path, &index.to_string());
                    self.note(&path, element.span(), lines);
                    // A date leaves an empty place, so that its neighbours keep theirs.
                    let value = self.value(element, &path, lines);
                    list.push(value.unwrap_or_else(|| Value::from(Dict::new())));
                }
                Some(Value::from(list))
            }
            Toml::InlineTable(table) => Some(Value::from(self.table(table, path, lines))),
        }
    }

    fn note(&mut self, path: &[String], span: Option<Range<usize>>, lines: &Lines) {
        if let Some(line) = lines.line(span) {
            self.lines.insert(path.to_vec(), line);
        }
    }
}

/// Finds the line of a byte.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn line(&self, span: Option<Range<usize>>) -> Option<usize> {
        let start = span?.start;
        Some(1 + self.0.partition_point(|newline| *newline < start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(file: &File, dotted: &str) -> Option<usize> {
        file.lines.get(&crate::path::split(dotted)).copied()
    }

    #[test]
    fn everything_has_its_line() {
        let file = parse(
            "[listen]\naddress = 'x'\n\n[[silo]]\nname = 'a'\n[[silo.datapoint]]\nkey = [\n 'id',\n 'no',\n]\n\
             match = { a = 'b' }\n[[silo]]\n\"type\" = 1\n",
        )
        .unwrap();
        for (path, expected) in [
            ("listen", 1),
            ("listen.address", 2),
            ("silo.0", 4),
            ("silo.0.datapoint.0", 6),
            ("silo.0.datapoint.0.key.1", 9),
            ("silo.0.datapoint.0.match.a", 11),
            ("silo.1", 12),
            ("silo.1.type", 13),
        ] {
            assert_eq!(line(&file, path), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_syntax_error_has_its_line_and_quotes_nothing() {
        let error = parse("[keys]\nroot = \"hunter2\n").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
        assert!(!error.message.contains('\n'));
    }
}
