//! What does the catalogue know of a table: its indexes, which columns cannot be NULL, how large it is?

use std::collections::BTreeSet;
use std::sync::LazyLock;

use tokio_postgres::Error;

use super::fault;
use super::link::Link;
use super::marks::MARK;
use crate::SiloError;
use crate::silo::{SectionSource, SectionSpec};
use crate::sql::quote;

/// A table, a view or what else is read as one.
#[derive(PartialEq, Eq)]
pub(super) struct Table {
    /// Quoted.
    pub(super) name: String,
    /// Another one when columns or indexes are others.
    pub(super) mark: String,
    /// Tables inherit from it: their rows are read with its own, and its indexes know nothing of them.
    inherited: bool,
    /// Policies of the server decide which of its rows this login sees.
    pub(super) policed: bool,
    /// The letter of `pg_class.relkind`.
    kind: String,
    not_null: BTreeSet<String>,
    indexes: Vec<Index>,
}

#[derive(PartialEq, Eq)]
struct Index {
    /// `None` for an expression, and for a column under another collation than its own, in which other values are equal.
    columns: Vec<Option<String>>,
    primary: bool,
    /// Unique for every row, at every moment.
    unique: bool,
    /// Valid, and of all rows.
    whole: bool,
    method: String,
}

impl Table {
    /// Looks a section's table up; `None` for a query, and for a table that is not there.
    pub(super) async fn of(link: &Link, section: &SectionSpec) -> Result<Option<Self>, SiloError> {
        match name(section) {
            Some(name) => Self::look_up(link, &name).await.map_err(|error| fault::running(&error)),
            None => Ok(None),
        }
    }

    async fn look_up(link: &Link, name: &str) -> Result<Option<Self>, Error> {
        let statement = link.ready(CATALOGUE, &TABLE).await?;
        let mut table = None;
        for row in link.client().query(&statement, &[&name]).await? {
            let table = table.get_or_insert(Self {
                name: name.to_owned(),
                mark: row.try_get(8)?,
                policed: row.try_get(9)?,
                kind: row.try_get(0)?,
                inherited: row.try_get(1)?,
                not_null: row.try_get::<_, Vec<String>>(2)?.into_iter().collect(),
                indexes: Vec::new(),
            });
            if let Some(columns) = row.try_get(3)? {
                table.indexes.push(Index {
                    columns,
                    primary: row.try_get(4)?,
                    unique: row.try_get(5)?,
                    whole: row.try_get(6)?,
                    method: row.try_get(7)?,
                });
            }
        }
        Ok(table)
    }

    /// Returns how many bytes a section's table has on the server's disk.
    pub(super) async fn bytes(link: &Link, section: &SectionSpec) -> Result<i64, SiloError> {
        let Some(name) = name(section) else { return Ok(0) };
        let found = async {
            let statement = link.ready(CATALOGUE, BYTES).await?;
            let found = link.client().query_opt(&statement, &[&name]).await?;
            found.map_or(Ok(0), |row| row.try_get(0))
        };
        found.await.map_err(|error: Error| fault::running(&error))
    }

    /// Returns the columns of the primary key, in its order.
    pub(super) fn primary_key(&self) -> Vec<String> {
        let primary = self.indexes.iter().find(|index| index.primary);
        primary.and_then(Index::plain).unwrap_or_default()
    }

    /// Says whether it promises a key: columns that cannot be NULL, and among them those of a unique index.
    pub(super) fn promises(&self, key: &[String]) -> bool {
        let promised = |index: &Index| {
            let columns = index.plain().filter(|columns| !columns.is_empty());
            index.unique
                && columns.is_some_and(|columns| columns.iter().all(|name| key.contains(name)))
        };
        !self.inherited
            && key.iter().all(|name| self.not_null.contains(name))
            && self.indexes.iter().any(promised)
    }

    /// Says whether no row has NULL there, those of inheriting tables included.
    pub(super) fn is_never_null(&self, column: &str) -> bool {
        !self.inherited && self.not_null.contains(column)
    }

    /// Says whether it can have indexes of its own.
    pub(super) fn is_indexable(&self) -> bool {
        matches!(self.kind.as_str(), "r" | "p" | "m")
    }

    /// Says whether one of its indexes finds the rows of a column's value; of a range of values if `range`.
    pub(super) fn finds(&self, column: &str, range: bool) -> bool {
        let methods = if range { ["btree", "brin"] } else { ["btree", "hash"] };
        self.indexes.iter().any(|index| {
            index.whole
                && methods.contains(&index.method.as_str())
                && index.columns.first().is_some_and(|first| first.as_deref() == Some(column))
        })
    }
}

impl Index {
    /// Its columns, if it is of nothing else.
    fn plain(&self) -> Option<Vec<String>> {
        self.columns.iter().cloned().collect()
    }
}

/// The quoted name of a section's table.
fn name(section: &SectionSpec) -> Option<String> {
    let SectionSource::Table { parts, .. } = &section.source else { return None };
    let parts: Vec<String> = parts.iter().map(|part| quote(part)).collect();
    Some(parts.join("."))
}

/// The generation of statements on the catalogue, which does not change.
pub(super) const CATALOGUE: u64 = u64::MAX;
/// A row for each index, and one if there is none.
static TABLE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "select c.relkind::text, \
     c.relkind <> 'p' and exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid), \
     array(select a.attname::text from pg_catalog.pg_attribute a \
       where a.attrelid = c.oid and a.attnum > 0 and a.attnotnull and not a.attisdropped order by a.attnum), \
     i.columns, i.is_primary, i.is_unique, i.is_whole, i.method, {MARK}, pg_catalog.row_security_active(c.oid) \
     from pg_catalog.pg_class c left join lateral (select \
       array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k (number, place) \
         left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number \
           and a.attcollation = i.indcollation[(k.place - 1)::int] \
         where k.place <= i.indnkeyatts order by k.place) as columns, \
       i.indisprimary as is_primary, \
       i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null as is_unique, \
       i.indisvalid and i.indpred is null as is_whole, \
       m.amname::text as method, i.indexrelid \
       from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid \
       join pg_catalog.pg_am m on m.oid = x.relam \
       where i.indrelid = c.oid) i on true \
     where c.oid = pg_catalog.to_regclass($1) order by i.indexrelid"
    )
});
const BYTES: &str = "select case \
       when c.relkind = 'p' then (select coalesce(sum(pg_catalog.pg_relation_size(t.relid)), 0)::int8 \
         from pg_catalog.pg_partition_tree(c.oid) t) \
       when c.relkind in ('r', 'm') then pg_catalog.pg_relation_size(c.oid) else 0 end \
     from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass($1)";
