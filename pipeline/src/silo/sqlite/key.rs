//! Which columns are a section's key, and do they hold: unique and not null?

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::fault;
use super::ordered::{Ordered, Step};
use super::select::{Rows, bytewise};
use crate::SiloError;
use crate::silo::{SectionSource, SectionSpec};
use crate::sql::quote;

/// The key of settings, else the table's primary key if its columns cannot be NULL, else none.
pub(super) fn wanted(
    db: &Connection,
    section: &SectionSpec,
    columns: &[(String, String)],
) -> Result<Vec<String>, SiloError> {
    for name in section.key.iter().chain(section.window.as_ref().map(|window| &window.column)) {
        if !columns.iter().any(|(column, _)| column == name) {
            return Err(SiloError::Missing { what: format!("column {name}") });
        }
    }
    let SectionSource::Table { parts, .. } = &section.source else {
        return Ok(section.key.clone());
    };
    if !section.key.is_empty() {
        return Ok(section.key.clone());
    }
    let Some((schema, table)) = place(parts) else { return Ok(Vec::new()) };
    let sql = "select name from pragma_table_info(?1, ?2) where pk > 0 order by pk";
    let read = || {
        let mut statement = db.prepare(sql)?;
        let names = statement.query_map([table, schema], |row| row.get(0))?;
        names.collect::<Result<Vec<String>, _>>()
    };
    // Whether it may hold NULLs is another question: SQLite's primary keys may, but for rowids.
    read().map_err(|error| fault::of(&error))
}

/// Says whether the catalogue promises it: columns that cannot be NULL, and among them those of the primary key or of a
/// whole unique index. A collation that the index has makes it stricter than bytes are, never looser.
pub(super) fn is_declared(
    db: &Connection,
    section: &SectionSpec,
    key: &[String],
) -> Result<bool, SiloError> {
    let SectionSource::Table { parts, .. } = &section.source else { return Ok(false) };
    let Some((schema, table)) = place(parts) else { return Ok(false) };
    let ask = || {
        let mut columns =
            db.prepare("select name, upper(type), \"notnull\", pk from pragma_table_info(?1, ?2)")?;
        let mut found = columns.query([table, schema])?;
        let mut primary = BTreeSet::new();
        let mut not_null = BTreeSet::new();
        let mut rowid = None;
        while let Some(row) = found.next()? {
            let name: String = row.get(0)?;
            if row.get::<_, bool>(2)? {
                not_null.insert(name.clone());
            }
            if row.get::<_, i64>(3)? > 0 {
                rowid = (row.get::<_, String>(1)? == "INTEGER").then(|| name.clone());
                primary.insert(name);
            }
        }
        // A single INTEGER primary key is the rowid, which is never NULL.
        if primary.len() == 1 {
            not_null.extend(rowid);
        }
        let key: BTreeSet<String> = key.iter().cloned().collect();
        let promised = |columns: &BTreeSet<String>| {
            !columns.is_empty() && columns.is_subset(&key) && columns.is_subset(&not_null)
        };
        if !key.is_subset(&not_null) {
            return Ok(false);
        }
        if promised(&primary) {
            return Ok(true);
        }
        let mut indexes = db.prepare(
            "select name from pragma_index_list(?1, ?2) where \"unique\" and not partial",
        )?;
        let mut found = indexes.query([table, schema])?;
        while let Some(row) = found.next()? {
            let index: String = row.get(0)?;
            // An expression has no name: it is NULL here, and such an index promises nothing about columns.
            let mut parts = db.prepare("select name from pragma_index_info(?1, ?2)")?;
            let parts = parts
                .query_map([index.as_str(), schema], |row| row.get::<_, Option<String>>(0))?
                .collect::<Result<Option<BTreeSet<String>>, _>>()?;
            if parts.is_some_and(|parts| promised(&parts)) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    ask().map_err(|error: rusqlite::Error| fault::of(&error))
}

/// Says whether it holds in the selected rows, of which there are `total`: all keys, in order, none equal to the one before.
///
/// Keys are read in pages where they would have to be sorted. A page begins behind the last key of the one before, and so
/// skips NULLs and equal keys: they show in the count.
pub(super) fn holds(
    db: &Connection,
    rows: &Rows,
    key: &[String],
    total: u64,
) -> Result<bool, SiloError> {
    let names: Vec<String> = key.iter().map(|name| quote(name)).collect();
    let ordered = Ordered {
        db,
        from: &rows.sql,
        columns: names,
        binds: &rows.binds,
        order: key.iter().map(|name| bytewise(name)).collect(),
        key: (0..key.len()).collect(),
    };
    let mut seen = 0;
    let mut last = None;
    let mut unique = true;
    ordered.each(None, |_, here| {
        unique = here.is_some() && here != last;
        seen += 1;
        last = here;
        // More than there are: a key that is no text is not what it is bound as, and the same rows come again.
        Ok(if unique && seen <= total { Step::Next } else { Step::Stop })
    })?;
    Ok(unique && seen == total)
}

/// Schema and table of a section's table; `None` for a query.
pub(super) fn place_of(section: &SectionSpec) -> Option<(&str, &str)> {
    match &section.source {
        SectionSource::Table { parts, .. } => place(parts),
        _ => None,
    }
}

/// Schema and table of a table's name.
fn place(parts: &[String]) -> Option<(&str, &str)> {
    match parts {
        [table] => Some(("main", table)),
        [schema, table] => Some((schema, table)),
        _ => None,
    }
}
