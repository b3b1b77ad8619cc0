//! How would SQLite read a section, and which index does it miss?

use rusqlite::{Connection, params_from_iter};

use super::fault;
use super::select;
use crate::silo::{Explained, Identifiers, SectionSource, SectionSpec, advice};
use crate::sql::quote;
use crate::{SiloError, Value};

/// Asks for the plan: SQLite writes `?` where values are bound.
pub(super) fn explain(
    db: &Connection,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Explained, SiloError> {
    let mut filled = known.clone();
    for name in section.needs().into_iter().flatten() {
        let values = filled.entry(name).or_default();
        if values.is_empty() {
            values.push(Value::Text(String::new()));
        }
    }
    let everything = select::rows(section, &filled)?;
    let mut advice = missing(db, section)?;
    if !advice.is_empty() {
        let statement = everything.shown;
        return Ok(Explained { statement, plan: Vec::new(), rows: None, advice });
    }
    let mut rows = everything.narrow(section);
    let key: Vec<String> = match key_of(db, section)? {
        key if key.is_empty() => {
            advice.push(
                "it has no key: rows are sorted by all columns, and reading begins again after an interruption; set `key` to \
                 columns that are unique and not null"
                    .to_owned(),
            );
            Vec::new()
        }
        key => key.iter().map(|name| quote(name)).collect(),
    };
    if !key.is_empty() {
        let order = key.join(", ");
        rows.sql = format!("select * from ({}) order by {order}", rows.sql);
        rows.shown = format!("{} order by {order}", rows.shown);
    }
    advise_indexes(db, section, &mut advice)?;
    let ask = || {
        let mut statement = db.prepare(&format!("explain query plan {}", rows.sql))?;
        let lines = statement.query_map(params_from_iter(&rows.binds), |row| row.get("detail"))?;
        lines.collect::<Result<Vec<String>, _>>()
    };
    let plan = ask().map_err(|error| fault::of(&error))?;
    Ok(Explained { statement: rows.shown, plan, rows: None, advice })
}

/// A sentence for each column that settings name and the table does not have.
fn missing(db: &Connection, section: &SectionSpec) -> Result<Vec<String>, SiloError> {
    let Some((schema, table)) = super::key::place_of(section) else { return Ok(Vec::new()) };
    let columns = texts(db, "select name from pragma_table_xinfo(?1, ?2)", [table, schema])?;
    if columns.is_empty() {
        return Err(SiloError::Missing { what: format!("table: {table}") });
    }
    let has = |column: &str| columns.iter().any(|name| name.eq_ignore_ascii_case(column));
    Ok(advice::missing(section, has))
}

fn key_of(db: &Connection, section: &SectionSpec) -> Result<Vec<String>, SiloError> {
    match super::key::place_of(section) {
        Some((schema, table)) if section.key.is_empty() => {
            let sql = "select name from pragma_table_info(?1, ?2) where pk > 0 order by pk";
            texts(db, sql, [table, schema])
        }
        _ => Ok(section.key.clone()),
    }
}

/// A text column's time is read by a function, which no plain index helps; only what rows are matched by is looked at.
fn advise_indexes(
    db: &Connection,
    section: &SectionSpec,
    advice: &mut Vec<String>,
) -> Result<(), SiloError> {
    let SectionSource::Table { parts, matches } = &section.source else { return Ok(()) };
    let Some((schema, table)) = super::key::place_of(section) else { return Ok(()) };
    let sql = "select l.name from pragma_index_list(?1, ?2) l where not l.partial";
    let mut first = key_of(db, section)?;
    // The key of settings need not have an index; the primary key has one.
    if !section.key.is_empty() {
        first.clear();
    }
    first.truncate(1);
    for index in texts(db, sql, [table, schema])? {
        let sql = "select coalesce(name, '') from pragma_index_info(?1, ?2) where seqno = 0";
        first.extend(texts(db, sql, [index.as_str(), schema])?);
    }
    let matched = if section.tenant_wide { &[][..] } else { matches.as_slice() };
    let columns = matched
        .iter()
        .map(|(column, _)| column)
        .chain(section.filters.iter().map(|filter| &filter.column));
    for column in columns {
        if !first.iter().any(|name| name.eq_ignore_ascii_case(column)) {
            advice.push(format!(
                "no index begins with {}.{column}: `create index {}.{} on {} ({})`",
                parts.join("."),
                quote(schema),
                quote(&format!("{table}_{column}")),
                quote(table),
                quote(column)
            ));
        }
    }
    Ok(())
}

fn texts(db: &Connection, sql: &str, binds: [&str; 2]) -> Result<Vec<String>, SiloError> {
    let read = || {
        let mut statement = db.prepare(sql)?;
        let found = statement.query_map(binds, |row| row.get(0))?;
        found.collect::<Result<Vec<String>, _>>()
    };
    read().map_err(|error: rusqlite::Error| fault::of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(matches: &str, key: &[&str]) -> Result<Explained, SiloError> {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "create table t (id integer primary key, email text, name text);
             create index t_name on t (name); create index part on t (email) where id > 7;",
        )
        .unwrap();
        let section = SectionSpec {
            silo: "shop".to_owned(),
            datapoint: "t".to_owned(),
            source: SectionSource::Table {
                parts: vec!["t".to_owned()],
                matches: vec![(matches.to_owned(), "email".to_owned())],
            },
            tenant_wide: false,
            key: key.iter().map(|name| (*name).to_owned()).collect(),
            window: None,
            filters: vec![],
            columns: vec![],
        };
        let known = [("email".to_owned(), vec![Value::Text("canary".to_owned())])];
        let with = explain(&db, &section, &known.into())?;
        assert_eq!(explain(&db, &section, &Identifiers::new()).unwrap().advice, with.advice);
        assert!(!format!("{with:?}").contains("canary"));
        Ok(with)
    }

    #[test]
    fn an_index_that_is_missing_is_told_with_its_statement() {
        let without = explained("email", &[]).unwrap();
        assert_eq!(
            without.advice,
            [
                "no index begins with t.email: `create index \"main\".\"t_email\" on \"t\" (\"email\")`"
            ]
        );
        assert!(without.plan.iter().any(|line| line.contains("SCAN")), "{:?}", without.plan);
        assert!(
            without.statement.ends_with("in (:email) order by \"id\""),
            "{}",
            without.statement
        );
        let with = explained("name", &[]).unwrap();
        assert_eq!((with.advice.len(), with.rows), (0, None));
        assert!(with.plan.iter().any(|line| line.contains("t_name")), "{:?}", with.plan);
        assert!(explained("id", &[]).unwrap().advice.is_empty());
    }

    #[test]
    fn columns_that_are_missing_are_advice() {
        let out = explained("emial", &["idd"]).unwrap();
        assert_eq!(
            out.advice,
            [
                "`match` names column emial, which is missing",
                "`key` names column idd, which is missing"
            ]
        );
        assert!(out.plan.is_empty());
    }
}
