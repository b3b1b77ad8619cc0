//! How is the store's file opened, and who may open it?

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::StoreError;

/// Takes the advisory lock that makes this process the store's owner. It ends with the returned file.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let file = private(&lock_path(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Creates the store's file, readable by its owner alone, unless there is one. SQLite gives its `-wal` and `-shm` files the
/// same mode.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    private(path).map(drop)
}

/// Opens a connection that may write.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    open(path)
}

/// Opens a connection that refuses to write.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Moves every page of the write-ahead log to the store and cuts the log to nothing; says whether nobody was in the way.
pub(super) fn empty_log(connection: &Connection) -> Result<bool, StoreError> {
    connection.busy_timeout(PATIENCE)?;
    let busy = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>("busy"));
    connection.busy_timeout(BUSY)?;
    Ok(!busy?)
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    // Each connection has a mutex of ours around it, so SQLite needs none.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan does not hang on the values that are bound: otherwise statements are parsed again for other values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Database(
            "the file system does not allow a write-ahead log".into(),
        ));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Answers with the value it set, unlike the others.
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

fn private(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Database(Box::new(error))
}

/// How long a statement waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// How long emptying the log waits for readers; nobody can write meanwhile.
const PATIENCE: Duration = Duration::from_millis(50);

/// More than there are statements, so that each is parsed once for a connection.
const STATEMENTS: usize = 128;
