//! How do the shop's rows get into the server? By COPY, table by table, in one transaction.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures::SinkExt as _;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;
use tokio_postgres::{Client, Transaction};

use super::super::shop;
use super::tables::{NAMES, TABLES};

/// Says whether a database has the shop. It has all of it or nothing.
pub(super) async fn is_there(client: &Client) -> anyhow::Result<bool> {
    let row = client.query_one("select to_regclass('payments') is not null", &[]).await?;
    Ok(row.try_get(0)?)
}

/// Copies a shop from its file and lets `after` be done in the same transaction.
///
/// # Errors
/// When either database refuses; then nothing is left of it.
pub(super) async fn copy(client: &mut Client, shop: &Path, after: &str) -> anyhow::Result<()> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(TABLES).await?;
    for table in NAMES {
        one(&transaction, table, shop.to_owned())
            .await
            .with_context(|| format!("copying {table}"))?;
    }
    transaction.batch_execute(shop::INDEXES).await?;
    transaction.batch_execute(after).await?;
    transaction.commit().await?;
    // The planner knows nothing yet; it would guess.
    client.batch_execute("analyze").await?;
    Ok(())
}

async fn one(
    transaction: &Transaction<'_>,
    table: &'static str,
    shop: PathBuf,
) -> anyhow::Result<()> {
    let sink = transaction.copy_in(&format!("copy {table} from stdin")).await?;
    let mut sink = Box::pin(sink);
    let (send, mut pieces) = mpsc::channel(PIECES);
    let reading = tokio::task::spawn_blocking(move || read(&shop, table, &send));
    while let Some(piece) = pieces.recv().await {
        sink.send(piece).await?;
    }
    // A sink that is dropped before it is finished copies nothing.
    let read = reading.await??;
    let copied = sink.as_mut().finish().await?;
    ensure!(copied == read, "{copied} rows arrived of {read}");
    Ok(())
}

/// Reads a table in the order of its rows; returns how many there were.
fn read(shop: &Path, table: &str, to: &mpsc::Sender<Bytes>) -> anyhow::Result<u64> {
    let shop = Connection::open_with_flags(shop, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut select = shop.prepare(&format!("select * from {table} order by 1"))?;
    let columns = select.column_count();
    let mut rows = select.query([])?;
    let (mut piece, mut count) = (String::new(), 0);
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            if column > 0 {
                piece.push('\t');
            }
            field(row.get_ref(column)?, &mut piece)?;
        }
        piece.push('\n');
        count += 1;
        if piece.len() > PIECE {
            to.blocking_send(std::mem::take(&mut piece).into()).context("nobody takes the rows")?;
        }
    }
    to.blocking_send(piece.into()).context("nobody takes the rows")?;
    Ok(count)
}

/// Writes a value in the text format of COPY (<https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2>).
fn field(value: ValueRef<'_>, out: &mut String) -> anyhow::Result<()> {
    match value {
        ValueRef::Null => out.push_str("\\N"),
        ValueRef::Integer(number) => write!(out, "{number}")?,
        // The shortest digits that are this number.
        ValueRef::Real(number) => write!(out, "{number}")?,
        ValueRef::Text(text) => {
            for letter in std::str::from_utf8(text)?.chars() {
                match letter {
                    '\\' => out.push_str("\\\\"),
                    '\t' => out.push_str("\\t"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    letter => out.push(letter),
                }
            }
        }
        ValueRef::Blob(bytes) => {
            out.push_str("\\\\x");
            for byte in bytes {
                write!(out, "{byte:02x}")?;
            }
        }
    }
    Ok(())
}

const PIECE: usize = 256 * 1024;
const PIECES: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_empty_and_the_letters_of_null_are_three_things() {
        let written = |value: ValueRef<'_>| {
            let mut out = String::new();
            field(value, &mut out).unwrap();
            out
        };
        assert_eq!(written(ValueRef::Null), r"\N");
        assert_eq!(written(ValueRef::Text(b"")), "");
        assert_eq!(written(ValueRef::Text(br"\N")), r"\\N");
        assert_eq!(written(ValueRef::Text(b"a\tb\nc\rd")), r"a\tb\nc\rd");
        assert_eq!(written(ValueRef::Blob(&[0, 0xff])), r"\\x00ff");
        assert_eq!(written(ValueRef::Integer(i64::MIN)), "-9223372036854775808");
        assert_eq!(written(ValueRef::Real(0.1)), "0.1");
    }
}
