//! Which schema does a store have, and how does it get the newest one?

use rusqlite::{Connection, TransactionBehavior};

use super::{Sealing, reseal};
use crate::StoreError;

/// Brings the schema up to date in one transaction; says whether there was anything to do. A crash leaves the schema as it was.
/// Safe to call by two processes at once, unless one is of an earlier version and serves: its statements fail afterwards. So
/// `allow` is asked before a store that an earlier version made is changed.
///
/// # Errors
/// What `allow` answers.
/// [`StoreError::TooNew`] for a store of a later version of this program; it is left as it is.
pub(super) fn migrate(
    connection: &mut Connection,
    sealing: &Sealing,
    allow: impl FnOnce(Older) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    if found > known() {
        return Err(StoreError::TooNew { found, known: known() });
    }
    if let Some(older) = Older::of(found) {
        allow(older)?;
    }
    for (step, (sql, then)) in (1_u32..).zip(MIGRATIONS).filter(|(step, _)| *step > found) {
        transaction.execute_batch(sql)?;
        then(&transaction, sealing)?;
        transaction.pragma_update(None, "user_version", step)?;
    }
    transaction.commit()?;
    if found < known() {
        tracing::info!(from = found, schema = known(), "store migrated");
    }
    Ok(found < known())
}

/// The schema of a store that an earlier version made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Older {
    pub(super) found: u32,
    pub(super) known: u32,
}

impl Older {
    /// Looks at a store; `None` for one that is new or up to date.
    pub(super) fn look(connection: &Connection) -> Result<Option<Self>, StoreError> {
        Ok(Self::of(version(connection)?))
    }

    fn of(found: u32) -> Option<Self> {
        let known = known();
        (1..known).contains(&found).then_some(Self { found, known })
    }
}

fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// What SQL alone cannot do, after the SQL of a step and in its transaction.
type Then = fn(&Connection, &Sealing) -> Result<(), StoreError>;

/// Every step, in order. A step that was released is never edited.
const MIGRATIONS: [(&str, Then); 4] = [
    (include_str!("../../migrations/sqlite/0001_store.sql"), |_, _| Ok(())),
    (include_str!("../../migrations/sqlite/0002_compliance.sql"), |_, _| Ok(())),
    (include_str!("../../migrations/sqlite/0003_keys.sql"), reseal::second_schema),
    (include_str!("../../migrations/sqlite/0004_leases.sql"), |_, _| Ok(())),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::tests::room::Room;

    #[tokio::test]
    async fn a_second_run_changes_nothing() {
        let sealing = Room::new().await.sealing;
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut connection, &sealing, |_| Ok(())).unwrap());
        connection.execute("INSERT INTO meta VALUES ('a', x'00')", []).unwrap();
        assert!(!migrate(&mut connection, &sealing, |_| Ok(())).unwrap());
        assert_eq!(version(&connection).unwrap(), 4);
        let kept: u32 =
            connection.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 1);
    }

    #[tokio::test]
    async fn a_store_of_a_later_version_is_refused_and_left_alone() {
        let sealing = Room::new().await.sealing;
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 5).unwrap();
        let error = migrate(&mut connection, &sealing, |_| Ok(())).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 5, known: 4 }));
        let tables: u32 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 0);
    }

    #[tokio::test]
    async fn every_table_is_strict() {
        let sealing = Room::new().await.sealing;
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &sealing, |_| Ok(())).unwrap();
        let loose: u32 = connection
            .query_row(
                "SELECT count(*) FROM pragma_table_list
                 WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(loose, 0);
    }
}
