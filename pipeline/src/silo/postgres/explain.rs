//! How would the server read a section, and which index does it miss?

use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::{Client, SimpleQueryMessage};

use super::column::Source;
use super::count::estimate;
use super::describe::order;
use super::facts::Facts;
use super::fault;
use super::indexes::Table;
use super::key;
use super::link::Link;
use super::narrow::{find, narrow};
use super::select::{ALIAS, Rows};
use crate::silo::{Explained, Identifiers, SectionSource, SectionSpec, advice};
use crate::sql::quote;
use crate::{SiloError, Value};

/// Asks for the plan that serves whatever values are bound: no value is in it, and none is needed.
pub(super) async fn explain(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Explained, SiloError> {
    let needed: Vec<String> = section.needs().into_iter().flatten().collect();
    let all_known = needed.iter().all(|name| known.get(name).is_some_and(|all| !all.is_empty()));
    let mut filled = known.clone();
    for name in needed {
        let values = filled.entry(name).or_default();
        if values.is_empty() {
            values.push(Value::Text(String::new()));
        }
    }
    let facts = Facts::of(link, section, &Rows::of(section, &filled, &[])?).await?;
    let columns = &facts.columns;
    let mut rows = Rows::of(section, &filled, columns)?;
    let mut advice = advice::missing(section, |name| find(columns, name).is_ok());
    if !advice.is_empty() {
        return Ok(Explained { statement: rows.shown(), plan: Vec::new(), rows: None, advice });
    }
    narrow(&mut rows, section, columns)?;
    let table = facts.table.as_ref();
    let wanted = key::wanted(section, table, columns)?;
    let keyed = !wanted.is_empty() && key::is_of_fit_types(&wanted, columns);
    let promised = table.is_none_or(|table| table.promises(&wanted));
    advice.extend(advice::key(&wanted, keyed, promised, || {
        let columns: Vec<String> = wanted.iter().map(|name| quote(name)).collect();
        let indexable = table.is_some_and(Table::is_indexable);
        let place = place(section);
        indexable.then(|| format!("create unique index on {place} ({})", columns.join(", ")))
    }));
    if let Some(table) = table {
        advise_indexes(section, table, Table::bytes(link, section).await?, &mut advice);
    }
    let ordered_by: Vec<String> =
        if keyed { wanted } else { columns.iter().map(|column| column.name.clone()).collect() };
    let order = order(columns, &ordered_by, keyed);
    let list: Vec<String> = columns.iter().map(Source::selected).collect();
    let sql = format!("{} order by {order}", rows.select(&list.join(", ")));
    let plan = generic_plan(link.client(), &sql, rows.slots.len()).await?;
    let expected = if all_known { estimate(link, &facts, &rows).await? } else { expected(&plan) };
    let statement = format!("{} order by {}", rows.shown(), order.replace(ALIAS, "rows"));
    Ok(Explained { statement, plan, rows: expected, advice })
}

/// Prepares the statement as SQL does, and explains it with nothing but NULLs.
async fn generic_plan(
    client: &Client,
    sql: &str,
    parameters: usize,
) -> Result<Vec<String>, SiloError> {
    let name = format!("\"antumbra explain {}\"", NEXT.fetch_add(1, Ordering::Relaxed));
    let nulls = if parameters == 0 {
        String::new()
    } else {
        format!("({})", vec!["null"; parameters].join(", "))
    };
    let prepare = format!(
        "savepoint explaining; set local plan_cache_mode = force_generic_plan; prepare {name} as {sql}"
    );
    client.batch_execute(&prepare).await.map_err(|error| fault::preparing(&error))?;
    let explained = client.simple_query(&format!("explain execute {name}{nulls}")).await;
    // Prepared statements outlive what is rolled back.
    let end = format!(
        "rollback to savepoint explaining; release savepoint explaining; deallocate {name}"
    );
    client.batch_execute(&end).await.map_err(|error| fault::running(&error))?;
    let explained = explained.map_err(|error| fault::running(&error))?;
    Ok(explained
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
            _ => None,
        })
        .collect())
}

/// The rows of the first line of a plan.
fn expected(plan: &[String]) -> Option<u64> {
    let (_, rest) = plan.first()?.split_once(" rows=")?;
    rest.split(' ').next()?.parse().ok()
}

fn advise_indexes(section: &SectionSpec, table: &Table, bytes: i64, advice: &mut Vec<String>) {
    if !table.is_indexable() || bytes < SMALL {
        return;
    }
    let SectionSource::Table { parts, matches } = &section.source else { return };
    let matched = if section.tenant_wide { &[][..] } else { matches.as_slice() };
    let equal = matched
        .iter()
        .map(|(column, _)| column)
        .chain(section.filters.iter().map(|filter| &filter.column))
        .map(|column| (column, false));
    for (column, range) in equal.chain(section.window.iter().map(|window| (&window.column, true))) {
        if !table.finds(column, range) {
            advice.push(format!(
                "no index begins with {}.{column} (the table has {} MiB): `create index on {} ({})`",
                parts.join("."),
                bytes >> 20,
                place(section),
                quote(column)
            ));
        }
    }
}

/// The quoted name of a section's table.
fn place(section: &SectionSpec) -> String {
    match &section.source {
        SectionSource::Table { parts, .. } => {
            let parts: Vec<String> = parts.iter().map(|part| quote(part)).collect();
            parts.join(".")
        }
        _ => String::new(),
    }
}

/// A table that is read as quickly without an index.
const SMALL: i64 = 1 << 20;
/// Names of statements that SQL prepares, unique in the process.
static NEXT: AtomicU64 = AtomicU64::new(0);
