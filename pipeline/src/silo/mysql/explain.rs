//! How would the server read a section, and which index does it miss?

use super::bind;
use super::catalogue::Table;
use super::column::Source;
use super::describe::{Selection, explained, unmatched};
use super::key;
use super::link::Server;
use super::name::{quote, table as place_of};
use super::narrow::{find, narrow};
use super::order::order;
use crate::silo::{Explained, Identifiers, SectionSource, SectionSpec, advice};
use crate::{SiloError, Value};

/// Asks for the plan with what is known, and for the rest with values that stand for any.
pub(super) async fn explain(
    server: &mut Server,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Explained, SiloError> {
    let needed: Vec<String> = section.needs().into_iter().flatten().collect();
    let all_known = needed.iter().all(|name| known.get(name).is_some_and(|all| !all.is_empty()));
    let mut filled = known.clone();
    for name in &needed {
        let values = filled.entry(name.clone()).or_default();
        if values.is_empty() {
            values.push(Value::Text(ANYTHING.to_owned()));
        }
    }
    let Selection { rows, columns, table } = unmatched(server, section, &filled).await?;
    let mut advice = advice::missing(section, |name| find(&columns, name).is_ok());
    if !advice.is_empty() {
        return Ok(Explained { statement: rows.shown(), plan: Vec::new(), rows: None, advice });
    }
    let mut rows = rows.belonging(section, &filled, &columns)?;
    narrow(&mut rows, section, &columns)?;
    let wanted = key::wanted(section, table.as_ref(), &columns)?;
    let keyed = !wanted.is_empty() && key::is_of_fit_types(&wanted, &columns);
    let promised = table.as_ref().is_none_or(|table| table.promises(&wanted));
    advice.extend(advice::key(&wanted, keyed, promised, || {
        let columns: Vec<String> = wanted.iter().map(|name| quote(name)).collect();
        let indexable = table.as_ref().is_some_and(Table::is_indexable);
        let place = place(section);
        indexable.then(|| format!("alter table {place} add unique index ({})", columns.join(", ")))
    }));
    if let Some(table) = &table {
        advise_indexes(section, table, &mut advice);
        advise_types(section, &columns, &mut advice);
    }
    let ordered_by: Vec<String> =
        if keyed { wanted } else { columns.iter().map(|column| column.name.clone()).collect() };
    let order = order(&columns, &ordered_by, keyed);
    let sql = format!("{} order by {order}", rows.select_all());
    let (plan, expected) = explained(server, &sql, &rows).await?;
    let statement = format!("{} order by {order}", rows.shown());
    Ok(Explained { statement, plan, rows: expected.filter(|_| all_known), advice })
}

fn advise_indexes(section: &SectionSpec, table: &Table, advice: &mut Vec<String>) {
    if !table.is_indexable() || table.bytes < SMALL {
        return;
    }
    let matched = if section.tenant_wide { &[][..] } else { advice::matched(section) };
    let equal = matched
        .iter()
        .map(|(column, _)| column)
        .chain(section.filters.iter().map(|filter| &filter.column))
        .map(|column| (column, false));
    for (column, range) in equal.chain(section.window.iter().map(|window| (&window.column, true))) {
        if !table.finds(column, range) {
            advice.push(format!(
                "no index begins with {column} (the table has {} MiB): `alter table {} add index ({})`",
                table.bytes >> 20,
                place(section),
                quote(column)
            ));
        }
    }
}

/// An identifier that is most often a text, beside a column that takes none, selects nothing.
fn advise_types(section: &SectionSpec, columns: &[Source], advice: &mut Vec<String>) {
    for (name, identifier) in advice::matched(section) {
        let mail = Value::Text(MAIL.to_owned());
        if identifier == "email"
            && let Ok(column) = find(columns, name)
            && bind::value(&mail, column).is_none()
        {
            advice.push(format!(
                "`match` compares email with column {name}, which is {}",
                column.declared
            ));
        }
    }
}

/// The quoted name of a section's table.
fn place(section: &SectionSpec) -> String {
    match &section.source {
        SectionSource::Table { parts, .. } => place_of(parts),
        _ => String::new(),
    }
}

/// A table that is read as quickly without an index.
const SMALL: u64 = 1 << 20;
/// A value that most types have.
const ANYTHING: &str = "1";
/// What an address looks like.
const MAIL: &str = "a@example.org";
