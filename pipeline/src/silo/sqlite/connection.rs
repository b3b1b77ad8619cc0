//! How is the file opened, and how is it used off the runtime?

use std::path::Path;
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
        let db = Connection::open_with_flags(path, flags).map_err(|error| fault::of(&error))?;
        let set_up = || {
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
        Ok(Self { db: Arc::new(Mutex::new(db)), interrupt })
    }

    /// Ends the statement that is running, if one is; it fails with an error.
    pub(super) fn interrupt(&self) {
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
