//! How is a column compared with values, so that it equals them and nobody else's?

use mysql_async::Value as Bind;

use super::bind;
use super::column::{Decode, Letters, Source};
use super::name::quote;
use crate::{SiloError, Value};

/// A piece of a statement.
#[derive(Clone, Default)]
pub(super) struct Text {
    pub(super) sql: String,
    /// Parameters by name; no value.
    pub(super) shown: String,
}

/// A condition that a column holds one of some values.
pub(super) struct OneOf {
    pub(super) text: Text,
    pub(super) binds: Vec<Bind>,
}

/// The condition, whose parameters are bound once or, beside a text, twice.
pub(super) fn one_of(column: &Source, values: &[Value], name: &str) -> Result<OneOf, SiloError> {
    let mut binds: Vec<Bind> = Vec::with_capacity(values.len());
    for value in values {
        if let Some(bind) = bind::value(value, column)
            && !binds.contains(&bind)
        {
            binds.push(bind);
        }
    }
    if binds.len() > MOST_PARAMETERS {
        return Err(too_many(&format!("identifier {name} has")));
    }
    let quoted = quote(&column.name);
    let shown = format!("{quoted} in (:{name})");
    if binds.is_empty() {
        return Ok(OneOf { text: Text { sql: "false".to_owned(), shown }, binds });
    }
    let all = |mark: &str| vec![mark; binds.len()].join(", ");
    let by_type = format!("{quoted} in ({})", all(&as_compared(column)));
    let (sql, twice) = match column.letters() {
        Letters::Any => (by_type, false),
        Letters::Exact => (format!("({by_type} and {})", exactly(&quoted, &all(UNICODE))), true),
        Letters::Folded => {
            let folded = all("lower(convert(? using utf8mb4))");
            let name = format!("lower(convert({quoted} using utf8mb4)) collate utf8mb4_bin");
            (format!("({by_type} and {name} in ({folded}))"), true)
        }
        Letters::Alone => (exactly(&quoted, &all(UNICODE)), false),
    };
    if twice {
        binds.extend_from_within(..);
    }
    Ok(OneOf { text: Text { sql, shown }, binds })
}

fn exactly(quoted: &str, marks: &str) -> String {
    format!("convert({quoted} using utf8mb4) collate utf8mb4_bin in ({marks})")
}

/// A parameter beside a column, in the column's collation: an index of the column is of use, and a letter that the column's
/// character set does not have is no error.
fn as_compared(column: &Source) -> String {
    match &column.collation {
        // MySQL refuses what is bound and has such a letter, but not an expression.
        Some((charset, collation)) => {
            let mark = if charset == "utf8mb4" { "?" } else { UNICODE };
            format!("convert({mark} using {}) collate {}", plain(charset), plain(collation))
        }
        None => bind::mark(column),
    }
}

/// A cursor's parameter in the collation that the rows are ordered by.
pub(super) fn as_ordered(column: &Source) -> String {
    match column.decode {
        Decode::Text { words: false, .. } if column.collation.is_some() => as_compared(column),
        Decode::Text { .. } | Decode::Json => format!("{UNICODE} collate utf8mb4_bin"),
        _ => bind::mark(column),
    }
}

/// The name of a character set or a collation, which are not quoted.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

pub(super) fn too_many(who: &str) -> SiloError {
    let what = format!(
        "{who} so many values that the statement would have more than {MOST_PARAMETERS} parameters, which the server does not take"
    );
    SiloError::Settings { what }
}

/// A text that is compared character by character.
const UNICODE: &str = "convert(? using utf8mb4)";
/// The protocol counts them in sixteen bits; room is left for window, filters and a cursor.
pub(super) const MOST_PARAMETERS: usize = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Decode = Decode::Text { characters: 80, words: false };

    #[test]
    fn a_collation_that_folds_letters_has_the_last_word_taken_from_it() {
        let condition = |collation: Option<&str>| {
            let column = Source {
                name: "e".to_owned(),
                declared: String::new(),
                decode: TEXT,
                collation: collation.map(|name| ("utf8mb4".to_owned(), name.to_owned())),
                native: false,
                loose: false,
            };
            let one = one_of(&column, &[Value::Text("a".to_owned())], "email").unwrap();
            (one.text.sql, one.binds.len())
        };
        assert_eq!(
            condition(Some("utf8mb4_general_ci")),
            (
                "(`e` in (convert(? using utf8mb4) collate utf8mb4_general_ci) and \
                 lower(convert(`e` using utf8mb4)) collate utf8mb4_bin in (lower(convert(? using utf8mb4))))"
                    .to_owned(),
                2
            )
        );
        let exact = "convert(`e` using utf8mb4) collate utf8mb4_bin in (convert(? using utf8mb4))";
        assert_eq!(condition(None), (exact.to_owned(), 1));
    }
}
