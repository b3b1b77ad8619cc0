//! What does the catalogue know of a table: its columns, its indexes, how large it is?

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Value;

use super::ask::{self, number, text};
use super::link::Server;
use crate::SiloError;
use crate::silo::{SectionSource, SectionSpec};

/// A table, or a view.
pub(super) struct Table {
    pub(super) columns: BTreeMap<String, Declared>,
    /// Columns that `*` leaves out, in their order.
    pub(super) invisible: Vec<String>,
    /// Of a table of its own; a view has none.
    pub(super) engine: Option<String>,
    pub(super) bytes: u64,
    indexes: Vec<Index>,
}

/// A column as it was declared.
pub(super) struct Declared {
    pub(super) as_written: String,
    /// The type alone, such as `varchar`.
    pub(super) kind: String,
    /// Character set and collation of a text.
    pub(super) collation: Option<(String, String)>,
    /// A check says that it is JSON.
    pub(super) is_json: bool,
    nullable: bool,
}

struct Index {
    name: String,
    /// `None` for an expression.
    columns: Vec<Option<String>>,
    /// Only the beginning of its first column is in it.
    partial: bool,
    unique: bool,
    kind: String,
}

impl Table {
    /// Looks a section's table up; `None` for a query, and for a table that is not there.
    pub(super) async fn of(
        server: &mut Server,
        section: &SectionSpec,
    ) -> Result<Option<Self>, SiloError> {
        let SectionSource::Table { parts, .. } = &section.source else { return Ok(None) };
        let (schema, table) = match parts.as_slice() {
            [table] => (None, table),
            [schema, table] => (Some(schema), table),
            _ => {
                let what = "a table's name has one part, or two: database and table".to_owned();
                return Err(SiloError::Settings { what });
            }
        };
        let place = || {
            let schema = schema.map_or(Value::NULL, |name| Value::Bytes(name.as_bytes().to_vec()));
            vec![schema, Value::Bytes(table.as_bytes().to_vec())]
        };
        let Some(row) = ask::one(server, TABLE, place()).await? else { return Ok(None) };
        let is_view = text(&row, 0).is_some_and(|kind| kind.ends_with("VIEW"));
        let mut found = Self {
            columns: BTreeMap::new(),
            invisible: Vec::new(),
            engine: if is_view { None } else { text(&row, 1) },
            bytes: number(&row, 2),
            indexes: Vec::new(),
        };
        for row in ask::rows(server, COLUMNS, place()).await? {
            let name = text(&row, 0).unwrap_or_default();
            if text(&row, 6).is_some_and(|extra| extra.to_ascii_uppercase().contains("INVISIBLE")) {
                found.invisible.push(name.clone());
            }
            let declared = Declared {
                as_written: text(&row, 1).unwrap_or_default(),
                kind: text(&row, 2).unwrap_or_default().to_ascii_lowercase(),
                collation: text(&row, 3).zip(text(&row, 4)),
                is_json: false,
                nullable: text(&row, 5).is_none_or(|word| word != "NO"),
            };
            found.columns.insert(name, declared);
        }
        found.checks(server, place()).await?;
        for row in ask::rows(server, INDEXES, place()).await? {
            found.index(&row);
        }
        Ok(Some(found))
    }

    /// MariaDB's JSON is a text with a check.
    async fn checks(&mut self, server: &mut Server, place: Vec<Value>) -> Result<(), SiloError> {
        let texts = self.columns.values().any(|column| column.kind == "longtext");
        if !server.is_mariadb || !texts {
            return Ok(());
        }
        let checks = ask::rows(server, CHECKS, place).await?;
        let checks: BTreeSet<String> = checks.iter().filter_map(|row| text(row, 0)).collect();
        for (name, column) in &mut self.columns {
            let check = format!("json_valid({})", super::name::quote(name));
            column.is_json = column.kind == "longtext" && checks.contains(&check);
        }
        Ok(())
    }

    /// Adds a column to its index.
    fn index(&mut self, row: &mysql_async::Row) {
        let name = text(row, 0).unwrap_or_default();
        let column = text(row, 1);
        if let Some(index) = self.indexes.iter_mut().find(|index| index.name == name) {
            index.columns.push(column);
            return;
        }
        self.indexes.push(Index {
            name,
            columns: vec![column],
            partial: number(row, 2) > 0,
            unique: number(row, 3) == 0,
            kind: text(row, 4).unwrap_or_default(),
        });
    }

    /// Returns the columns of the primary key, in its order.
    pub(super) fn primary_key(&self) -> Vec<String> {
        let primary = self.indexes.iter().find(|index| index.name == "PRIMARY");
        primary.and_then(Index::plain).unwrap_or_default()
    }

    /// Says whether it promises a key: columns that cannot be NULL, and among them those of a unique index. An index over the
    /// beginnings of texts promises more than enough.
    pub(super) fn promises(&self, key: &[String]) -> bool {
        let promised = |index: &Index| {
            let columns = index.plain().filter(|columns| !columns.is_empty());
            index.unique
                && columns.is_some_and(|columns| columns.iter().all(|name| key.contains(name)))
        };
        key.iter().all(|name| self.columns.get(name).is_some_and(|column| !column.nullable))
            && self.indexes.iter().any(promised)
    }

    /// Says whether it can have indexes of its own.
    pub(super) const fn is_indexable(&self) -> bool {
        self.engine.is_some()
    }

    /// Says whether one of its indexes finds the rows of a column's value; of a range of values if `range`.
    pub(super) fn finds(&self, column: &str, range: bool) -> bool {
        self.indexes.iter().any(|index| {
            let fits = index.kind == "BTREE" || !range && index.kind == "HASH";
            fits && !(range && index.partial)
                && index.columns.first().is_some_and(|first| first.as_deref() == Some(column))
        })
    }

    /// Says whether what is read of it belongs to the snapshot.
    pub(super) fn has_snapshot(&self) -> bool {
        self.engine.as_deref().is_none_or(|engine| {
            ["innodb", "rocksdb"].iter().any(|known| engine.eq_ignore_ascii_case(known))
        })
    }
}

impl Index {
    /// Its columns, if it is of nothing else.
    fn plain(&self) -> Option<Vec<String>> {
        self.columns.iter().cloned().collect()
    }
}

const TABLE: &str = "select table_type, engine, coalesce(data_length, 0) from information_schema.tables \
     where table_schema = coalesce(?, database()) and table_name = ?";
const COLUMNS: &str = "select column_name, column_type, data_type, character_set_name, collation_name, is_nullable, extra \
     from information_schema.columns where table_schema = coalesce(?, database()) and table_name = ? \
     order by ordinal_position";
const CHECKS: &str = "select check_clause from information_schema.check_constraints \
     where constraint_schema = coalesce(?, database()) and table_name = ?";
const INDEXES: &str = "select index_name, column_name, coalesce(sub_part, 0), non_unique, index_type \
     from information_schema.statistics where table_schema = coalesce(?, database()) and table_name = ? \
     order by index_name, seq_in_index";
