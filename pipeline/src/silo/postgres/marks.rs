//! Is what is remembered of tables still what the catalogue says? Asked once for all of them in a snapshot: its rows of the catalogue do
//! not change, so that neither does the answer.

use std::collections::HashMap;
use std::sync::LazyLock;

use tokio::sync::OnceCell;
use tokio_postgres::Error;

use super::fault;
use super::indexes::CATALOGUE;
use super::link::Link;
use crate::SiloError;

/// The marks of tables in one snapshot, by their quoted names. A table has the same mark as long as it has the same columns and
/// indexes.
#[derive(Debug, Default)]
pub(super) struct Marks {
    asked: OnceCell<HashMap<String, String>>,
}

impl Marks {
    /// Returns a table's mark; `None` if it was not remembered yet when marks were asked for, or the server does not tell.
    pub(super) async fn of(&self, link: &Link, table: &str) -> Result<Option<&str>, SiloError> {
        let marks = self.asked.get_or_try_init(|| ask(link)).await?;
        Ok(marks.get(table).map(String::as_str))
    }
}

async fn ask(link: &Link) -> Result<HashMap<String, String>, SiloError> {
    let names = link.remembered_tables();
    let asked = async {
        let statement = link.ready(CATALOGUE, &ALL).await?;
        let found = link.client().query(&statement, &[&names]).await?;
        found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    };
    match asked.await {
        // Then each table is looked up by itself.
        Err(error) if Error::as_db_error(&error).is_some() => {
            link.roll_back().await?;
            Ok(HashMap::new())
        }
        asked => asked.map_err(|error| fault::running(&error)),
    }
}

/// The mark of the row `c` of `pg_class`, as SQL.
pub(super) const MARK: &str = "pg_catalog.concat_ws(' ', c.oid, c.relkind, \
     pg_catalog.row_security_active(c.oid), \
     exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid), \
     (select pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attnum, pg_catalog.quote_ident(a.attname), a.atttypid, a.atttypmod, \
         a.attcollation, a.attnotnull, a.attisdropped), ',' order by a.attnum)) \
       from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0), \
     (select pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', i.indexrelid, i.indkey, i.indnkeyatts, i.indcollation, \
         i.indisprimary, i.indisunique, i.indimmediate, i.indisvalid, i.indpred is null, i.indexprs is null), ',' \
         order by i.indexrelid)) \
       from pg_catalog.pg_index i where i.indrelid = c.oid))";
/// Names, and the marks of those that are there.
static ALL: LazyLock<String> = LazyLock::new(|| {
    format!(
        "select n.name, {MARK} from pg_catalog.unnest($1::text[]) n (name) \
         join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(n.name)"
    )
});
