//! Which identifiers do a section's rows reveal?

use std::sync::Arc;

use arrow_schema::Schema;

use super::ask;
use super::batch::BatchBuilder;
use super::coerced::{self, Words};
use super::column::{Decode, Source};
use super::describe::{Selection, selection};
use super::link::Server;
use super::name::quote;
use super::narrow::find;
use super::select::Rows;
use crate::silo::{Identifiers, SectionSpec};
use crate::slice;
use crate::{SiloError, Value};

/// Returns the distinct values, NULLs left out, of columns over the rows a section selects; at most `limit` + 1 of each.
pub(super) async fn distinct(
    server: &mut Server,
    section: &SectionSpec,
    known: &Identifiers,
    columns: &[String],
    limit: usize,
) -> Result<Vec<Vec<Value>>, SiloError> {
    let Selection { rows, columns: sources, .. } = selection(server, section, known).await?;
    let mut all = Vec::with_capacity(columns.len());
    for name in columns {
        let mut column = find(&sources, name)?.clone();
        // As text, a day that no calendar has is no error.
        column.loose = column.has_days();
        all.push(of_column(server, rows.clone(), &column, limit).await?);
    }
    Ok(all)
}

async fn of_column(
    server: &mut Server,
    mut rows: Rows,
    column: &Source,
    limit: usize,
) -> Result<Vec<Value>, SiloError> {
    if column.decode == Decode::Json {
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
    let found = ask::rows(server, &sql, rows.binds.clone()).await?;
    coerced::check(server, &Words::of(&rows)).await?;
    let shape = column.shape();
    let schema = Arc::new(Schema::new(vec![shape.kind.field(&shape.name)]));
    let mut batch = BatchBuilder::new(schema, std::slice::from_ref(column), Vec::new());
    for row in &found {
        batch.append(row)?;
    }
    let taken = batch.finish()?;
    Ok((0..taken.num_rows()).filter_map(|at| slice::value(taken.column(0), at)).collect())
}

/// Texts are told apart by their bytes, because another column may do so.
fn spelled(column: &Source) -> String {
    let name = quote(&column.name);
    match column.decode {
        Decode::Text { .. } => format!("cast(convert({name} using utf8mb4) as binary)"),
        _ => name,
    }
}
