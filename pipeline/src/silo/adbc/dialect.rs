//! How does this database write names and values? It is asked, and believed only where its answer is what was meant.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use antumbra_adbc::{Connection, Error};
use arrow_array::{Array as _, RecordBatch};

use super::bind::{Bind, hexadecimal, row};
use super::cell::{Cell, cell};
use super::fault;
use super::proof::Moment;
use crate::SiloError;

/// What was found out about a database.
pub(super) struct Dialect {
    names: Names,
    values: Values,
    /// What a moment of each kind is written as, once somebody asked; `None`: no way is known.
    moments: Mutex<HashMap<Moment, Option<&'static str>>>,
}

/// How names are quoted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Names {
    mark: char,
    /// A mark inside a name may be doubled, and a backslash is itself; else names with either cannot be written.
    doubles: bool,
}

/// How values get into a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Values {
    /// Bound to `?`.
    Question,
    /// Bound to `$1`.
    Dollar,
    /// Written as hexadecimal digits where `{}` stands.
    Hexadecimal(&'static str),
}

impl Dialect {
    /// Asks a new connection. Nothing of anybody's is in these statements.
    pub(super) fn learn(connection: &mut Connection) -> Result<Self, SiloError> {
        let names = names(connection)?;
        let values = values(connection)?;
        Ok(Self { names, values, moments: Mutex::default() })
    }

    /// Quotes a name.
    pub(super) fn quote(&self, name: &str) -> Result<String, SiloError> {
        let Names { mark, doubles } = self.names;
        if name.contains('\0') || !doubles && name.contains([mark, '\\']) {
            let what = format!("the database has no way to write the name {name}");
            return Err(SiloError::Settings { what });
        }
        Ok(self.names.around(name))
    }

    /// Returns what stands for a value, as its `at`th that is bound, from 1; and whether it is bound at all.
    pub(super) fn value(&self, bind: &Bind, at: usize) -> (String, bool) {
        match (self.values, bind) {
            (Values::Question, _) => ("?".to_owned(), true),
            (Values::Dollar, _) => (format!("${at}"), true),
            (Values::Hexadecimal(_), Bind::Integer(number)) => (format!("({number})"), false),
            (Values::Hexadecimal(form), Bind::Text(text)) => {
                (form.replace("{}", &hexadecimal(text)), false)
            }
        }
    }

    /// Says whether values stand in statements.
    pub(super) const fn writes_values(&self) -> bool {
        matches!(self.values, Values::Hexadecimal(_))
    }

    /// Returns what `find` found the first time it was asked for moments of this kind.
    pub(super) fn moment(
        &self,
        kind: Moment,
        find: impl FnOnce() -> Result<Option<&'static str>, SiloError>,
    ) -> Result<Option<&'static str>, SiloError> {
        let known = |moments: &Mutex<HashMap<_, _>>| {
            moments.lock().unwrap_or_else(PoisonError::into_inner).get(&kind).copied()
        };
        if let Some(found) = known(&self.moments) {
            return Ok(found);
        }
        let found = find()?;
        self.moments.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, found);
        Ok(found)
    }

    /// A dialect that nobody was asked for.
    #[cfg(test)]
    pub(super) fn of(mark: char, doubles: bool, how: &'static str) -> Self {
        let values = match how {
            "?" => Values::Question,
            "$" => Values::Dollar,
            form => Values::Hexadecimal(form),
        };
        Self { names: Names { mark, doubles }, values, moments: Mutex::default() }
    }
}

impl Names {
    fn around(self, name: &str) -> String {
        let mark = self.mark;
        let twice: String = [mark, mark].iter().collect();
        format!("{mark}{}{mark}", name.replace(mark, &twice))
    }
}

/// Selects a number under a name. A database that takes a double quote for one of a text answers with the text.
fn names(connection: &mut Connection) -> Result<Names, SiloError> {
    for doubles in [true, false] {
        for mark in ['"', '`'] {
            let names = Names { mark, doubles };
            let name = if doubles { format!("a{mark}b\\c") } else { "a b".to_owned() };
            let quoted = names.around(&name);
            let sql =
                format!("select {quoted} from (select 1 as {quoted}) as {}", names.around("t"));
            let right = |batch: &RecordBatch| {
                batch.schema_ref().field(0).name() == &name && is_one(first(batch))
            };
            if answer(connection, &sql, None)?.as_ref().is_some_and(right) {
                return Ok(names);
            }
        }
    }
    Err(fault::settings("the database takes neither \" nor ` for the quotes of names"))
}

fn values(connection: &mut Connection) -> Result<Values, SiloError> {
    let bound = Bind::Text(PROOF.to_owned());
    for (mark, values) in [("?", Values::Question), ("$1", Values::Dollar)] {
        let sql = format!("select count(*) as n from (select 'a' as x) as t where x <> {mark}");
        let found = answer(connection, &sql, row(&[&bound]))?;
        if found.is_some_and(|batch| is_one(first(&batch))) {
            return Ok(values);
        }
    }
    for form in FORMS {
        let right = |text: &'static str| move |batch: RecordBatch| matches!(first(&batch), Cell::Text(found) if found == text);
        let sql = |text: &str| format!("select {} as v", form.replace("{}", &hexadecimal(text)));
        if answer(connection, &sql(PROOF), None)?.is_some_and(right(PROOF))
            && answer(connection, &sql(""), None)?.is_some_and(right(""))
        {
            return Ok(Values::Hexadecimal(form));
        }
    }
    Err(fault::settings(
        "the driver binds no parameters, and the database makes text of hexadecimal digits in no way that is known: rows cannot be \
         selected",
    ))
}

/// The one row of a probe; `None` if it was refused. An error that may pass is no answer.
fn answer(
    connection: &mut Connection,
    sql: &str,
    parameters: Option<RecordBatch>,
) -> Result<Option<RecordBatch>, SiloError> {
    let ask = || {
        for batch in connection.statement(sql, parameters)?.execute()? {
            let batch = batch?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    };
    match ask() {
        Ok(found) => Ok(found.filter(|batch| batch.num_columns() == 1 && batch.num_rows() == 1)),
        // With rows that never came, the server may only have noticed late what it does not take.
        Err(Error::Stream) => Ok(None),
        Err(error) if error.retry() || matches!(error, Error::Login(_)) => {
            Err(fault::connecting(&error))
        }
        Err(_) => Ok(None),
    }
}

fn first(batch: &RecordBatch) -> Cell<'_> {
    if batch.column(0).is_empty() { Cell::Null } else { cell(batch.column(0), 0) }
}

/// Some databases have no whole numbers but decimals.
fn is_one(value: Cell<'_>) -> bool {
    matches!(value, Cell::Integer(1) | Cell::Unsigned(1))
        || matches!(value, Cell::Decimal(number, 0) if number.to_i128() == Some(1))
}

/// Everything that is something else in some database: quotes, a backslash, marks of parameters, variables and comments, and letters
/// of two, three and four bytes.
const PROOF: &str = "it's \"q\" `b` \\' \\\\ ?$1:a%{x}${y} -- /* \u{e9}\u{20ac}\u{1f642}";

/// Text of hexadecimal digits: Spark and its kin; Trino; `DuckDB`; PostgreSQL; SQLite; MySQL; `BigQuery`; Snowflake; `DataFusion`.
const FORMS: [&str; 9] = [
    "cast(X'{}' as string)",
    "from_utf8(X'{}')",
    "decode(unhex('{}'))",
    "convert_from(decode('{}', 'hex'), 'UTF8')",
    "cast(X'{}' as text)",
    "convert(X'{}' using utf8mb4)",
    "cast(from_hex('{}') as string)",
    "hex_decode_string('{}')",
    "cast(decode('{}', 'hex') as varchar)",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        let ansi = Dialect::of('"', true, "?");
        assert_eq!(ansi.quote("a\" or 1=1 --\\").unwrap(), "\"a\"\" or 1=1 --\\\"");
        let spark = Dialect::of('`', true, "?");
        assert_eq!(spark.quote("a`b\"").unwrap(), "`a``b\"`");
        let plain = Dialect::of('`', false, "?");
        assert_eq!(plain.quote("a b").unwrap(), "`a b`");
        for name in ["a`b", "a\\", "a\0"] {
            assert!(plain.quote(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn values_are_bound_or_written_as_digits() {
        let text = Bind::Text("x' or 1=1".to_owned());
        assert_eq!(Dialect::of('"', true, "?").value(&text, 3), ("?".to_owned(), true));
        assert_eq!(Dialect::of('"', true, "$").value(&text, 3), ("$3".to_owned(), true));
        let written = Dialect::of('"', true, "cast(X'{}' as string)");
        assert_eq!(
            written.value(&text, 3),
            ("cast(X'7827206F7220313D31' as string)".to_owned(), false)
        );
        assert_eq!(written.value(&Bind::Integer(-4), 1), ("(-4)".to_owned(), false));
    }
}
