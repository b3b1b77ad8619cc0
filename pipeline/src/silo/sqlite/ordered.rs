//! How are rows read in the order of a unique key without sorting them all?
//!
//! Where an index gives the order, one statement does it. Elsewhere SQLite would sort whole rows in memory. So keys and widths are
//! sorted alone, many at a time, and the rows are read page by page, from one key to another that is so far behind it that the
//! sorter holds some mebibytes, or one row.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params_from_iter};

use super::fault;
use super::select::to_sql;
use crate::{SiloError, Value};

/// A selection with its order.
pub(super) struct Ordered<'a> {
    pub(super) db: &'a Connection,
    /// The statement that selects the rows, without order.
    pub(super) from: &'a str,
    pub(super) binds: &'a [Sql],
    /// The columns that are read, quoted.
    pub(super) columns: Vec<String>,
    /// The key as it is compared and ordered.
    pub(super) order: Vec<String>,
    /// Where the key's columns are among those that are read.
    pub(super) key: Vec<usize>,
}

/// Whether the next row is wanted.
pub(super) enum Step {
    Next,
    Stop,
}

/// A key, and about how many bytes its row takes.
type Wide = (Vec<Value>, usize);

/// The rows of one statement: those behind a key, up to another one.
#[derive(Default)]
struct Span<'a> {
    after: Option<&'a [Value]>,
    until: Option<&'a [Value]>,
    most: Option<usize>,
}

impl Ordered<'_> {
    /// Visits the rows whose key is behind `after`, each with its key; `None` for a key with a NULL in it.
    pub(super) fn each(
        &self,
        after: Option<&[Value]>,
        mut visit: impl FnMut(&Row<'_>, Option<Vec<Value>>) -> Result<Step, SiloError>,
    ) -> Result<(), SiloError> {
        let all = Span { after, ..Span::default() };
        if !self.sorts(&all)? {
            self.span(&self.columns, &all, &mut visit)?;
            return Ok(());
        }
        let most = self.most_keys()?;
        let mut after = after.map(<[Value]>::to_vec);
        loop {
            let behind = Span { after: after.as_deref(), until: None, most: Some(most) };
            if self.columns.len() == self.key.len() {
                let page = self.span(&self.columns, &behind, &mut visit)?;
                after = page.last;
                if page.stopped || page.rows < most || after.is_none() {
                    return Ok(());
                }
                continue;
            }
            let keys = self.keys(&behind)?;
            let (pages, ends) = (pages(&keys), keys.len() < most);
            let count = pages.len();
            for (index, (rows, last)) in pages.into_iter().enumerate() {
                // Nothing is behind the last of all: a row that is, would be one that had no key a moment ago.
                let until = Some(last).filter(|_| !ends || index + 1 < count);
                let span = Span { after: after.as_deref(), until, most: None };
                let page = self.span(&self.columns, &span, &mut visit)?;
                if page.stopped {
                    return Ok(());
                }
                if page.rows != rows || page.last.as_deref() != Some(last) {
                    return Err(SiloError::ShapeChanged);
                }
                after = Some(last.to_vec());
            }
            if ends {
                return Ok(());
            }
        }
    }

    /// Returns how many keys the sorter may hold.
    fn most_keys(&self) -> Result<usize, SiloError> {
        let widths: Vec<String> = self.key_columns().map(|column| width(column)).collect();
        let sql = format!("select max({}) from ({})", sum(&widths), self.from);
        let widest: Option<i64> = self
            .db
            .query_row(&sql, params_from_iter(self.binds), |row| row.get(0))
            .map_err(|error| fault::while_reading(&error))?;
        let widest = usize::try_from(widest.unwrap_or_default()).unwrap_or(usize::MAX);
        Ok((PAGE_BYTES / widest.saturating_add(OF_KEY)).max(1))
    }

    fn key_columns(&self) -> impl Iterator<Item = &String> {
        self.key.iter().filter_map(|column| self.columns.get(*column))
    }

    /// Returns keys and about how many bytes their rows take.
    fn keys(&self, span: &Span<'_>) -> Result<Vec<Wide>, SiloError> {
        let mut selected: Vec<String> = self.key_columns().cloned().collect();
        let widths: Vec<String> = self.columns.iter().map(|column| width(column)).collect();
        selected.push(sum(&widths));
        let (place, mut keys) = (selected.len() - 1, Vec::new());
        let of_keys: Vec<usize> = (0..place).collect();
        self.statement(&selected, span, |row| {
            let width: i64 = row.get(place).map_err(|error| fault::while_reading(&error))?;
            let key = super::read::key_at(row, &of_keys);
            let key = key.map_err(|error| fault::while_reading(&error))?;
            keys.push((key.ok_or(SiloError::ShapeChanged)?, usize::try_from(width).unwrap_or(0)));
            Ok(Step::Next)
        })?;
        Ok(keys)
    }

    fn span(
        &self,
        columns: &[String],
        span: &Span<'_>,
        visit: &mut impl FnMut(&Row<'_>, Option<Vec<Value>>) -> Result<Step, SiloError>,
    ) -> Result<Page, SiloError> {
        let mut page = Page { rows: 0, last: None, stopped: false };
        self.statement(columns, span, |row| {
            let key = super::read::key_at(row, &self.key);
            let key = key.map_err(|error| fault::while_reading(&error))?;
            page.rows += 1;
            page.last.clone_from(&key);
            let step = visit(row, key)?;
            page.stopped = matches!(step, Step::Stop);
            Ok(step)
        })?;
        Ok(page)
    }

    fn statement(
        &self,
        columns: &[String],
        span: &Span<'_>,
        mut visit: impl FnMut(&Row<'_>) -> Result<Step, SiloError>,
    ) -> Result<(), SiloError> {
        let sql = self.sql(columns, span);
        let mut statement = self.db.prepare(&sql).map_err(|error| fault::of(&error))?;
        let failed = |error: rusqlite::Error| fault::while_reading(&error);
        let mut found = statement.query(params_from_iter(self.bound(span))).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            if matches!(visit(row)?, Step::Stop) {
                break;
            }
        }
        Ok(())
    }

    /// Asks SQLite whether it would sort.
    fn sorts(&self, span: &Span<'_>) -> Result<bool, SiloError> {
        let sql = format!("explain query plan {}", self.sql(&self.columns, span));
        let ask = || {
            let mut statement = self.db.prepare(&sql)?;
            let mut steps = statement.query(params_from_iter(self.bound(span)))?;
            while let Some(step) = steps.next()? {
                if step.get::<_, String>("detail")?.contains("TEMP B-TREE") {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        ask().map_err(|error: rusqlite::Error| fault::of(&error))
    }

    fn sql(&self, columns: &[String], span: &Span<'_>) -> String {
        let order = self.order.join(", ");
        let marks = vec!["?"; self.order.len()].join(", ");
        let after = span.after.map(|_| format!("({order}) > ({marks})"));
        let until = span.until.map(|_| format!("({order}) <= ({marks})"));
        let conditions: Vec<String> = after.into_iter().chain(until).collect();
        let narrowed = if conditions.is_empty() { "" } else { " where " };
        let limit = span.most.map(|most| format!(" limit {most}")).unwrap_or_default();
        format!(
            "select {} from ({}){narrowed}{} order by {order}{limit}",
            columns.join(", "),
            self.from,
            conditions.join(" and ")
        )
    }

    fn bound(&self, span: &Span<'_>) -> Vec<Sql> {
        let mut binds = self.binds.to_vec();
        let keys = [span.after, span.until].into_iter().flatten();
        binds.extend(keys.flatten().map(to_sql));
        binds
    }
}

struct Page {
    rows: usize,
    last: Option<Vec<Value>>,
    stopped: bool,
}

/// Parts keys where their rows are as many bytes as a page may have; returns how many there are in each, and the last.
fn pages(keys: &[Wide]) -> Vec<(usize, &[Value])> {
    let mut pages = Vec::new();
    let (mut rows, mut bytes) = (0, 0_usize);
    for (index, (key, width)) in keys.iter().enumerate() {
        rows += 1;
        bytes = bytes.saturating_add(*width);
        let next = keys.get(index + 1).map(|(_, width)| *width);
        if next.is_none_or(|next| bytes.saturating_add(next) > PAGE_BYTES) {
            pages.push((rows, key.as_slice()));
            (rows, bytes) = (0, 0);
        }
    }
    pages
}

/// About what the sorter holds of a value. Where it can, SQLite answers `octet_length` without loading the value.
fn width(column: &str) -> String {
    format!("coalesce(octet_length({column}), 0) + 2")
}

/// Adds terms in groups of groups: an expression may not be deep.
fn sum(terms: &[String]) -> String {
    if terms.len() <= TERMS {
        return terms.join(" + ");
    }
    let groups = terms.chunks(TERMS).map(|terms| format!("({})", terms.join(" + ")));
    sum(&groups.collect::<Vec<_>>())
}

/// What the sorter holds of a key beside its values: its row's width, and a node.
const OF_KEY: usize = 64;
/// Bytes of a page, about: what the sorter holds of keys, or of rows.
const PAGE_BYTES: usize = 8 << 20;
const TERMS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered<'a>(db: &'a Connection, from: &'a str) -> Ordered<'a> {
        let (order, columns) =
            (vec!["\"id\"".to_owned()], vec!["\"c\"".to_owned(), "\"id\"".to_owned()]);
        Ordered { db, from, binds: &[], columns, order, key: vec![1] }
    }

    fn ids(ordered: &Ordered<'_>, after: Option<i64>) -> Vec<i64> {
        let mut ids = Vec::new();
        let after = after.map(|after| vec![Value::Integer(after)]);
        let visit = |row: &Row<'_>, _| {
            ids.push(row.get(1).unwrap());
            Ok(Step::Next)
        };
        ordered.each(after.as_deref(), visit).unwrap();
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
        for from in ["select * from t where c in (0, 1)", "select * from t where +c in (0, 1)"] {
            assert_eq!(ids(&ordered(&db, from), None), expected, "{from}");
            assert_eq!(ids(&ordered(&db, from), Some(3_000)), expected[2_000..], "{from}");
        }
    }

    #[test]
    fn more_rows_than_keys_that_are_sorted_at_once_are_all_read() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "create table t (id, c);
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 400)
             insert into t select printf('%060000d', 401 - i), i from n",
        )
        .unwrap();
        let all = ordered(&db, "select * from t");
        assert!((100..200).contains(&all.most_keys().unwrap()));
        let columns = vec!["\"id\"".to_owned()];
        let keys_only = Ordered { columns, key: vec![0], ..ordered(&db, "select * from t") };
        for (ordered, rows) in [(all, 400), (keys_only, 399)] {
            let mut count = 0;
            let visit = |_: &Row<'_>, key: Option<Vec<Value>>| {
                count += 1;
                assert_eq!(key, Some(vec![Value::Text(format!("{count:060000}"))]));
                Ok(if count == rows { Step::Stop } else { Step::Next })
            };
            ordered.each(None, visit).unwrap();
            assert_eq!(count, rows);
        }
    }

    #[test]
    fn a_page_has_some_mebibytes_or_one_row() {
        let key = |n: i64| vec![Value::Integer(n)];
        let keys: Vec<_> = [1, PAGE_BYTES, 5, 6, PAGE_BYTES * 2, PAGE_BYTES - 1, 1, 1]
            .into_iter()
            .zip(1..)
            .map(|(width, n)| (key(n), width))
            .collect();
        let found: Vec<_> =
            pages(&keys).into_iter().map(|(rows, last)| (rows, last.to_vec())).collect();
        let expected = [(1, 1), (1, 2), (2, 4), (1, 5), (2, 7), (1, 8)];
        assert_eq!(found, expected.map(|(rows, last)| (rows, key(last))));
        assert!(pages(&[]).is_empty());
    }

    #[test]
    fn large_rows_are_sorted_a_few_at_a_time() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "create table t (id text collate nocase primary key, c);
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 40)
             insert into t select printf('%03d', i), zeroblob(4000000) from n",
        )
        .unwrap();
        let order = vec!["\"id\" collate binary".to_owned()];
        let ordered = Ordered { order, ..ordered(&db, "select * from t") };
        let mut rows = 0;
        ordered
            .each(None, |row, _| {
                rows += 1;
                assert_eq!(row.get::<_, String>(1).unwrap(), format!("{rows:03}"));
                Ok(Step::Next)
            })
            .unwrap();
        assert_eq!(rows, 40);
        let keys = ordered.keys(&Span::default()).unwrap();
        assert_eq!(pages(&keys).len(), 20, "two of them are less than a page may have");
    }
}
