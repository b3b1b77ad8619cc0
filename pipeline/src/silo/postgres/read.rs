//! How do rows become batches? They stream; a reader that waits leaves them on the server.

use std::pin::pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use tokio::sync::OwnedMutexGuard;
use tokio::sync::mpsc::Sender;
use tokio_postgres::{Client, Statement};

use super::batch::BatchBuilder;
use super::bind::{self, Bind};
use super::column::Source;
use super::describe::{order, selection};
use super::fault;
use super::link::{Link, Turn};
use super::narrow::{find, narrow};
use super::valid;
use crate::SiloError;
use crate::silo::{Cursor, Identifiers, SectionSpec, Shape};

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
    client: &Client,
    section: &SectionSpec,
    known: &Identifiers,
    shape: &Shape,
    after: Option<&Cursor>,
) -> Result<Prepared, SiloError> {
    let (mut rows, columns) = selection(client, section, known).await?;
    if !columns.iter().map(Source::shape).eq(shape.columns.iter().cloned()) {
        return Err(SiloError::ShapeChanged);
    }
    narrow(&mut rows, section, &columns)?;
    if let Some(Cursor(values)) = after {
        if !shape.keyed || values.len() != shape.ordered_by.len() {
            return Err(SiloError::ShapeChanged);
        }
        let mut texts = Vec::with_capacity(values.len());
        for (name, value) in shape.ordered_by.iter().zip(values) {
            // The column's own type: its text form was made to be read back.
            let kind = &find(&columns, name)?.kind;
            texts.push(Some(valid::text(value, kind).ok_or(SiloError::ShapeChanged)?));
        }
        rows.behind(&shape.ordered_by, texts);
    }
    let list: Vec<String> = columns.iter().map(Source::selected).collect();
    let order = order(&columns, &shape.ordered_by, shape.keyed);
    let sql = format!("{} order by {order}", rows.select(&list.join(", ")));
    let statement = client.prepare(&sql).await.map_err(|error| fault::preparing(&error))?;
    let binds = bind::all(&rows.slots, statement.params());
    let place = |name: &String| columns.iter().position(|column| column.name == *name);
    let key =
        if shape.keyed { shape.ordered_by.iter().filter_map(place).collect() } else { vec![] };
    Ok(Prepared { statement, binds, batch: BatchBuilder::new(shape.schema(), &columns, key) })
}

/// Sends the rows. The turn ends with it, whatever happens: the session can be used again.
pub(super) async fn run(
    link: Arc<Link>,
    turn: OwnedMutexGuard<Turn>,
    prepared: Prepared,
    sender: Sender<RecordBatch>,
) -> Result<(), SiloError> {
    match rows(link.client(), prepared, &sender).await {
        End::All => link.settle(turn, Ok(())).await,
        End::Refused(error) => link.settle(turn, Err(error)).await,
        End::Early(result) => {
            link.put_down(turn).await;
            result
        }
    }
}

async fn rows(client: &Client, prepared: Prepared, sender: &Sender<RecordBatch>) -> End {
    let Prepared { statement, binds, mut batch } = prepared;
    let mut closed = pin!(sender.closed());
    // The server answers when it has rows to send: after a long sort, perhaps.
    let started = tokio::select! {
        biased;
        started = client.query_raw(&statement, binds) => started,
        () = &mut closed => return End::Early(Ok(())),
    };
    let found = match started {
        Ok(found) => found,
        Err(error) => return End::Refused(fault::running(&error)),
    };
    let mut found = pin!(found);
    loop {
        let row = tokio::select! {
            biased;
            row = found.try_next() => row,
            () = &mut closed => return End::Early(Ok(())),
        };
        match row {
            Ok(Some(row)) => {
                if let Err(error) = batch.append(&row) {
                    return End::Early(Err(error));
                }
            }
            Ok(None) => break,
            Err(error) => return End::Refused(fault::running(&error)),
        }
        if batch.is_full()
            && let Some(end) = send(&mut batch, sender).await
        {
            return end;
        }
    }
    if batch.is_empty() {
        return End::All;
    }
    send(&mut batch, sender).await.unwrap_or(End::All)
}

/// Sends what is collected; `None` if more is wanted.
async fn send(batch: &mut BatchBuilder, sender: &Sender<RecordBatch>) -> Option<End> {
    match batch.finish() {
        Ok(full) => sender.send(full).await.err().map(|_| End::Early(Ok(()))),
        Err(error) => Some(End::Early(Err(error))),
    }
}
