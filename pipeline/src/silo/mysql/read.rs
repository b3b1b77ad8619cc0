//! How do rows become batches? They stream; a reader that waits leaves them on the server.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Statement, Value as Bind};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::batch::BatchBuilder;
use super::coerced::{self, Words};
use super::column::Source;
use super::describe::{Selection, selection};
use super::link::{Link, Server, Turn};
use super::narrow::{find, narrow};
use super::order::order;
use super::{ask, bind, fault, loose};
use crate::SiloError;
use crate::silo::{BatchSender, Cursor, Identifiers, SectionSpec, Shape};

/// A statement that is ready to run.
pub(super) struct Prepared {
    statement: Statement,
    binds: Vec<Bind>,
    words: Words,
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
    server: &mut Server,
    section: &SectionSpec,
    known: &Identifiers,
    shape: &Shape,
    after: Option<&Cursor>,
) -> Result<Prepared, SiloError> {
    let Selection { mut rows, mut columns, .. } = selection(server, section, known).await?;
    loose::adopt(&mut columns, shape);
    if !columns.iter().map(Source::shape).eq(shape.columns.iter().cloned()) {
        return Err(SiloError::ShapeChanged);
    }
    narrow(&mut rows, section, &columns)?;
    if let Some(Cursor(values)) = after {
        if !shape.keyed || values.len() != shape.ordered_by.len() {
            return Err(SiloError::ShapeChanged);
        }
        let mut key = Vec::with_capacity(values.len());
        let mut binds = Vec::with_capacity(values.len());
        for (name, value) in shape.ordered_by.iter().zip(values) {
            let column = find(&columns, name)?;
            // The column's own type: what was read of it is one of its values.
            binds.push(bind::value(value, column).ok_or(SiloError::ShapeChanged)?);
            key.push(column);
        }
        rows.behind(&key, &binds);
    }
    let order = order(&columns, &shape.ordered_by, shape.keyed);
    let sql = format!("{} order by {order}", rows.select_all());
    let statement = ask::prepare(server, &sql, rows.binds.len()).await?;
    let place = |name: &String| columns.iter().position(|column| column.name == *name);
    let key =
        if shape.keyed { shape.ordered_by.iter().filter_map(place).collect() } else { vec![] };
    let batch = BatchBuilder::new(shape.schema(), &columns, key);
    let words = Words::of(&rows);
    Ok(Prepared { statement, binds: rows.binds, words, batch })
}

/// Sends the rows. The turn ends with it, whatever happens: the session can be used again.
pub(super) async fn run(
    link: Arc<Link>,
    mut turn: OwnedMutexGuard<Turn>,
    prepared: Prepared,
    sender: BatchSender,
) -> Result<(), SiloError> {
    let end = match turn.server() {
        Ok(server) => rows(&link, server, prepared, &sender).await,
        Err(error) => End::Refused(error),
    };
    match end {
        End::All => link.settle(turn, Ok(())).await,
        End::Refused(error) => link.settle(turn, Err(error)).await,
        End::Early(result) => {
            link.put_down(turn).await;
            result
        }
    }
}

async fn rows(link: &Link, server: &mut Server, prepared: Prepared, sender: &BatchSender) -> End {
    let Prepared { statement, binds, words, mut batch } = prepared;
    let mut closed = pin!(sender.closed());
    {
        let mut started = server.conn.exec_iter(&statement, ask::parameters(binds));
        // The server answers when it has rows to send: after a long sort, perhaps.
        let started = tokio::select! {
            biased;
            started = &mut started => started,
            () = &mut closed => {
                link.cancel().await;
                // Its answer belongs to nobody, but it comes before the next one.
                drop(timeout(GRACE, &mut started).await);
                return End::Early(Ok(()));
            }
        };
        let mut found = match started {
            Ok(found) => found,
            Err(error) => return End::Refused(fault::running(&error)),
        };
        loop {
            let row = tokio::select! {
                biased;
                row = found.next() => row,
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
    }
    // Before the last rows are handed over: with them the section would be whole.
    if let Err(error) = coerced::check(server, &words).await {
        return End::Refused(error);
    }
    if batch.is_empty() {
        return End::All;
    }
    send(&mut batch, sender).await.unwrap_or(End::All)
}

/// Sends what is collected; `None` if more is wanted.
async fn send(batch: &mut BatchBuilder, sender: &BatchSender) -> Option<End> {
    match batch.finish() {
        Ok(full) => sender.send(full).await.err().map(|_| End::Early(Ok(()))),
        Err(error) => Some(End::Early(Err(error))),
    }
}

/// How long a statement that was cancelled may take to say so.
const GRACE: Duration = Duration::from_secs(10);
