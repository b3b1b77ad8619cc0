//! How is a connection used off the runtime, and how does its work end when nobody waits for it any more?

use std::sync::{Arc, Mutex, PoisonError};

use antumbra_adbc::{Canceller, Connection, Error, Rows};
use arrow_array::RecordBatch;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::dialect::Dialect;
use super::fault;
use super::select::Sql;
use crate::SiloError;
use crate::silo::BatchSender;
use crate::silo::batches::stopped;

/// One connection with its transaction, used by one blocking call at a time.
pub(super) struct Link {
    connection: Mutex<Connection>,
    dialect: Arc<Dialect>,
    has_transaction: bool,
}

/// The connection, while it is this caller's turn.
pub(super) struct Server<'a> {
    connection: &'a mut Connection,
    has_transaction: bool,
    pub(super) dialect: &'a Dialect,
    stopper: &'a Stopper,
}

/// Ends the statement that runs now and every later one of the same work.
#[derive(Default)]
pub(super) struct Stopper {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stopped: bool,
    running: Option<Arc<Canceller>>,
}

impl Link {
    /// Begins a transaction, where the driver has one.
    pub(super) fn new(mut connection: Connection, dialect: Arc<Dialect>) -> Self {
        let has_transaction = connection.begin();
        Self { connection: Mutex::new(connection), dialect, has_transaction }
    }

    /// Runs blocking work; it is cancelled when the future is dropped.
    pub(super) async fn work<T: Send + 'static>(
        link: &Arc<Self>,
        work: impl FnOnce(&mut Server<'_>) -> Result<T, SiloError> + Send + 'static,
    ) -> Result<T, SiloError> {
        let link = Arc::clone(link);
        off_runtime(move |stopper| link.with(stopper, work)).await
    }

    /// Does something with the connection. An error ends the transaction: a database takes nothing more in it.
    pub(super) fn with<T>(
        &self,
        stopper: &Stopper,
        work: impl FnOnce(&mut Server<'_>) -> Result<T, SiloError>,
    ) -> Result<T, SiloError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let has_transaction = self.has_transaction;
        let dialect = &self.dialect;
        let mut server = Server { connection: &mut connection, has_transaction, dialect, stopper };
        let done = work(&mut server);
        if done.is_err() {
            server.settle();
        }
        done
    }
}

impl Server<'_> {
    /// Runs a statement.
    pub(super) fn run(&mut self, sql: &Sql) -> Result<Rows, SiloError> {
        self.try_run(sql).map_err(|error| fault::running(&error))
    }

    /// Runs a statement, for callers that ask for a refusal.
    pub(super) fn try_run(&mut self, sql: &Sql) -> Result<Rows, Error> {
        let (text, parameters) = sql.render(self.dialect);
        let statement = self.connection.statement(&text, parameters)?;
        if !self.stopper.runs(statement.canceller()) {
            return Err(Error::Stream);
        }
        statement.execute()
    }

    /// Returns the first row of a statement, as a batch.
    pub(super) fn first(&mut self, sql: &Sql) -> Result<Option<RecordBatch>, SiloError> {
        self.try_first(sql).map_err(|error| fault::running(&error))
    }

    /// As [`first`](Self::first), for callers that ask for a refusal.
    pub(super) fn try_first(&mut self, sql: &Sql) -> Result<Option<RecordBatch>, Error> {
        for batch in self.try_run(sql)? {
            let batch = batch?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Begins another transaction after a refusal. If that fails as well, the next statement says it.
    pub(super) fn settle(&mut self) {
        if self.has_transaction {
            drop(self.connection.begin_again());
        }
    }

    /// Asks for the keys that the driver says a table has.
    pub(super) fn keys(&self, parts: &[String]) -> Result<Vec<Vec<String>>, Error> {
        self.connection.keys(parts)
    }
}

impl Stopper {
    /// Says whether a statement may begin.
    fn runs(&self, canceller: Canceller) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = Some(Arc::new(canceller));
        !state.stopped
    }

    /// Cancels; a driver may ask its server for that, so it blocks.
    pub(super) fn stop(&self) {
        let running = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.stopped = true;
            state.running.clone()
        };
        if let Some(running) = running {
            let _taken_up = running.cancel();
        }
    }
}

/// Stops when it is dropped, on a thread that may block.
struct StopOnDrop(Option<Arc<Stopper>>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let (Some(stopper), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn_blocking(move || stopper.stop()));
        }
    }
}

/// Runs blocking work off the runtime's threads. It is told when nobody waits for it any more.
pub(super) async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce(&Stopper) -> Result<T, SiloError> + Send + 'static,
) -> Result<T, SiloError> {
    let stopper = Arc::new(Stopper::default());
    let mut guard = StopOnDrop(Some(Arc::clone(&stopper)));
    let done = tokio::task::spawn_blocking(move || work(&stopper)).await;
    guard.0 = None;
    done.unwrap_or_else(|_| Err(stopped()))
}

/// Makes a stopper that stops when nobody receives any more. The guard, dropped when the reader is at its end, ends the watching.
pub(super) fn watch(tasks: &TaskTracker, sender: &BatchSender) -> (Arc<Stopper>, DropGuard) {
    let (stopper, ended) = (Arc::new(Stopper::default()), CancellationToken::new());
    let (sender, watched, until) = (sender.clone(), Arc::clone(&stopper), ended.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = sender.closed() => drop(StopOnDrop(Some(watched))),
            () = until.cancelled() => {}
        }
    });
    (stopper, ended.drop_guard())
}
