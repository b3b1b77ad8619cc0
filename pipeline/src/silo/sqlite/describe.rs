//! What do a section's rows look like? A pass over them, before the first is exported.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use super::column::{Classes, decimal};
use super::fault;
use super::key;
use super::select::{Rows, seconds};
use crate::SiloError;
use crate::silo::{ColumnShape, ColumnType, SectionSpec, Shape};
use crate::sql::quote;

/// Finds columns, storage classes, row count, and whether the key is unique and not null.
pub(super) fn describe(
    db: &Connection,
    section: &SectionSpec,
    rows: &Rows,
) -> Result<Shape, SiloError> {
    let columns = columns(db, rows)?;
    let wanted = key::wanted(db, section, &columns)?;
    let mut notes = Vec::new();
    check_window(db, section, rows, &mut notes)?;
    let rows = rows.clone().narrow(section);
    let probe = probe(db, &rows, &columns)?;
    // A key of mixed storage classes, or of floats, has no single type for the cursor.
    let one_class = |name: &String| {
        columns.iter().zip(&probe.classes).all(|((column, _), classes)| {
            column != name || !(classes.mixed() || classes.decide("", true) == ColumnType::Real)
        })
    };
    let keyed = !wanted.is_empty()
        && wanted.iter().all(one_class)
        && (key::is_declared(db, section, &wanted)? || key::holds(db, &rows, &wanted, probe.rows)?);
    if !wanted.is_empty() && !keyed {
        notes.push(format!("key ({}) is not unique and not null here", wanted.join(", ")));
    }
    let ordered_by =
        if keyed { wanted } else { columns.iter().map(|(name, _)| name.clone()).collect() };
    let columns = columns
        .into_iter()
        .zip(probe.classes)
        .map(|((name, declared), classes)| {
            if classes.mixed() {
                notes.push(format!("column {name} mixes storage classes in the silo"));
            }
            let kind = classes.decide(&declared, keyed && ordered_by.contains(&name));
            ColumnShape { name, declared, kind }
        })
        .collect();
    let order: Vec<String> = ordered_by.iter().map(|name| quote(name)).collect();
    let statement = format!("{} order by {}", rows.shown, order.join(", "));
    Ok(Shape { columns, ordered_by, keyed, statement, notes, rows: Some(probe.rows) })
}

/// Names and declared types; a name that occurs twice (letter case aside) could not be told apart in a file.
fn columns(db: &Connection, rows: &Rows) -> Result<Vec<(String, String)>, SiloError> {
    let prepare = |sql: &str| db.prepare(sql).map_err(|error| fault::of(&error));
    let statement = prepare(&format!("select * from ({})", rows.sql))?;
    // As a subquery's columns, SQLite would number the second of two equal names.
    let plain = prepare(&rows.sql)?;
    let names: Vec<&str> = plain.column_names().collect();
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(SiloError::Settings { what: format!("column {name} occurs twice") });
        }
    }
    Ok(statement
        .columns()
        .map(|column| (column.name().to_owned(), column.decl_type().unwrap_or_default().to_owned()))
        .collect())
}

/// A time that cannot be read as one is an error, not a row outside the window; rows without a time are outside, and said.
fn check_window(
    db: &Connection,
    section: &SectionSpec,
    rows: &Rows,
    notes: &mut Vec<String>,
) -> Result<(), SiloError> {
    let Some(window) = &section.window else { return Ok(()) };
    let (column, time) = (quote(&window.column), seconds(&window.column));
    let sql = format!(
        "select coalesce(sum({column} is null), 0), \
         coalesce(sum({column} is not null and {time} is null), 0) from ({})",
        rows.sql
    );
    let (missing, unreadable): (i64, i64) = db
        .query_row(&sql, params_from_iter(&rows.binds), |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| fault::while_reading(&error))?;
    if unreadable > 0 {
        let what = format!(
            "{unreadable} values of time column {} cannot be read as a time",
            window.column
        );
        return Err(SiloError::Settings { what });
    }
    if missing > 0 {
        notes.push(format!("{missing} rows without {} are outside the window", window.column));
    }
    Ok(())
}

struct Probe {
    rows: u64,
    classes: Vec<Classes>,
}

/// Counts rows and notes storage classes (SQLite answers `typeof` without loading the value) and decimals, in no order.
fn probe(db: &Connection, rows: &Rows, columns: &[(String, String)]) -> Result<Probe, SiloError> {
    let decimals: Vec<_> = columns.iter().map(|(_, declared)| decimal(declared)).collect();
    let selected: Vec<String> = columns
        .iter()
        .zip(&decimals)
        .map(|((name, _), decimal)| {
            let name = quote(name);
            if decimal.is_some() { name } else { format!("typeof({name})") }
        })
        .collect();
    let sql = format!("select {} from ({})", selected.join(", "), rows.sql);
    let mut probe = Probe { rows: 0, classes: vec![Classes::none(); columns.len()] };
    let mut statement = db.prepare(&sql).map_err(|error| fault::of(&error))?;
    let mut scan = || {
        let mut found = statement.query(params_from_iter(&rows.binds))?;
        while let Some(row) = found.next()? {
            probe.rows += 1;
            for (index, (classes, decimal)) in probe.classes.iter_mut().zip(&decimals).enumerate() {
                match (row.get_ref(index)?, decimal) {
                    (value, Some((precision, scale))) => {
                        classes.note_decimal(value, *precision, *scale);
                    }
                    (ValueRef::Text(word), None) => classes.note_word(word),
                    _ => {}
                }
            }
        }
        Ok(())
    };
    scan().map_err(|error: rusqlite::Error| fault::while_reading(&error))?;
    Ok(probe)
}
