//! How are rows read in the order of a unique key without sorting them all?
//!
//! Where an index gives the order, one statement does it. Elsewhere SQLite would sort the whole selection in memory; with a
//! limit its sorter keeps only that many rows, so they are read page by page, each page behind the last key of the one before.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params_from_iter};

use super::fault;
use super::select::to_sql;
use crate::{SiloError, Value};

/// A selection with its order.
pub(super) struct Ordered<'a> {
    pub(super) db: &'a Connection,
    /// `select … from (…)`, without order.
    pub(super) sql: String,
    pub(super) binds: &'a [Sql],
    /// The key as it is compared and ordered.
    pub(super) order: Vec<String>,
    /// Where the key's columns are in the selection.
    pub(super) key: Vec<usize>,
}

/// Whether the next row is wanted, and about how many bytes this one took.
pub(super) enum Step {
    Next(usize),
    Stop,
}

impl Ordered<'_> {
    /// Visits the rows whose key is behind `after`, each with its key; `None` for a key with a NULL in it.
    pub(super) fn each(
        &self,
        after: Option<&[Value]>,
        mut visit: impl FnMut(&Row<'_>, Option<Vec<Value>>) -> Result<Step, SiloError>,
    ) -> Result<(), SiloError> {
        let mut limit = if self.sorts(after)? { Some(FIRST_PAGE) } else { None };
        let mut after = after.map(<[Value]>::to_vec);
        loop {
            let page = self.page(after.as_deref(), limit, &mut visit)?;
            let (Some(most), Some(last)) = (limit, page.last) else { return Ok(()) };
            if page.stopped || page.rows < most {
                return Ok(());
            }
            limit = Some((PAGE_BYTES / (page.bytes / page.rows).max(1)).clamp(64, MOST_ROWS));
            after = Some(last);
        }
    }

    fn page(
        &self,
        after: Option<&[Value]>,
        limit: Option<usize>,
        visit: &mut impl FnMut(&Row<'_>, Option<Vec<Value>>) -> Result<Step, SiloError>,
    ) -> Result<Page, SiloError> {
        let failed = |error: rusqlite::Error| fault::while_reading(&error);
        let sql = self.statement(after, limit);
        let mut statement = self.db.prepare(&sql).map_err(|error| fault::of(&error))?;
        let mut found = statement.query(params_from_iter(self.bound(after))).map_err(failed)?;
        let mut page = Page { rows: 0, bytes: 0, last: None, stopped: false };
        while let Some(row) = found.next().map_err(failed)? {
            let key = super::read::key_at(row, &self.key).map_err(failed)?;
            page.rows += 1;
            page.last.clone_from(&key);
            match visit(row, key)? {
                Step::Next(bytes) => page.bytes += bytes,
                Step::Stop => {
                    page.stopped = true;
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// Asks SQLite whether it would sort.
    fn sorts(&self, after: Option<&[Value]>) -> Result<bool, SiloError> {
        let sql = format!("explain query plan {}", self.statement(after, None));
        let ask = || {
            let mut statement = self.db.prepare(&sql)?;
            let mut steps = statement.query(params_from_iter(self.bound(after)))?;
            while let Some(step) = steps.next()? {
                if step.get::<_, String>("detail")?.contains("TEMP B-TREE") {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        ask().map_err(|error: rusqlite::Error| fault::of(&error))
    }

    fn statement(&self, after: Option<&[Value]>, limit: Option<usize>) -> String {
        let order = self.order.join(", ");
        let mut sql = self.sql.clone();
        if let Some(values) = after {
            let marks = vec!["?"; values.len()].join(", ");
            sql = format!("{sql} where ({order}) > ({marks})");
        }
        sql = format!("{sql} order by {order}");
        if let Some(limit) = limit {
            sql = format!("{sql} limit {limit}");
        }
        sql
    }

    fn bound(&self, after: Option<&[Value]>) -> Vec<Sql> {
        let mut binds = self.binds.to_vec();
        binds.extend(after.unwrap_or_default().iter().map(to_sql));
        binds
    }
}

struct Page {
    rows: usize,
    bytes: usize,
    last: Option<Vec<Value>>,
    stopped: bool,
}

const FIRST_PAGE: usize = 1_024;
/// Bytes of a page, about: what the sorter holds.
const PAGE_BYTES: usize = 8 << 20;
const MOST_ROWS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(db: &Connection, sql: &str) -> Vec<i64> {
        let order = vec!["\"id\"".to_owned()];
        let select = format!("select id from ({sql})");
        let ordered = Ordered { db, sql: select, binds: &[], order, key: vec![0] };
        let mut ids = Vec::new();
        ordered
            .each(None, |row, _| {
                ids.push(row.get(0).unwrap());
                // As if rows were wide: the second page is the smallest there is.
                Ok(Step::Next(PAGE_BYTES))
            })
            .unwrap();
        ids
    }

    #[test]
    fn pages_and_one_statement_give_the_same_rows() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "create table t (id integer primary key, c); create index by_c on t (c);
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)
             insert into t select i, i % 3 from n",
        )
        .unwrap();
        let expected: Vec<i64> = (1..=5000).filter(|id| id % 3 != 2).collect();
        assert_eq!(ordered(&db, "select * from t where c in (0, 1)"), expected);
        assert_eq!(ordered(&db, "select * from t where +c in (0, 1)"), expected);
    }
}
