//! What do a section's rows look like? The server names their types; the catalogue or a look at the rows proves the key.

use antumbra_crypto::Retry;

use super::column::{Order, Source};
use super::count::{count, estimate};
use super::facts::{Facts, matched};
use super::key;
use super::link::Link;
use super::narrow::{find, narrow};
use super::select::{ALIAS, Rows};
use crate::SiloError;
use crate::silo::{Identifiers, SectionSpec, Shape};
use crate::sql::quote;

/// Finds columns, about how many rows there are, and whether the key is unique and not null. Of a selection that another session
/// described, in one round trip.
pub(super) async fn describe(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Shape, SiloError> {
    let rows = Rows::of(section, known, &[])?;
    if let Some(facts) = Facts::known(link, &rows).await? {
        match shape(link, section, known, &facts).await {
            // The table may have changed since the snapshot was taken, whose catalogue knows nothing of it.
            Err(error) if error.retry() != Retry::Later => link.roll_back().await?,
            shape => return shape,
        }
        let facts = Facts::ask(link, section, &rows).await?;
        return shape(link, section, known, &facts).await;
    }
    if let Some(facts) = link.remembered(&rows.everything()) {
        let both =
            futures::join!(Facts::ask(link, section, &rows), shape(link, section, known, &facts));
        match both {
            (Ok(now), shape) if now.generation == facts.generation => return shape,
            // What was asked on the strength of old facts may be what was refused.
            _ => link.roll_back().await?,
        }
    }
    let facts = Facts::ask(link, section, &rows).await?;
    shape(link, section, known, &facts).await
}

async fn shape(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
    facts: &Facts,
) -> Result<Shape, SiloError> {
    let mut rows = matched(section, known, facts)?;
    let columns = &facts.columns;
    let whole = rows.clone();
    narrow(&mut rows, section, columns)?;
    let wanted = key::wanted(section, facts.table.as_ref(), columns)?;
    let fit = !wanted.is_empty() && key::is_of_fit_types(&wanted, columns);
    let promised = facts.table.as_ref().is_some_and(|table| table.promises(&wanted));
    let looked = async {
        if fit && !promised {
            let (holds, count) = key::probe(link, facts, &rows, &wanted).await?;
            Ok::<_, SiloError>((holds, Some(count)))
        } else {
            Ok((fit, estimate(link, facts, &rows).await?))
        }
    };
    let (outside, looked) = futures::join!(outside(link, section, &whole, facts), looked);
    let mut notes = Vec::from_iter(outside?);
    let (keyed, rows_expected) = looked?;
    if facts.table.as_ref().is_some_and(|table| table.policed) {
        notes.push(POLICED.to_owned());
    }
    if !wanted.is_empty() && !keyed {
        let why =
            if fit { "is not unique and not null here" } else { "has a type that cannot be one" };
        notes.push(format!("key ({}) {why}", wanted.join(", ")));
    }
    let ordered_by =
        if keyed { wanted } else { columns.iter().map(|column| column.name.clone()).collect() };
    let order = order(columns, &ordered_by, keyed).replace(ALIAS, "rows");
    Ok(Shape {
        columns: columns.iter().map(Source::shape).collect(),
        ordered_by,
        keyed,
        statement: format!("{} order by {order}", rows.shown()),
        notes,
        rows: rows_expected,
    })
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

/// Rows without a time are outside the window, and said.
async fn outside(
    link: &Link,
    section: &SectionSpec,
    rows: &Rows,
    facts: &Facts,
) -> Result<Option<String>, SiloError> {
    let Some(window) = &section.window else { return Ok(None) };
    let column = &find(&facts.columns, &window.column)?.name;
    if facts.table.as_ref().is_some_and(|table| table.is_never_null(column)) {
        return Ok(None);
    }
    let mut rows = rows.clone();
    rows.only(format!("{} is null", quote(column)));
    let missing = count(link, facts, &rows).await?.unwrap_or(0);
    let note = || format!("{missing} rows without {column} are outside the window");
    Ok((missing > 0).then(note))
}

/// Rows that policies hide are not told from rows that are not there.
const POLICED: &str = "row-level security of the server decides which rows this login sees";
/// Columns of a statement and what it is ordered by are 1 664 at most.
const MOST_PLACES: usize = 1_600;
