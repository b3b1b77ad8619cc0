//! How do rows become batches?

use std::ops::Range;

use arrow_array::RecordBatch;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};
use tokio::sync::mpsc::Sender;

use super::batch::BatchBuilder;
use super::fault;
use super::select::{Rows, bytewise, to_sql};
use crate::silo::{ColumnShape, ColumnType, Cursor, Shape};
use crate::sql::quote;
use crate::{SiloError, Value};

/// Sends a section's rows in its order; returns early, without an error, when nobody receives any more.
pub(super) fn rows(
    db: &Connection,
    rows: &Rows,
    shape: &Shape,
    after: Option<&Cursor>,
    sender: &Sender<RecordBatch>,
) -> Result<(), SiloError> {
    let failed = |error: rusqlite::Error| fault::of(&error);
    let columns: Vec<String> = shape.columns.iter().map(|column| quote(&column.name)).collect();
    let columns = columns.join(", ");
    let order: Vec<String> = shape.ordered_by.iter().map(|name| in_order(shape, name)).collect();
    let order = order.join(", ");
    let mut binds = rows.binds.clone();
    let mut sql = format!("select {columns} from ({})", rows.sql);
    if let Some(Cursor(values)) = after {
        let marks = vec!["?"; values.len()].join(", ");
        sql = format!("{sql} where ({order}) > ({marks})");
        binds.extend(values.iter().map(to_sql));
    }
    sql = format!("{sql} order by {order}");
    let mut statement = db.prepare(&sql).map_err(|_| SiloError::ShapeChanged)?;
    let key = key_indices(shape);
    let mut found = statement.query(params_from_iter(&binds)).map_err(failed)?;
    let mut batch = BatchBuilder::new(shape);
    let mut last: Option<Vec<Value>> = None;
    while let Some(row) = found.next().map_err(failed)? {
        if shape.keyed {
            // The probe proved the key in this snapshot or an earlier one; two equal keys would lose a row at a cut.
            let here = key_at(row, &key).map_err(failed)?;
            if here.is_none() || here == last {
                return Err(SiloError::ShapeChanged);
            }
            last = here;
        }
        batch.append(row)?;
        if batch.is_full() && sender.blocking_send(batch.finish()?).is_err() {
            return Ok(());
        }
    }
    if !batch.is_empty() {
        drop(sender.blocking_send(batch.finish()?));
    }
    Ok(())
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
    let mut found = statement.query(params_from_iter(&rows.binds)).map_err(failed)?;
    let mut values = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        let value = row.get_ref(0).map_err(failed)?;
        if matches!(value, ValueRef::Text(text) if std::str::from_utf8(text).is_err()) {
            let what =
                format!("column {column} provides identifiers and holds text that is not UTF-8");
            return Err(SiloError::Settings { what });
        }
        values.extend(value_of(value));
    }
    Ok(values)
}

/// Returns the values of adjacent columns; `None` if one is NULL.
pub(super) fn key_of(row: &Row<'_>, columns: Range<usize>) -> rusqlite::Result<Option<Vec<Value>>> {
    key_at(row, &columns.collect::<Vec<_>>())
}

fn key_at(row: &Row<'_>, columns: &[usize]) -> rusqlite::Result<Option<Vec<Value>>> {
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
