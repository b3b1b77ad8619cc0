//! Which columns are a section's key, and do they hold: unique and not null?

use super::ask::{self, number};
use super::catalogue::Table;
use super::column::Source;
use super::link::Server;
use super::name::quote;
use super::narrow::find;
use super::select::Rows;
use crate::SiloError;
use crate::silo::SectionSpec;

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

/// Looks at every selected row. Returns whether the key holds, and how many rows there are. Values are equal where the order has one
/// place for them.
pub(super) async fn probe(
    server: &mut Server,
    rows: &Rows,
    key: &[String],
    columns: &[Source],
) -> Result<(bool, u64), SiloError> {
    let mut places = Vec::with_capacity(key.len());
    let mut nulls = Vec::with_capacity(key.len());
    for name in key {
        let column = find(columns, name)?;
        places.push(column.ordered());
        nulls.push(format!("{} is null", quote(&column.name)));
    }
    let list =
        format!("count(*) as `antumbra count`, max({}) as `antumbra null`", nulls.join(" or "));
    let sql = format!(
        "select coalesce(sum(`antumbra count`), 0), coalesce(max(`antumbra count`), 0), \
         coalesce(max(`antumbra null`), 0) from ({} group by {}) as `antumbra groups`",
        rows.select(&list),
        places.join(", ")
    );
    let Some(found) = ask::one(server, &sql, rows.binds.clone()).await? else {
        return Ok((false, 0));
    };
    Ok((number(&found, 1) <= 1 && number(&found, 2) == 0, number(&found, 0)))
}
