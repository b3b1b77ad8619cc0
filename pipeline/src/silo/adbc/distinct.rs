//! Which values do columns provide as identifiers?

use super::cell::{Cell, cell};
use super::column::Source;
use super::describe::{Selection, selection};
use super::link::Server;
use super::select::{Sql, find};
use super::written::{write, write_uuid};
use crate::silo::{ColumnType, Identifiers, SectionSpec};
use crate::{SiloError, Value};

/// Returns the distinct values of columns, at most `limit` + 1 of each.
pub(super) fn distinct(
    server: &mut Server<'_>,
    section: &SectionSpec,
    known: &Identifiers,
    columns: &[String],
    limit: usize,
) -> Result<Vec<Vec<Value>>, SiloError> {
    let Selection { rows, columns: all } = selection(server, section, known)?;
    let mut found = Vec::with_capacity(columns.len());
    for name in columns {
        let column = find(&all, name)?;
        if matches!(column.kind, ColumnType::Json) {
            let what = format!("column {name} provides identifiers and holds lists or objects");
            return Err(SiloError::Settings { what });
        }
        let quoted = server.dialect.quote(name)?;
        let mut rows = rows.clone();
        rows.only(Sql::text(format!("{quoted} is not null")));
        let mut sql = rows.select(&format!("distinct {quoted}"));
        sql.push_text(&format!(" order by {quoted} limit {}", limit.saturating_add(1)));
        let mut values = Vec::new();
        for batch in server.run(&sql)? {
            let batch = batch.map_err(|error| super::fault::running(&error))?;
            let array = batch.columns().first().ok_or(SiloError::ShapeChanged)?;
            for row in 0..array.len() {
                let value = value(cell(array, row), column).ok_or_else(|| SiloError::Settings {
                    what: format!("column {name} provides identifiers and holds what is none"),
                })?;
                values.extend(value);
            }
        }
        found.push(values);
    }
    Ok(found)
}

/// `Some(None)` for NULL.
fn value(cell: Cell<'_>, column: &Source) -> Option<Option<Value>> {
    Some(Some(match cell {
        Cell::Null => return Some(None),
        Cell::Integer(number) => Value::Integer(number),
        Cell::Decimal(number, 0) => match number.to_i128().map(i64::try_from) {
            Some(Ok(number)) => Value::Integer(number),
            _ => text(cell)?,
        },
        Cell::Unsigned(number) => match i64::try_from(number) {
            Ok(number) => Value::Integer(number),
            Err(_) => text(cell)?,
        },
        Cell::Bytes(bytes) if column.uuid => {
            let mut out = Vec::new();
            write_uuid(bytes, &mut out);
            Value::Text(String::from_utf8(out).ok()?)
        }
        Cell::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Cell::Real(number) => Value::Real(number.to_bits()),
        other => text(other)?,
    }))
}

fn text(cell: Cell<'_>) -> Option<Value> {
    let mut out = Vec::new();
    write(&cell, &mut out)?;
    String::from_utf8(out).ok().map(Value::Text)
}
