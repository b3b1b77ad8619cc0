//! How is a connection made, kept and given up? One transaction, one snapshot, one statement at a time.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Client, Connection, NoTls, Socket};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::fault;
use super::silo::Limits;
use super::tls::Tls;
use super::url::Target;
use crate::SiloError;

/// A connection with its transaction. The task that drives it ends with the [`DropGuard`] beside it: a statement that runs is
/// cancelled then, and the line closed.
pub(super) struct Link {
    client: Client,
    canceller: Canceller,
    turn: Arc<Mutex<Turn>>,
}

/// The right to run statements. Given up unsettled (a caller stopped waiting), the next one cleans up.
pub(super) struct Turn {
    unsettled: bool,
}

impl Link {
    /// Connects and begins the transaction.
    pub(super) async fn open(
        target: &Target,
        limits: Limits,
        tasks: &TaskTracker,
    ) -> Result<(Arc<Self>, DropGuard), SiloError> {
        let opened = Box::pin(connect(target, limits, tasks));
        match timeout(target.connect_timeout, opened).await {
            Ok(opened) => opened,
            Err(_) => Err(SiloError::Unavailable { reason: "connecting took too long".to_owned() }),
        }
    }

    /// Waits until no statement runs. One that nobody waits for any more is cancelled.
    pub(super) async fn turn(&self) -> Result<OwnedMutexGuard<Turn>, SiloError> {
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        if turn.unsettled {
            self.abandon().await?;
        }
        turn.unsettled = true;
        Ok(turn)
    }

    /// Ends a turn: what was refused is rolled back, so that the snapshot can be used again.
    pub(super) async fn settle<T>(
        &self,
        mut turn: OwnedMutexGuard<Turn>,
        result: Result<T, SiloError>,
    ) -> Result<T, SiloError> {
        if result.is_ok() || self.roll_back().await.is_ok() {
            turn.unsettled = false;
        }
        result
    }

    /// Ends a turn whose statement nobody wants to end: it is cancelled, and what it still sends thrown away.
    pub(super) async fn put_down(&self, mut turn: OwnedMutexGuard<Turn>) {
        if self.abandon().await.is_ok() {
            turn.unsettled = false;
        }
    }

    /// A statement that is about to end by itself is not cancelled: asking for it is answered before it is done, so that it could
    /// hit a later statement.
    async fn abandon(&self) -> Result<(), SiloError> {
        if let Ok(Ok(())) = timeout(PATIENCE, self.roll_back()).await {
            return Ok(());
        }
        self.canceller.cancel().await;
        self.roll_back().await
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// A cancellation that comes late hits this statement in place of the one it was meant for; then it is said again.
    async fn roll_back(&self) -> Result<(), SiloError> {
        let mut left = 3;
        loop {
            left -= 1;
            match self.client.batch_execute(ROLL_BACK).await {
                Ok(()) => return Ok(()),
                Err(error) if left > 0 && error.as_db_error().is_some() => {}
                Err(error) => return Err(fault::running(&error)),
            }
        }
    }
}

async fn connect(
    target: &Target,
    limits: Limits,
    tasks: &TaskTracker,
) -> Result<(Arc<Link>, DropGuard), SiloError> {
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    let link = match &target.tls {
        Tls::Off => with(NoTls, target, &stop, tasks).await,
        Tls::On(tls) => with(tls.clone(), target, &stop, tasks).await,
    }?;
    let link = Arc::new(link);
    begin(&link.client, limits).await.map_err(|error| fault::running(&error))?;
    Ok((link, guard))
}

async fn with<T>(
    tls: T,
    target: &Target,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Link, SiloError>
where
    T: MakeTlsConnect<Socket> + Clone + Send + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let connected = Box::pin(target.config.connect(tls)).await;
    let (client, connection) = connected.map_err(|error| fault::connecting(&error))?;
    let turn = Arc::new(Mutex::new(Turn { unsettled: false }));
    let canceller = Canceller { token: client.cancel_token(), tls: target.tls.clone() };
    tasks.spawn(drive(connection, stop.clone(), Arc::clone(&turn), canceller.clone()));
    Ok(Link { client, canceller, turn })
}

/// Moves bytes until the connection ends or nobody needs it.
async fn drive<S>(
    mut connection: Connection<Socket, S>,
    stop: CancellationToken,
    turn: Arc<Mutex<Turn>>,
    canceller: Canceller,
) where
    S: tokio_postgres::tls::TlsStream + Unpin,
{
    // Notices are thrown away: functions write values into them.
    let moved = async {
        while let Some(Ok(_)) = poll_fn(|context| connection.poll_message(context)).await {}
    };
    let mut moved = pin!(moved);
    tokio::select! {
        () = &mut moved => return,
        () = stop.cancelled() => {}
    }
    // Nobody waits any more: a long sort must not outlive the job that asked for it.
    let busy = turn.try_lock().map_or(true, |turn| turn.unsettled);
    if busy {
        canceller.cancel().await;
    }
    // The line closes in good order if it can; if not, it closes.
    drop(timeout(GOODBYE, moved).await);
}

/// Asks the server, over a line of its own, to cancel what runs.
#[derive(Clone)]
struct Canceller {
    token: CancelToken,
    tls: Tls,
}

impl Canceller {
    /// The server does not say whether it did; where it cannot be reached there is nothing to be done about it.
    async fn cancel(&self) {
        let asked = async {
            match &self.tls {
                Tls::Off => self.token.cancel_query(NoTls).await,
                Tls::On(tls) => self.token.cancel_query(tls.clone()).await,
            }
        };
        drop(timeout(CANCEL, Box::pin(asked)).await);
    }
}

/// Begins the transaction and takes its snapshot. All settings end with it: nothing is left to whom a pooler gives the line next.
async fn begin(client: &Client, limits: Limits) -> Result<(), tokio_postgres::Error> {
    let set_up = format!(
        "begin isolation level repeatable read read only; \
         set local default_transaction_read_only = on; \
         set local statement_timeout = {}; set local lock_timeout = {}; \
         set local idle_in_transaction_session_timeout = 0; set local client_min_messages = error; \
         set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601'; \
         set local extra_float_digits = 3; set local bytea_output = 'hex'; \
         set local standard_conforming_strings = on; \
         savepoint antumbra",
        limits.statement.as_millis(),
        limits.lock.as_millis(),
    );
    client.batch_execute(&set_up).await?;
    // What older servers, and some systems, do not have. It takes the snapshot, too.
    let newer = client.batch_execute(
        "select set_config(name, case name when 'transaction_timeout' then '0' else '10000' end, true) \
         from pg_catalog.pg_settings where name in ('transaction_timeout', 'client_connection_check_interval'); \
         savepoint antumbra",
    );
    match newer.await {
        Err(error) if error.as_db_error().is_some() => client.batch_execute(ROLL_BACK).await,
        done => done,
    }
}

const ROLL_BACK: &str = "rollback to savepoint antumbra";
/// How long a statement that nobody wants may take to end by itself.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a request to cancel may take.
const CANCEL: Duration = Duration::from_secs(3);
/// How long a line that nobody needs may take to close.
const GOODBYE: Duration = Duration::from_secs(3);
