//! Which statement selects a section's rows, and what is bound to it?

use jiff::Timestamp;
use rusqlite::types::Value as Sql;

use crate::silo::{Identifiers, SectionSource, SectionSpec, bound};
use crate::sql::{Part, Statement, quote};
use crate::{SiloError, Value};

/// The rows of a section: a statement with `?` in place of values, the values, and the text for people.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) sql: String,
    pub(super) binds: Vec<Sql>,
    /// Parameters by name; no value.
    pub(super) shown: String,
}

/// Selects all columns of all rows that belong to the known identifiers; the window is not in it yet.
pub(super) fn rows(section: &SectionSpec, known: &Identifiers) -> Result<Rows, SiloError> {
    match &section.source {
        SectionSource::Table { parts, matches } => Ok(table(section, parts, matches, known)),
        SectionSource::Query { sql } => query(sql, known),
        strange => Err(strange.is_strange_to("sqlite")),
    }
}

impl Rows {
    /// Narrows to the section's window (half-open, NULL outside) and to its filters.
    pub(super) fn narrow(mut self, section: &SectionSpec) -> Self {
        let mut conditions = Vec::new();
        if let Some(window) = &section.window {
            let limits = [(window.start, ">=", "windowStart"), (window.end, "<", "windowEnd")];
            for (limit, compare, name) in limits {
                if let Some(limit) = limit {
                    let time = seconds(&window.column);
                    conditions
                        .push((format!("{time} {compare} ?"), format!("{time} {compare} :{name}")));
                    self.binds.push(Sql::Real(unix_seconds(limit)));
                }
            }
        }
        for filter in &section.filters {
            let column = quote(&filter.column);
            conditions.push((
                format!("{column} in ({})", marks(filter.values.len())),
                format!("{column} in (:{})", filter.field),
            ));
            self.binds.extend(filter.values.iter().cloned().map(Sql::Text));
        }
        if !conditions.is_empty() {
            let (sql, shown): (Vec<_>, Vec<_>) = conditions.into_iter().unzip();
            self.sql = format!("select * from ({}) where {}", self.sql, sql.join(" and "));
            self.shown = format!("select * from ({}) where {}", self.shown, shown.join(" and "));
        }
        self
    }
}

/// A column as seconds since 1970: numbers are, texts are read as ISO 8601 (SQLite keeps milliseconds); else NULL.
/// SQLite would also read `2024` as a Julian day, `12:30` as a time of the year 2000 and `now` as now.
pub(super) fn seconds(column: &str) -> String {
    let c = quote(column);
    format!(
        "case typeof({c}) when 'integer' then {c} when 'real' then {c} \
         when 'text' then case when {c} glob '{DATE}*' then unixepoch({c}, 'subsec') end end"
    )
}

/// A column compared byte by byte, whatever collation it declares.
pub(super) fn bytewise(column: &str) -> String {
    format!("{} collate binary", quote(column))
}

pub(super) fn to_sql(value: &Value) -> Sql {
    match value {
        Value::Integer(number) => Sql::Integer(*number),
        Value::Real(bits) => Sql::Real(f64::from_bits(*bits)),
        Value::Text(text) => Sql::Text(text.clone()),
        Value::Bytes(bytes) => Sql::Blob(bytes.clone()),
    }
}

fn table(
    section: &SectionSpec,
    parts: &[String],
    matches: &[(String, String)],
    known: &Identifiers,
) -> Rows {
    let name = parts.iter().map(|part| quote(part)).collect::<Vec<_>>().join(".");
    let mut sql = format!("select * from {name}");
    let mut shown = sql.clone();
    let mut binds = Vec::new();
    if !section.tenant_wide {
        let mut conditions = Vec::new();
        for (column, identifier) in matches {
            let values: Vec<Sql> = bound::values(identifier, known).iter().map(to_sql).collect();
            if !values.is_empty() {
                let column = quote(column);
                conditions.push((
                    format!("{column} in ({})", marks(values.len())),
                    format!("{column} in (:{identifier})"),
                ));
                binds.extend(values);
            }
        }
        // No identifier known: no row, never every row.
        if conditions.is_empty() {
            conditions.push(("false".to_owned(), "false".to_owned()));
        }
        let (real, named): (Vec<_>, Vec<_>) = conditions.into_iter().unzip();
        sql = format!("{sql} where {}", real.join(" or "));
        shown = format!("{shown} where {}", named.join(" or "));
    }
    Rows { sql, binds, shown }
}

fn query(sql: &str, known: &Identifiers) -> Result<Rows, SiloError> {
    let statement = Statement::parse(sql);
    let mut rows = Rows { sql: String::new(), binds: Vec::new(), shown: String::new() };
    for part in statement.parts() {
        match part {
            Part::Text(text) => {
                rows.sql.push_str(text);
                rows.shown.push_str(text);
            }
            Part::Parameter { name, list } => {
                let values = bound::parameter(name, *list, known)?;
                let mut values: Vec<Sql> = values.iter().map(to_sql).collect();
                if values.is_empty() {
                    values.push(Sql::Null);
                }
                rows.sql.push_str(&marks(values.len()));
                rows.shown.push(':');
                rows.shown.push_str(name);
                rows.binds.extend(values);
            }
        }
    }
    if rows.sql.contains("--") {
        // A comment at the end would hide what is put behind the statement.
        rows.sql.push('\n');
        rows.shown.push('\n');
    }
    Ok(rows)
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn unix_seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// What a text must begin with to be read as a time, as a GLOB pattern.
const DATE: &str = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]";
