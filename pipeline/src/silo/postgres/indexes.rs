//! What does the catalogue know of a table: its indexes, which columns cannot be NULL, how large it is.

use std::collections::BTreeSet;

use tokio_postgres::{Client, Error};

use super::fault;
use crate::SiloError;
use crate::silo::{SectionSource, SectionSpec};
use crate::sql::quote;

/// A table, a view or what else is read as one.
pub(super) struct Table {
    /// Tables inherit from it: their rows are read with its own, and its indexes know nothing of them.
    inherited: bool,
    /// The letter of `pg_class.relkind`.
    kind: String,
    pub(super) bytes: i64,
    not_null: BTreeSet<String>,
    indexes: Vec<Index>,
}

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
    pub(super) async fn of(
        client: &Client,
        section: &SectionSpec,
    ) -> Result<Option<Self>, SiloError> {
        let SectionSource::Table { parts, .. } = &section.source else { return Ok(None) };
        let name: Vec<String> = parts.iter().map(|part| quote(part)).collect();
        Self::look_up(client, &name.join(".")).await.map_err(|error| fault::running(&error))
    }

    async fn look_up(client: &Client, name: &str) -> Result<Option<Self>, Error> {
        let Some(found) = client.query_opt(TABLE, &[&name]).await? else { return Ok(None) };
        let oid: u32 = found.try_get(0)?;
        let mut table = Self {
            kind: found.try_get(1)?,
            inherited: found.try_get(2)?,
            bytes: found.try_get(3)?,
            not_null: BTreeSet::new(),
            indexes: Vec::new(),
        };
        for row in client.query(NOT_NULL, &[&oid]).await? {
            table.not_null.insert(row.try_get(0)?);
        }
        for row in client.query(INDEXES, &[&oid]).await? {
            table.indexes.push(Index {
                columns: row.try_get(0)?,
                primary: row.try_get(1)?,
                unique: row.try_get(2)?,
                whole: row.try_get(3)?,
                method: row.try_get(4)?,
            });
        }
        Ok(Some(table))
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

const TABLE: &str = "select c.oid, c.relkind::text, \
     c.relkind <> 'p' and exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid), \
     case when c.relkind = 'p' then (select coalesce(sum(pg_catalog.pg_relation_size(t.relid)), 0)::int8 \
       from pg_catalog.pg_partition_tree(c.oid) t) \
       when c.relkind in ('r', 'm') then pg_catalog.pg_relation_size(c.oid) else 0 end \
     from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass($1)";
const NOT_NULL: &str = "select a.attname::text from pg_catalog.pg_attribute a \
     where a.attrelid = $1 and a.attnum > 0 and a.attnotnull and not a.attisdropped";
const INDEXES: &str = "select \
     array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k (number, place) \
       left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number \
         and a.attcollation = i.indcollation[(k.place - 1)::int] \
       where k.place <= i.indnkeyatts order by k.place), \
     i.indisprimary, \
     i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null, \
     i.indisvalid and i.indpred is null, \
     m.amname::text \
     from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid \
     join pg_catalog.pg_am m on m.oid = c.relam \
     where i.indrelid = $1 order by i.indexrelid";
