//! How do rows become batches?

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};

use super::batch::BatchBuilder;
use super::fault;
use super::ordered::{Ordered, Step};
use super::select::{Rows, bytewise};
use crate::silo::{BatchSender, ColumnShape, ColumnType, Cursor, Shape};
use crate::sql::quote;
use crate::{SiloError, Value};

/// Sends a section's rows in its order; returns early, without an error, when nobody receives any more.
///
/// Without a proven key there is nothing to page by: SQLite sorts the selection in memory.
pub(super) fn rows(
    db: &Connection,
    rows: &Rows,
    shape: &Shape,
    after: Option<&Cursor>,
    sender: &BatchSender,
) -> Result<(), SiloError> {
    let columns: Vec<String> = shape.columns.iter().map(|column| quote(&column.name)).collect();
    let sql = format!("select {} from ({})", columns.join(", "), rows.sql);
    // A column that went away since the shape was made.
    db.prepare(&sql).map_err(|_| SiloError::ShapeChanged)?;
    let order: Vec<String> = shape.ordered_by.iter().map(|name| in_order(shape, name)).collect();
    let mut sending = Sending { batch: BatchBuilder::new(shape), sender };
    if shape.keyed {
        let (from, binds) = (rows.sql.as_str(), rows.binds.as_slice());
        let ordered = Ordered { db, from, binds, columns, order, key: key_indices(shape) };
        let mut last: Option<Vec<Value>> = None;
        ordered.each(after.map(|cursor| cursor.0.as_slice()), |row, key| {
            // The key was proven in this snapshot or an earlier one; two equal keys would lose a row at a cut.
            if key.is_none() || key == last {
                return Err(SiloError::ShapeChanged);
            }
            last = key;
            sending.row(row)
        })?;
    } else {
        let failed = |error: rusqlite::Error| fault::while_reading(&error);
        let sql = format!("{sql} order by {}", order.join(", "));
        let mut statement = db.prepare(&sql).map_err(|error| fault::of(&error))?;
        let mut found = statement.query(params_from_iter(&rows.binds)).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            if matches!(sending.row(row)?, Step::Stop) {
                return Ok(());
            }
        }
    }
    sending.rest()
}

/// Fills batches and sends them.
struct Sending<'a> {
    batch: BatchBuilder,
    sender: &'a BatchSender,
}

impl Sending<'_> {
    fn row(&mut self, row: &Row<'_>) -> Result<Step, SiloError> {
        self.batch.append(row)?;
        if self.batch.is_full() && self.sender.blocking_send(self.batch.finish()?).is_err() {
            return Ok(Step::Stop);
        }
        Ok(Step::Next)
    }

    fn rest(mut self) -> Result<(), SiloError> {
        if !self.batch.is_empty() {
            drop(self.sender.blocking_send(self.batch.finish()?));
        }
        Ok(())
    }
}

/// A column as it is ordered and compared: texts by their bytes, whatever collation the silo declares. Two keys that a
/// collation calls equal would else change places between runs, and one of them get lost behind a cursor.
fn in_order(shape: &Shape, name: &str) -> String {
    let number = |column: &ColumnShape| {
        matches!(column.kind, ColumnType::Integer | ColumnType::Real | ColumnType::Decimal { .. })
    };
    match shape.columns.iter().find(|column| column.name == name) {
        Some(column) if number(column) => quote(name),
        _ => bytewise(name),
    }
}

/// Counts rows; `None` if there are more than so many.
pub(super) fn count(db: &Connection, rows: &Rows, most: u64) -> Result<Option<u64>, SiloError> {
    let limit = most.saturating_add(1);
    let sql = format!("select count(*) from (select 1 from ({}) limit {limit})", rows.sql);
    let counted: i64 = db
        .query_row(&sql, params_from_iter(&rows.binds), |row| row.get(0))
        .map_err(|error| fault::while_reading(&error))?;
    Ok(Some(counted.unsigned_abs()).filter(|count| *count <= most))
}

/// Returns the distinct values of a column over the rows, at most `limit` + 1.
pub(super) fn distinct(
    db: &Connection,
    rows: &Rows,
    column: &str,
    limit: usize,
) -> Result<Vec<Value>, SiloError> {
    let failed = |error: rusqlite::Error| fault::of(&error);
    let sql = format!(
        "select distinct {} from ({}) where {} is not null order by 1 limit {}",
        bytewise(column),
        rows.sql,
        quote(column),
        limit.saturating_add(1)
    );
    let mut statement = db.prepare(&sql).map_err(failed)?;
    let reading = |error: rusqlite::Error| fault::while_reading(&error);
    let mut found = statement.query(params_from_iter(&rows.binds)).map_err(reading)?;
    let mut values = Vec::new();
    while let Some(row) = found.next().map_err(reading)? {
        let value = row.get_ref(0).map_err(reading)?;
        if matches!(value, ValueRef::Text(text) if std::str::from_utf8(text).is_err()) {
            let what =
                format!("column {column} provides identifiers and holds text that is not UTF-8");
            return Err(SiloError::Settings { what });
        }
        values.extend(value_of(value));
    }
    Ok(values)
}

/// Returns the values of columns; `None` if one is NULL.
pub(super) fn key_at(row: &Row<'_>, columns: &[usize]) -> rusqlite::Result<Option<Vec<Value>>> {
    let mut key = Vec::with_capacity(columns.len());
    for column in columns {
        match value_of(row.get_ref(*column)?) {
            Some(value) => key.push(value),
            None => return Ok(None),
        }
    }
    Ok(Some(key))
}

fn key_indices(shape: &Shape) -> Vec<usize> {
    let place = |name: &String| shape.columns.iter().position(|column| column.name == *name);
    shape.ordered_by.iter().filter_map(place).collect()
}

fn value_of(value: ValueRef<'_>) -> Option<Value> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(Value::Integer(number)),
        ValueRef::Real(number) => Some(Value::Real(number.to_bits())),
        ValueRef::Text(text) => Some(Value::Text(String::from_utf8_lossy(text).into_owned())),
        ValueRef::Blob(bytes) => Some(Value::Bytes(bytes.to_vec())),
    }
}
