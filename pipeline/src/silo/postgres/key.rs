//! Which columns are a section's key, and do they hold: unique and not null?

use tokio_postgres::Row;

use super::column::Source;
use super::count::one;
use super::facts::Facts;
use super::fault;
use super::indexes::Table;
use super::link::Link;
use super::narrow::find;
use super::select::Rows;
use crate::SiloError;
use crate::silo::SectionSpec;
use crate::sql::quote;

/// The key of settings, else the table's primary key, else none.
pub(super) fn wanted(
    section: &SectionSpec,
    table: Option<&Table>,
    columns: &[Source],
) -> Result<Vec<String>, SiloError> {
    for name in &section.key {
        find(columns, name)?;
    }
    match table {
        Some(table) if section.key.is_empty() => Ok(table.primary_key()),
        _ => Ok(section.key.clone()),
    }
}

/// Says whether values of all of its columns can be a cursor.
pub(super) fn is_of_fit_types(key: &[String], columns: &[Source]) -> bool {
    key.iter().all(|name| find(columns, name).is_ok_and(Source::can_be_key))
}

/// Looks at every selected row. Returns whether the key holds, and how many rows there are.
pub(super) async fn probe(
    link: &Link,
    facts: &Facts,
    rows: &Rows,
    key: &[String],
) -> Result<(bool, u64), SiloError> {
    let columns: Vec<String> = key.iter().map(|name| quote(name)).collect();
    let nulls: Vec<String> = columns.iter().map(|column| format!("{column} is null")).collect();
    let columns = columns.join(", ");
    let groups = rows.select(&format!("{columns}, count(*) as \"antumbra count\""));
    let sql = format!(
        "select coalesce(sum(\"antumbra count\"), 0)::int8, coalesce(max(\"antumbra count\"), 0)::int8, \
         coalesce(bool_or({}), false) from ({groups} group by {columns}) as \"antumbra groups\"",
        nulls.join(" or ")
    );
    let found = one(link, facts, &sql, rows).await?;
    let read =
        |row: Row| Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?, row.try_get(2)?));
    let found: Option<(i64, i64, bool)> = found
        .map(read)
        .transpose()
        .map_err(|error: tokio_postgres::Error| fault::running(&error))?;
    let (count, most, null) = found.unwrap_or((0, 0, false));
    Ok((most <= 1 && !null, count.unsigned_abs()))
}
