//! What is the embedded store, and how does it run a transaction?

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::{Connection, TransactionBehavior};

use super::migrate::Older;
use super::values::whole_micros;
use super::work::Work;
use super::{Sealing, audit, connection, migrate};
use crate::{Clock, StoreError};

/// A job store in one SQLite file.
///
/// Every write is one `BEGIN IMMEDIATE` transaction that is on disk when the call returns. Times are kept to the
/// microsecond. Clones share their connections. Dropping the last one closes the file and gives up its ownership.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

impl SqliteStore {
    /// Opens the store at `path` as its only owner, making or migrating it as needed. A new file has mode 0600.
    ///
    /// Blocks on the disk: call it before serving, or off the runtime.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process (or another store of this one) owns it, [`StoreError::TooNew`] for a store of
    /// a later version, [`StoreError::Corrupt`] if other keys sealed it.
    pub fn open(path: &Path, sealing: Sealing, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let owned = connection::lock(path)?;
        Self::start(path, sealing, clock, Some(owned))
    }

    /// Opens the store beside the process that owns it, for one short command such as recording an API key.
    ///
    /// Such a caller must not lease jobs, nor call [`release_all`](crate::JobStore::release_all).
    ///
    /// A store of an earlier version is migrated only while nobody owns it; no daemon can start on it meanwhile.
    ///
    /// # Errors
    /// As [`open`](Self::open), but [`StoreError::EarlierOwner`] instead of [`StoreError::InUse`], and for an older store only.
    pub fn open_shared(
        path: &Path,
        sealing: Sealing,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::start(path, sealing, clock, None)
    }

    fn start(
        path: &Path,
        sealing: Sealing,
        clock: Arc<dyn Clock>,
        owned: Option<File>,
    ) -> Result<Self, StoreError> {
        connection::create(path)?;
        let mut writer = connection::writer(path)?;
        let meanwhile = match &owned {
            None if Older::look(&writer)?.is_some() => own_meanwhile(path)?,
            _ => None,
        };
        let alone = owned.is_some() || meanwhile.is_some();
        let migrated = migrate::migrate(&mut writer, &sealing, |Older { found, known }| {
            let path = path.to_owned();
            if alone { Ok(()) } else { Err(StoreError::EarlierOwner { path, found, known }) }
        })?;
        drop(meanwhile);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id = audit::writer_id(&transaction, &sealing)?;
        transaction.commit()?;
        if migrated || owned.is_some() {
            // What an owner that crashed deleted last, and what a step of the migration sealed, is still in the log.
            scrubbed(&connection::empty_log(&writer));
        }
        let readers = (0..READERS)
            .map(|_| connection::reader(path).map(Mutex::new))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                id,
                sealing,
                clock,
                writer: Mutex::new(writer),
                readers,
                turn: AtomicUsize::new(0),
                _owned: owned,
            }),
        })
    }

    /// Runs `work` in a transaction that may write, committed if it answers `Ok`.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Work<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.blocking(move |inner| {
            let mut connection = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
            inner.transaction(&mut connection, TransactionBehavior::Immediate, work)
        })
        .await
    }

    /// Runs `work` on one unchanging view of the store.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Work<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.blocking(move |inner| {
            let mut connection = inner.reader()?;
            inner.transaction(&mut connection, TransactionBehavior::Deferred, work)
        })
        .await
    }

    /// Takes what was overwritten out of the write-ahead log, so that it is in no file any more; says whether it is.
    ///
    /// Best effort: while somebody else reads, the log keeps it until the next call, or until the store is closed.
    pub(super) async fn scrub(&self) -> bool {
        let emptied = self
            .blocking(|inner| {
                let connection = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
                connection::empty_log(&connection)
            })
            .await;
        scrubbed(&emptied)
    }

    /// Sets what a write does while another process's transaction is open.
    #[cfg(test)]
    pub(super) fn when_busy(&self, wait: impl FnMut(i32) -> bool + Send + 'static) {
        let mut connection = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        connection.busy_handler(Some(wait)).expect("SQLite takes it");
    }

    async fn blocking<T, F>(&self, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || run(&inner)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down and never began the call.
                Err(error) => Err(StoreError::Database(Box::new(error))),
            },
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

struct Inner {
    path: PathBuf,
    id: [u8; 16],
    sealing: Sealing,
    clock: Arc<dyn Clock>,
    writer: Mutex<Connection>,
    readers: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
    /// Holds the lock on `<path>.lock`; the last field, so that the connections close first.
    _owned: Option<File>,
}

impl Inner {
    /// Returns a free reader, or waits for the one whose turn it is.
    fn reader(&self) -> Result<MutexGuard<'_, Connection>, StoreError> {
        for reader in &self.readers {
            match reader.try_lock() {
                Ok(connection) => return Ok(connection),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % READERS;
        let reader =
            self.readers.get(turn).ok_or_else(|| StoreError::Database("no reader".into()))?;
        Ok(reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A panic or an `Err` of `work` rolls back: the transaction is dropped without a commit.
    fn transaction<T>(
        &self,
        connection: &mut Connection,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Work<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = connection.transaction_with_behavior(behavior)?;
        let answer = work(&Work {
            sql: &transaction,
            sealing: &self.sealing,
            writer: &self.id,
            now: whole_micros(self.clock.now()),
        })?;
        transaction.commit()?;
        Ok(answer)
    }
}

/// Takes the owner's lock for somebody who does not own the store; `None` while somebody does.
fn own_meanwhile(path: &Path) -> Result<Option<File>, StoreError> {
    match connection::lock(path) {
        Ok(owned) => Ok(Some(owned)),
        Err(StoreError::InUse { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn scrubbed(emptied: &Result<bool, StoreError>) -> bool {
    match emptied {
        Ok(true) => {}
        Ok(false) => tracing::debug!("the store's log is in use and keeps old pages for now"),
        Err(error) => tracing::warn!(code = error.code(), "the store's log was not emptied"),
    }
    matches!(emptied, Ok(true))
}

/// Connections for reading: two, so that a slow read (a large plan, the audit log) holds up nobody.
const READERS: usize = 2;
