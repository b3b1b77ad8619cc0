//! How do rows become batches? As the driver hands them over; it makes no more of them than are read.

use super::batch::Taker;
use super::bind::{Bind, whole};
use super::column::{self, Compared, Source};
use super::describe::{Selection, order, selection};
use super::fault;
use super::link::Server;
use super::narrow::narrow;
use super::select::{Rows, Sql, find};
use crate::silo::{BatchSender, Cursor, Identifiers, SectionSpec, Shape};
use crate::{SiloError, Value};

/// Sends the rows of a section.
pub(super) fn read(
    server: &mut Server<'_>,
    section: &SectionSpec,
    known: &Identifiers,
    shape: &Shape,
    after: Option<&Cursor>,
    sender: &BatchSender,
) -> Result<(), SiloError> {
    let Selection { mut rows, columns } = selection(server, section, known)?;
    unchanged(&columns, shape)?;
    narrow(server, &mut rows, section, &columns)?;
    if let Some(Cursor(values)) = after {
        behind(server, &mut rows, shape, values, &columns)?;
    }
    let mut sql = rows.select("*");
    sql.push_text(&order(&shape.ordered_by, |name| server.dialect.quote(name))?);
    let found = server.run(&sql)?;
    let columns = column::all(&found.schema())?;
    unchanged(&columns, shape)?;
    let mut taker = Taker::new(shape.schema(), columns);
    for batch in found {
        let batch = batch.map_err(|error| fault::running(&error))?;
        if !taker.take(&batch, |piece| sender.blocking_send(piece).is_ok())? {
            // Nobody receives any more.
            break;
        }
    }
    Ok(())
}

fn unchanged(columns: &[Source], shape: &Shape) -> Result<(), SiloError> {
    let same = columns.iter().map(Source::shape).eq(shape.columns.iter().cloned());
    if same { Ok(()) } else { Err(SiloError::ShapeChanged) }
}

/// Keeps the rows behind a key, as the database orders and compares them.
fn behind(
    server: &Server<'_>,
    rows: &mut Rows,
    shape: &Shape,
    values: &[Value],
    columns: &[Source],
) -> Result<(), SiloError> {
    if !shape.keyed || values.len() != shape.ordered_by.len() {
        return Err(SiloError::ShapeChanged);
    }
    let mut key = Vec::with_capacity(values.len());
    for (name, value) in shape.ordered_by.iter().zip(values) {
        let bind = match (find(columns, name)?.compared(), value) {
            (Compared::Number, Value::Integer(number)) => Some(Bind::Integer(*number)),
            (Compared::Number, Value::Text(text)) => whole(text).map(Bind::Integer),
            (Compared::Text, Value::Text(text)) => Some(Bind::Text(text.clone())),
            _ => None,
        };
        key.push((server.dialect.quote(name)?, bind.ok_or(SiloError::ShapeChanged)?));
    }
    // (a > 1 or (a = 1 and (b > 2 or …)))
    let mut condition = Sql::default();
    for (at, (name, bind)) in key.iter().enumerate() {
        condition.push_text(&format!("({name} > "));
        condition.push_value(bind.clone());
        if at + 1 < key.len() {
            condition.push_text(&format!(" or ({name} = "));
            condition.push_value(bind.clone());
            condition.push_text(" and ");
        }
    }
    condition.push_text(&")".repeat(key.len() * 2 - 1));
    rows.only(condition);
    Ok(())
}
