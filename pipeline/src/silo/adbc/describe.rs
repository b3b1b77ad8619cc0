//! What do a section's rows look like? The driver names their types, before the first is read.

use super::cell::{Cell, cell};
use super::coerced;
use super::column::{self, Source};
use super::key::{self, Key};
use super::link::Server;
use super::narrow::narrow;
use super::select::{Rows, Sql, find};
use crate::SiloError;
use crate::silo::{Identifiers, SectionSource, SectionSpec, Shape};
use crate::sql::quote;

/// A section's rows, not narrowed yet, with what is known of them.
pub(super) struct Selection {
    pub(super) rows: Rows,
    pub(super) columns: Vec<Source>,
}

/// Finds columns and whether the key holds.
pub(super) fn describe(
    server: &mut Server<'_>,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Shape, SiloError> {
    // Before the transaction has read anything: a driver that knows no constraints may end it.
    let Selection { mut rows, columns } = selection(server, section, known)?;
    let mut notes = Vec::new();
    let ordered_by = match key::of(server, section, &columns)? {
        Key::Proven(key) => Some(key),
        Key::Unproven(key, why) => {
            notes.push(format!("key ({}) {why}: it counts as none", key.join(", ")));
            None
        }
        Key::None => None,
    };
    outside(server, section, &rows, &columns, &mut notes)?;
    narrow(server, &mut rows, section, &columns)?;
    let keyed = ordered_by.is_some();
    let ordered_by = ordered_by.unwrap_or_else(|| unkeyed(&columns, &mut notes));
    Ok(Shape {
        statement: format!(
            "{}{}",
            rows.select("*").shown(),
            order(&ordered_by, |name| Ok(quote(name)))?
        ),
        columns: columns.iter().map(Source::shape).collect(),
        ordered_by,
        keyed,
        notes,
        rows: None,
    })
}

/// Counts the rows that belong to the identifiers, whatever the window and the filters; `None` if there are very many.
pub(super) fn count_whole(
    server: &mut Server<'_>,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Option<u64>, SiloError> {
    let Selection { rows, .. } = selection(server, section, known)?;
    let mut sql = Sql::text("select count(*) as n from (");
    sql.push(&rows.select("1 as one"));
    sql.push_text(&format!(" limit {}) as antumbra_counted", MOST_COUNTED + 1));
    Ok(count(server, &sql)?.filter(|count| *count <= MOST_COUNTED))
}

/// Returns the rows of a section, not narrowed yet, and their columns; columns that settings name are among them.
pub(super) fn selection(
    server: &mut Server<'_>,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Selection, SiloError> {
    let found = unmatched(server, section, known)?;
    if let SectionSource::Table { matches, .. } = &section.source {
        for (column, _) in matches {
            find(&found.columns, column)?;
        }
    }
    coerced::refuse(server, section, known)?;
    let rows = found.rows.belonging(section, known, &found.columns, server.dialect)?;
    Ok(Selection { rows, ..found })
}

/// Returns all rows of a section, whoever they belong to, and their columns: those of a statement that has no row.
pub(super) fn unmatched(
    server: &mut Server<'_>,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Selection, SiloError> {
    let rows = Rows::everything(section, known, server.dialect)?;
    let mut none = rows.clone();
    none.only(Sql::text("1 = 0"));
    let found = server.try_run(&none.select("*")).map_err(|error| missing(section, &error))?;
    let columns = column::all(&found.schema())?;
    Ok(Selection { rows, columns })
}

/// How rows are ordered.
pub(super) fn order(
    columns: &[String],
    quote: impl Fn(&str) -> Result<String, SiloError>,
) -> Result<String, SiloError> {
    let names: Result<Vec<String>, SiloError> = columns.iter().map(|name| quote(name)).collect();
    let names = names?;
    Ok(if names.is_empty() { String::new() } else { format!(" order by {}", names.join(", ")) })
}

/// All columns that order rows.
pub(super) fn unkeyed(columns: &[Source], notes: &mut Vec<String>) -> Vec<String> {
    let (order, rest): (Vec<_>, Vec<_>) = columns.iter().partition(|column| column.can_order());
    if !rest.is_empty() {
        let names: Vec<&str> = rest.iter().map(|column| column.name.as_str()).collect();
        notes.push(format!("rows that differ in {} alone come in any order", names.join(", ")));
    }
    order.into_iter().map(|column| column.name.clone()).collect()
}

/// Rows without a time are outside the window, and said.
fn outside(
    server: &mut Server<'_>,
    section: &SectionSpec,
    rows: &Rows,
    columns: &[Source],
    notes: &mut Vec<String>,
) -> Result<(), SiloError> {
    let Some(window) = &section.window else { return Ok(()) };
    let column = find(columns, &window.column)?;
    let mut rows = rows.clone();
    rows.only(Sql::text(format!("{} is null", server.dialect.quote(&column.name)?)));
    let missing = count(server, &rows.select("count(*) as n"))?.unwrap_or(0);
    if missing > 0 {
        notes.push(format!("{missing} rows without {} are outside the window", column.name));
    }
    Ok(())
}

fn count(server: &mut Server<'_>, sql: &Sql) -> Result<Option<u64>, SiloError> {
    let Some(batch) = server.first(sql)? else { return Ok(None) };
    Ok(match batch.columns().first().map(|column| cell(column, 0)) {
        Some(Cell::Integer(number)) => u64::try_from(number).ok(),
        Some(Cell::Unsigned(number)) => Some(number),
        Some(Cell::Decimal(number, 0)) => {
            number.to_i128().and_then(|number| u64::try_from(number).ok())
        }
        _ => None,
    })
}

/// Databases have no word in common for a table that is not there: the statement that only asks for columns says what it was about.
fn missing(section: &SectionSpec, error: &antumbra_adbc::Error) -> SiloError {
    match (super::fault::running(error), &section.source) {
        (SiloError::Query { reason }, SectionSource::Table { parts, .. }) => {
            let reason = format!("table {} cannot be read: {reason}", parts.join("."));
            SiloError::Query { reason }
        }
        (SiloError::Missing { .. }, SectionSource::Table { parts, .. }) => {
            SiloError::Missing { what: format!("table {}", parts.join(".")) }
        }
        (other, _) => other,
    }
}

/// Rows that are counted for no other reason than to say how many there are.
const MOST_COUNTED: u64 = 1_000_000;
