//! How many rows does a selection have?

use futures::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::facts::{Facts, selection};
use super::link::Link;
use super::select::Rows;
use super::{bind, fault};
use crate::SiloError;
use crate::silo::{Identifiers, MOST_COUNTED, SectionSpec};

/// Counts the rows without window and filters; `None` if there are very many.
pub(super) async fn whole(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Option<u64>, SiloError> {
    let (rows, facts) = selection(link, section, known).await?;
    let sql = format!(
        "select count(*) from ({} limit {}) as \"antumbra counted\"",
        rows.select("1"),
        MOST_COUNTED + 1
    );
    let row = one(link, &facts, &sql, &rows).await?;
    let counted: Option<i64> = row.and_then(|row| row.try_get(0).ok());
    Ok(counted.map(i64::unsigned_abs).filter(|count| *count <= MOST_COUNTED))
}

/// Counts rows.
pub(super) async fn count(
    link: &Link,
    facts: &Facts,
    rows: &Rows,
) -> Result<Option<u64>, SiloError> {
    let row = one(link, facts, &rows.select("count(*)"), rows).await?;
    let counted: Option<i64> = row.and_then(|row| row.try_get(0).ok());
    Ok(counted.map(i64::unsigned_abs))
}

/// Asks the planner how many rows it expects: counting them would take as long as reading them.
pub(super) async fn estimate(
    link: &Link,
    facts: &Facts,
    rows: &Rows,
) -> Result<Option<u64>, SiloError> {
    let sql = format!("explain (format json) {}", rows.select("*"));
    let Some(row) = one(link, facts, &sql, rows).await? else { return Ok(None) };
    // Nothing but the number is taken: the plan quotes what was bound.
    let text = row.try_get::<_, JsonText>(0).map(|JsonText(text)| text).unwrap_or_default();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(plan.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_u64))
}

/// Runs a statement over the parameters of `rows` that has one row.
pub(super) async fn one(
    link: &Link,
    facts: &Facts,
    sql: &str,
    rows: &Rows,
) -> Result<Option<Row>, SiloError> {
    let statement =
        link.ready(facts.generation, sql).await.map_err(|error| fault::preparing(&error))?;
    let binds = bind::all(&rows.slots, statement.params());
    let found = link.client().query_raw(&statement, binds).await;
    let mut found = std::pin::pin!(found.map_err(|error| fault::running(&error))?);
    found.try_next().await.map_err(|error| fault::running(&error))
}

/// The text of a `json` value.
struct JsonText(String);

impl<'a> FromSql<'a> for JsonText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
