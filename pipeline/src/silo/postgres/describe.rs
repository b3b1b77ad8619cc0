//! What do a section's rows look like? The server names their types; the catalogue or a look at the rows proves the key.

use futures::TryStreamExt;
use tokio_postgres::{Client, Row};

use super::column::{Order, Source};
use super::indexes::Table;
use super::narrow::{find, narrow};
use super::select::{ALIAS, Rows};
use super::{bind, fault, key};
use crate::SiloError;
use crate::silo::{Identifiers, SectionSource, SectionSpec, Shape};
use crate::sql::quote;

/// Finds columns, about how many rows there are, and whether the key is unique and not null.
pub(super) async fn describe(
    client: &Client,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Shape, SiloError> {
    let (mut rows, columns) = selection(client, section, known).await?;
    let mut notes = Vec::new();
    outside(client, section, &rows, &columns, &mut notes).await?;
    narrow(&mut rows, section, &columns)?;
    let table = Table::of(client, section).await?;
    let wanted = key::wanted(section, table.as_ref(), &columns)?;
    let mut counted = None;
    let mut keyed = !wanted.is_empty() && key::is_of_fit_types(&wanted, &columns);
    if keyed && !table.is_some_and(|table| table.promises(&wanted)) {
        let (holds, count) = key::probe(client, &rows, &wanted).await?;
        (keyed, counted) = (holds, Some(count));
        if !holds {
            notes.push(format!("key ({}) is not unique and not null here", wanted.join(", ")));
        }
    } else if !wanted.is_empty() && !keyed {
        notes.push(format!("key ({}) has a type that cannot be one", wanted.join(", ")));
    }
    let rows_expected = match counted {
        Some(count) => Some(count),
        None => estimate(client, &rows).await?,
    };
    let ordered_by =
        if keyed { wanted } else { columns.iter().map(|column| column.name.clone()).collect() };
    let order = order(&columns, &ordered_by, keyed).replace(ALIAS, "rows");
    Ok(Shape {
        columns: columns.iter().map(Source::shape).collect(),
        ordered_by,
        keyed,
        statement: format!("{} order by {order}", rows.shown()),
        notes,
        rows: rows_expected,
    })
}

/// Returns the rows of a section, not narrowed yet, and their columns; columns that settings name are among them.
pub(super) async fn selection(
    client: &Client,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<(Rows, Vec<Source>), SiloError> {
    let columns = columns(client, section, &Rows::of(section, known, &[])?).await?;
    let rows = Rows::of(section, known, &columns)?;
    if let SectionSource::Table { matches, .. } = &section.source {
        for (column, _) in matches {
            find(&columns, column)?;
        }
    }
    Ok((rows, columns))
}

/// Returns the columns of the rows. Two of one name could not be told apart in a file.
pub(super) async fn columns(
    client: &Client,
    section: &SectionSpec,
    rows: &Rows,
) -> Result<Vec<Source>, SiloError> {
    let prepared = client.prepare(&rows.everything()).await;
    let statement = prepared.map_err(|error| {
        let missing = matches!(error.code().map(|code| code.code()), Some("42P01" | "3F000"));
        match &section.source {
            SectionSource::Table { parts, .. } if missing => {
                SiloError::Missing { what: format!("table {}", parts.join(".")) }
            }
            _ => fault::preparing(&error),
        }
    })?;
    let columns: Vec<Source> = statement.columns().iter().map(Source::of).collect();
    for (index, column) in columns.iter().enumerate() {
        if columns.iter().take(index).any(|other| other.name == column.name) {
            return Err(SiloError::Settings {
                what: format!("column {} occurs twice", column.name),
            });
        }
    }
    if columns.is_empty() {
        return Err(SiloError::Settings { what: "it has no column".to_owned() });
    }
    Ok(columns)
}

/// What stands behind `order by`. Without a key: all columns, and where these leave rows in any order, the text of the row.
pub(super) fn order(columns: &[Source], ordered_by: &[String], keyed: bool) -> String {
    if keyed {
        let key: Vec<String> = ordered_by.iter().map(|name| quote(name)).collect();
        return key.join(", ");
    }
    let orders: Vec<Order> = columns.iter().map(Source::order).collect();
    let computed = orders.iter().filter(|order| matches!(order, Order::Computed(_))).count();
    // What is computed takes a place beside the columns, of which a statement has a bounded number.
    let crowded = columns.len() + computed > MOST_PLACES;
    let mut ties = false;
    let mut terms = Vec::new();
    for order in orders {
        match order {
            Order::Whole(term) => terms.push(term),
            Order::Computed(term) if !crowded => terms.push(term),
            Order::Computed(_) | Order::None => ties = true,
            Order::Partial(term) => {
                terms.push(term);
                ties = true;
            }
        }
    }
    if ties {
        terms.push(format!("{ALIAS}::text collate \"C\""));
    }
    terms.join(", ")
}

/// Asks the planner how many rows it expects: counting them would take as long as reading them.
pub(super) async fn estimate(client: &Client, rows: &Rows) -> Result<Option<u64>, SiloError> {
    let sql = format!("explain (format json) {}", rows.select("*"));
    let Some(row) = one(client, &sql, rows).await? else { return Ok(None) };
    // Nothing but the number is taken: the plan quotes what was bound.
    let text = row.try_get::<_, JsonText>(0).map(|JsonText(text)| text).unwrap_or_default();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(plan.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_u64))
}

/// Rows without a time are outside the window, and said.
async fn outside(
    client: &Client,
    section: &SectionSpec,
    rows: &Rows,
    columns: &[Source],
    notes: &mut Vec<String>,
) -> Result<(), SiloError> {
    let Some(window) = &section.window else { return Ok(()) };
    let column = &find(columns, &window.column)?.name;
    let mut rows = rows.clone();
    rows.only(format!("{} is null", quote(column)));
    let row = one(client, &rows.select("count(*)"), &rows).await?;
    let missing: i64 = row.and_then(|row| row.try_get(0).ok()).unwrap_or(0);
    if missing > 0 {
        notes.push(format!("{missing} rows without {column} are outside the window"));
    }
    Ok(())
}

/// Runs a statement over the parameters of `rows` that has one row.
pub(super) async fn one(client: &Client, sql: &str, rows: &Rows) -> Result<Option<Row>, SiloError> {
    let statement = client.prepare(sql).await.map_err(|error| fault::preparing(&error))?;
    let binds = bind::all(&rows.slots, statement.params());
    let found = client.query_raw(&statement, binds).await;
    let mut found = std::pin::pin!(found.map_err(|error| fault::running(&error))?);
    found.try_next().await.map_err(|error| fault::running(&error))
}

/// The text of a `json` value.
struct JsonText(String);

impl<'a> tokio_postgres::types::FromSql<'a> for JsonText {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }
}

/// Columns of a statement and what it is ordered by are 1 664 at most.
const MOST_PLACES: usize = 1_600;
