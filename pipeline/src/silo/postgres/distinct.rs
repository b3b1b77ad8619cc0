//! Which identifiers do a section's rows reveal?

use std::sync::Arc;

use arrow_schema::Schema;
use futures::TryStreamExt;

use super::batch::BatchBuilder;
use super::column::{Decode, Source};
use super::facts::{Facts, selection};
use super::link::Link;
use super::narrow::find;
use super::select::Rows;
use super::{bind, fault};
use crate::silo::{Identifiers, SectionSpec};
use crate::slice;
use crate::sql::quote;
use crate::{SiloError, Value};

/// Returns the distinct values, NULLs left out, of columns over the rows a section selects; at most `limit` + 1 of each.
pub(super) async fn distinct(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
    columns: &[String],
    limit: usize,
) -> Result<Vec<Vec<Value>>, SiloError> {
    let (rows, facts) = selection(link, section, known).await?;
    let mut all = Vec::with_capacity(columns.len());
    for column in columns {
        all.push(of_column(link, &facts, rows.clone(), column, limit).await?);
    }
    Ok(all)
}

async fn of_column(
    link: &Link,
    facts: &Facts,
    mut rows: Rows,
    column: &str,
    limit: usize,
) -> Result<Vec<Value>, SiloError> {
    let column = find(&facts.columns, column)?;
    if matches!(column.decode, Decode::Json | Decode::Jsonb | Decode::Array(_)) {
        let what = format!(
            "column {} provides identifiers and is {}, which holds more than one: take a query that takes them out",
            column.name, column.declared
        );
        return Err(SiloError::Settings { what });
    }
    rows.only(format!("{} is not null", quote(&column.name)));
    let sql = format!(
        "{} order by 1 limit {}",
        rows.select(&format!("distinct {}", spelled(column))),
        limit.saturating_add(1)
    );
    let statement =
        link.ready(facts.generation, &sql).await.map_err(|error| fault::preparing(&error))?;
    let binds = bind::all(&rows.slots, statement.params());
    let found = link.client().query_raw(&statement, binds).await;
    let mut found = std::pin::pin!(found.map_err(|error| fault::running(&error))?);
    let shape = column.shape();
    let schema = Arc::new(Schema::new(vec![shape.kind.field(&shape.name)]));
    let mut batch = BatchBuilder::new(schema, std::slice::from_ref(column), Vec::new());
    let mut values = Vec::new();
    loop {
        let row = found.try_next().await.map_err(|error| fault::running(&error))?;
        if let Some(row) = &row {
            batch.append(row)?;
        }
        if batch.is_full() || row.is_none() {
            let taken = batch.finish()?;
            values.extend((0..taken.num_rows()).filter_map(|at| slice::value(taken.column(0), at)));
        }
        if row.is_none() {
            return Ok(values);
        }
    }
}

/// Texts are told apart by their bytes, because another column may do so, and the padding of a `char(n)` is no part of one.
fn spelled(column: &Source) -> String {
    match column.decode {
        Decode::Text => format!("{}::text collate \"C\"", quote(&column.name)),
        _ => column.selected(),
    }
}
