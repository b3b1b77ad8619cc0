//! How do rows become batches? They stream; a reader that waits leaves them on the server.

use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt;
use tokio::sync::OwnedMutexGuard;
use tokio_postgres::Statement;

use super::batch::BatchBuilder;
use super::bind::{self, Bind};
use super::column::Source;
use super::describe::order;
use super::facts::{Facts, selection};
use super::fault;
use super::link::{Link, Turn};
use super::narrow::{find, narrow};
use super::select::Rows;
use super::valid;
use crate::SiloError;
use crate::silo::{BATCH_BYTES, BatchSender, Cursor, Identifiers, SectionSpec, Shape, Span};

/// A statement that is ready to run.
pub(super) struct Prepared {
    statement: Statement,
    binds: Vec<Bind>,
    batch: BatchBuilder,
}

/// Why reading ended.
enum End {
    All,
    /// Nobody receives any more, or a row cannot be taken over; the server still sends.
    Early(Result<(), SiloError>),
    /// The server ended it.
    Refused(SiloError),
}

/// Prepares the statement that reads a section.
pub(super) async fn prepare(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
    shape: &Shape,
    span: &Span,
) -> Result<Prepared, SiloError> {
    let (mut rows, facts) = unchanged(link, section, known, shape).await?;
    for (cursor, compare) in [(&span.after, ">"), (&span.until, "<=")] {
        let Some(Cursor(values)) = cursor else { continue };
        if !shape.keyed || values.len() != shape.ordered_by.len() {
            return Err(SiloError::ShapeChanged);
        }
        let mut texts = Vec::with_capacity(values.len());
        for (name, value) in shape.ordered_by.iter().zip(values) {
            // The column's own type: its text form was made to be read back.
            let kind = &find(&facts.columns, name)?.kind;
            texts.push(Some(valid::text(value, kind).ok_or(SiloError::ShapeChanged)?));
        }
        rows.bounded(&shape.ordered_by, compare, texts);
    }
    let of_key = shape.of_key();
    let (shape, columns) = match &of_key {
        Some(of_key) if span.keys_only => (of_key, &key_columns(&facts, shape)?),
        _ => (shape, &facts.columns),
    };
    let list: Vec<String> = columns.iter().map(Source::selected).collect();
    let order = order(columns, &shape.ordered_by, shape.keyed);
    let sql = format!("{} order by {order}", rows.select(&list.join(", ")));
    let statement =
        link.ready(facts.generation, &sql).await.map_err(|error| fault::preparing(&error))?;
    if !fits(&statement, columns) {
        link.forget(&rows.everything());
        return Err(SiloError::ShapeChanged);
    }
    let binds = bind::all(&rows.slots, statement.params());
    let place = |name: &String| columns.iter().position(|column| column.name == *name);
    let key =
        if shape.keyed { shape.ordered_by.iter().filter_map(place).collect() } else { vec![] };
    Ok(Prepared { statement, binds, batch: BatchBuilder::new(shape.schema(), columns, key) })
}

/// Says whether a statement's columns are of the types that their values are taken over as.
fn fits(statement: &Statement, columns: &[Source]) -> bool {
    let here = statement.columns();
    here.len() == columns.len()
        && here.iter().zip(columns).all(|(here, column)| column.is_sent_as(here))
}

/// Returns the rows of a section whose columns are still those of its shape.
pub(super) async fn unchanged(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
    shape: &Shape,
) -> Result<(Rows, Arc<Facts>), SiloError> {
    let (mut rows, facts) = selection(link, section, known).await?;
    if !facts.columns.iter().map(Source::shape).eq(shape.columns.iter().cloned()) {
        return Err(SiloError::ShapeChanged);
    }
    narrow(&mut rows, section, &facts.columns)?;
    Ok((rows, facts))
}

/// Returns the columns of the key, in its order.
pub(super) fn key_columns(facts: &Facts, shape: &Shape) -> Result<Vec<Source>, SiloError> {
    shape.ordered_by.iter().map(|name| find(&facts.columns, name).cloned()).collect()
}

/// Sends the rows. The turn ends with it, whatever happens: the session can be used again.
pub(super) async fn run(
    link: Arc<Link>,
    turn: OwnedMutexGuard<Turn>,
    prepared: Prepared,
    sender: BatchSender,
) -> Result<(), SiloError> {
    match rows(&link, prepared, &sender).await {
        End::All => link.settle(turn, Ok(())).await,
        End::Refused(error) => link.settle(turn, Err(error)).await,
        End::Early(result) => {
            link.put_down(turn).await;
            result
        }
    }
}

async fn rows(link: &Link, prepared: Prepared, sender: &BatchSender) -> End {
    let Prepared { statement, binds, mut batch } = prepared;
    let mut closed = pin!(sender.closed());
    // The server answers when it has rows to send: after a long sort, perhaps.
    let started = tokio::select! {
        biased;
        started = link.client().query_raw(&statement, binds) => started,
        () = &mut closed => return End::Early(Ok(())),
    };
    let found = match started {
        Ok(found) => found,
        Err(error) => return End::Refused(fault::running(&error)),
    };
    let mut found = pin!(found);
    let mut right = None;
    loop {
        let row = tokio::select! {
            biased;
            row = found.try_next() => row,
            () = &mut closed => return End::Early(Ok(())),
        };
        match row {
            Ok(Some(row)) => {
                if row.raw_size_bytes() >= BATCH_BYTES {
                    let _still = link.keep_still();
                    match sender.take_over(row.raw_size_bytes()).await {
                        Ok(given) => right = given.or(right),
                        Err(_) => return End::Early(Ok(())),
                    }
                }
                if let Err(error) = batch.append(&row) {
                    return End::Early(Err(error));
                }
            }
            Ok(None) => break,
            Err(error) => return End::Refused(fault::running(&error)),
        }
        if batch.is_full() {
            if let Some(end) = send(link, &mut batch, sender).await {
                return end;
            }
            // The batch has it.
            drop(right.take());
        }
    }
    if batch.is_empty() {
        return End::All;
    }
    send(link, &mut batch, sender).await.unwrap_or(End::All)
}

/// Sends what is collected; `None` if more is wanted.
async fn send(link: &Link, batch: &mut BatchBuilder, sender: &BatchSender) -> Option<End> {
    let _still = link.keep_still();
    match batch.finish() {
        Ok(full) => sender.send(full).await.err().map(|_| End::Early(Ok(()))),
        Err(error) => Some(End::Early(Err(error))),
    }
}
