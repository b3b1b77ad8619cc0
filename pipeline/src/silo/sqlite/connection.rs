//! How is the file opened, and how is it used off the runtime?

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, InterruptHandle, OpenFlags};

use super::fault;
use crate::SiloError;

/// One connection with its read transaction, used by one blocking call at a time.
#[derive(Clone)]
pub(super) struct Shared {
    db: Arc<Mutex<Connection>>,
    interrupt: Arc<InterruptHandle>,
    /// Looked at now and then by every statement: one that begins while SQLite is told to interrupt does not hear it.
    ended: Arc<AtomicBool>,
}

impl Shared {
    pub(super) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, SiloError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => {
                // The path is for the operator alone: the error goes into manifest and report.
                tracing::warn!(path = %path.display(), "the silo's database file is missing");
                return Err(SiloError::Missing { what: "the database file".to_owned() });
            }
            Err(error) => return Err(SiloError::Unavailable { reason: error.to_string() }),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags).map_err(|error| fault::of(&error))?;
        let ended = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&ended);
        let set_up = || {
            db.progress_handler(STEPS, Some(move || heard.load(Ordering::Relaxed)))?;
            db.busy_timeout(busy_timeout)?;
            // A quoted name that no column has is an error; SQLite would take it for a text that no row equals.
            db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
            // Sorting must not spill rows into a temporary file.
            db.pragma_update(None, "temp_store", "MEMORY")?;
            db.pragma_update(None, "query_only", true)?;
            db.pragma_update(None, "trusted_schema", false)?;
            db.execute_batch("begin")?;
            // The snapshot begins with the first read, and a damaged header shows.
            db.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))
        };
        set_up().map_err(|error| fault::of(&error))?;
        let interrupt = Arc::new(db.get_interrupt_handle());
        Ok(Self { db: Arc::new(Mutex::new(db)), interrupt, ended })
    }

    /// Ends the statement that is running, if one is, and every later one; they fail with an error.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.interrupt.interrupt();
    }

    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, SiloError>,
    ) -> Result<T, SiloError> {
        work(&self.db.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs blocking work; a panic in it is an error of the silo, not of the daemon.
pub(super) async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SiloError> + Send + 'static,
) -> Result<T, SiloError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(crate::silo::batches::stopped()))
}

/// Steps of SQLite's machine, some hundred microseconds, between two looks at whether it is to end.
const STEPS: i32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_begins_after_the_end_does_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("silo.db");
        Connection::open(&path).unwrap().execute_batch("create table t (i)").unwrap();
        let shared = Shared::open(&path, Duration::ZERO).unwrap();
        shared.end();
        let forever =
            "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
        let ran = shared.with(|db| {
            db.query_row(forever, [], |_| Ok(())).map_err(|error| fault::while_reading(&error))
        });
        assert!(matches!(ran, Err(SiloError::Unavailable { .. })), "{ran:?}");
    }
}
