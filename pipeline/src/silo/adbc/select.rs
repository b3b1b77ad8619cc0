//! Which statement selects a section's rows, and what is handed over with it?

use arrow_array::RecordBatch;

use super::bind::{self, Bind, whole};
use super::column::{Compared, Source};
use super::dialect::Dialect;
use crate::silo::{Identifiers, SectionSource, SectionSpec, bound};
use crate::sql::{Part, Statement, quote};
use crate::{SiloError, Value};

/// A piece of a statement, twice: for the database, values where they belong, and for people, parameters by name.
#[derive(Clone, Default)]
pub(super) struct Sql {
    pieces: Vec<Piece>,
    shown: String,
}

#[derive(Clone)]
enum Piece {
    Text(String),
    Value(Bind),
}

impl Sql {
    /// Text that is the same for both.
    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { shown: text.clone(), pieces: vec![Piece::Text(text)] }
    }

    /// Text of each.
    pub(super) fn of(text: impl Into<String>, shown: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Text(text.into())], shown: shown.into() }
    }

    pub(super) fn push(&mut self, other: &Self) {
        self.pieces.extend_from_slice(&other.pieces);
        self.shown.push_str(&other.shown);
    }

    pub(super) fn push_text(&mut self, text: &str) {
        self.push(&Self::text(text));
    }

    /// Appends values with commas between them, for people the parameter's name.
    fn push_values(&mut self, values: Vec<Bind>, name: &str) {
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.pieces.push(Piece::Text(", ".to_owned()));
            }
            self.pieces.push(Piece::Value(value));
        }
        self.shown.push(':');
        self.shown.push_str(name);
    }

    /// Appends one value; nobody sees it.
    pub(super) fn push_value(&mut self, value: Bind) {
        self.pieces.push(Piece::Value(value));
    }

    fn values(&self) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Value(_))).count()
    }

    /// Returns the statement for people.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns the statement for the database, and the row that is bound to it.
    pub(super) fn render(&self, dialect: &Dialect) -> (String, Option<RecordBatch>) {
        let (mut sql, mut binds) = (String::new(), Vec::new());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Value(value) => {
                    let (written, bound) = dialect.value(value, binds.len() + 1);
                    sql.push_str(&written);
                    if bound {
                        binds.push(value);
                    }
                }
            }
        }
        (sql, bind::row(&binds))
    }
}

/// The rows of a section: where they come from and which of them.
#[derive(Clone)]
pub(super) struct Rows {
    from: Sql,
    conditions: Vec<Sql>,
}

impl Rows {
    /// All rows of a section, whoever they belong to; a query's are those of its parameters.
    pub(super) fn everything(
        section: &SectionSpec,
        known: &Identifiers,
        dialect: &Dialect,
    ) -> Result<Self, SiloError> {
        let from = match &section.source {
            SectionSource::Table { parts, .. } => {
                let names: Result<Vec<_>, _> =
                    parts.iter().map(|part| dialect.quote(part)).collect();
                let shown: Vec<_> = parts.iter().map(|part| quote(part)).collect();
                Sql::of(names?.join("."), shown.join("."))
            }
            SectionSource::Query { sql } => query(sql, known)?,
            strange => return Err(strange.is_strange_to("adbc")),
        };
        Ok(Self { from, conditions: Vec::new() })
    }

    /// Keeps those that belong to the known identifiers. No identifier known: no row, never every row.
    pub(super) fn belonging(
        mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[Source],
        dialect: &Dialect,
    ) -> Result<Self, SiloError> {
        let SectionSource::Table { matches, .. } = &section.source else { return Ok(self) };
        if section.tenant_wide {
            return Ok(self);
        }
        let mut any = Sql::text("(");
        let mut alternatives = 0;
        for (name, identifier) in matches {
            let column = find(columns, name)?;
            let values = bound::values(identifier, known);
            if values.is_empty() {
                continue;
            }
            if alternatives > 0 {
                any.push_text(" or ");
            }
            any.push(&one_of(column, &values, identifier, dialect)?);
            alternatives += 1;
        }
        any.push_text(")");
        self.only(if alternatives > 0 { any } else { Sql::text("1 = 0") });
        if self.values() > MOST_PARAMETERS {
            return Err(too_many("the identifiers have"));
        }
        Ok(self)
    }

    /// Adds a condition.
    pub(super) fn only(&mut self, condition: Sql) {
        self.conditions.push(condition);
    }

    /// Keeps the rows in which a column holds one of these values; `name` stands for them.
    pub(super) fn holding(
        &mut self,
        column: &Source,
        values: &[Value],
        name: &str,
        dialect: &Dialect,
    ) -> Result<(), SiloError> {
        self.only(one_of(column, values, name, dialect)?);
        if self.values() > MOST_PARAMETERS {
            return Err(too_many(&format!("{name} has")));
        }
        Ok(())
    }

    /// The statement that selects `list`.
    pub(super) fn select(&self, list: &str) -> Sql {
        let mut sql = Sql::text(format!("select {list} from "));
        sql.push(&self.from);
        for (at, condition) in self.conditions.iter().enumerate() {
            sql.push_text(if at == 0 { " where " } else { " and " });
            sql.push(condition);
        }
        sql
    }

    fn values(&self) -> usize {
        self.from.values() + self.conditions.iter().map(Sql::values).sum::<usize>()
    }
}

/// Finds a column that settings name.
pub(super) fn find<'a>(columns: &'a [Source], name: &str) -> Result<&'a Source, SiloError> {
    let missing = || SiloError::Missing { what: format!("column {name}") };
    columns.iter().find(|column| column.name == name).ok_or_else(missing)
}

/// A condition that a column holds one of these values, in the column's own type. A value that is none of that type is in no row.
fn one_of(
    column: &Source,
    values: &[Value],
    name: &str,
    dialect: &Dialect,
) -> Result<Sql, SiloError> {
    let quoted = dialect.quote(&column.name)?;
    let mut binds: Vec<Bind> = Vec::with_capacity(values.len());
    for value in values {
        let bind = match (column.compared(), value) {
            (Compared::Number, Value::Integer(number)) => Some(Bind::Integer(*number)),
            (Compared::Number, Value::Text(text)) => whole(text).map(Bind::Integer),
            (Compared::Text, Value::Text(text)) => Some(Bind::Text(text.clone())),
            (Compared::Text, Value::Integer(number)) => Some(Bind::Text(number.to_string())),
            (Compared::Not, _) | (_, Value::Real(_) | Value::Bytes(_)) => {
                let what = format!(
                    "column {} is {}, which {name} cannot be compared with: take a query that casts it",
                    column.name, column.declared
                );
                return Err(SiloError::Settings { what });
            }
        };
        if let Some(bind) = bind
            && !binds.contains(&bind)
        {
            binds.push(bind);
        }
    }
    let shown = format!("{} in (:{name})", quote(&column.name));
    if binds.is_empty() {
        return Ok(Sql::of("1 = 0", shown));
    }
    let mut sql = Sql::of(format!("{quoted} in ("), format!("{} in (", quote(&column.name)));
    sql.push_values(binds, name);
    sql.push_text(")");
    Ok(sql)
}

/// Each value of an identifier has a place of its own, so that `in`, `not in` and rows of columns mean what they say. All are texts:
/// beside a text, a number would be compared with whatever number each text of the column is read as.
fn query(sql: &str, known: &Identifiers) -> Result<Sql, SiloError> {
    let statement = Statement::parse(sql);
    if statement.is_numbered() {
        let what = "the query has a parameter by number: write `:name`, not `$1`".to_owned();
        return Err(SiloError::Settings { what });
    }
    let mut out = Sql::text("(");
    for part in statement.parts() {
        match part {
            Part::Text(text) => out.push_text(text),
            Part::Parameter { name, list } => {
                let values = bound::parameter(name, *list, known)?;
                if values.is_empty() {
                    out.push(&Sql::of("null", format!(":{name}")));
                    continue;
                }
                let texts: Result<Vec<_>, _> =
                    values.into_iter().map(|value| as_text(value, name)).collect();
                out.push_values(texts?, name);
                if out.values() > MOST_PARAMETERS {
                    return Err(too_many(&format!("identifier {name} has")));
                }
            }
        }
    }
    // A comment at the end would hide what is put behind the statement.
    out.push_text("\n) as antumbra_rows");
    Ok(out)
}

fn as_text(value: Value, name: &str) -> Result<Bind, SiloError> {
    match value {
        Value::Text(text) => Ok(Bind::Text(text)),
        Value::Integer(number) => Ok(Bind::Text(number.to_string())),
        Value::Real(_) | Value::Bytes(_) => {
            let what = format!(
                "identifier {name} is neither text nor a whole number, which a query here cannot take"
            );
            Err(SiloError::Settings { what })
        }
    }
}

fn too_many(who: &str) -> SiloError {
    let what = format!(
        "{who} so many values that the statement would have more than {MOST_PARAMETERS} parameters"
    );
    SiloError::Settings { what }
}

/// What most databases take in one statement, with room for a cursor.
const MOST_PARAMETERS: usize = 30_000;
