//! How is a connection used? One transaction, one snapshot, one statement at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc::Sender;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};
use tokio_postgres::{CancelToken, Client, NoTls, Statement};

use super::begin::{self, Began, ROLL_BACK, Snapshot};
use super::column::Source;
use super::drive::Order;
use super::facts::Facts;
use super::fault;
use super::indexes::Table;
use super::marks::Marks;
use super::pool::{Memory, lock};
use super::silo::Limits;
use super::tls::Tls;
use crate::SiloError;
use crate::silo::Held;

/// A connection with its transaction, and the statements that are prepared on it.
pub(super) struct Link {
    client: Client,
    canceller: Canceller,
    turn: Arc<Mutex<Turn>>,
    /// To the task that drives it.
    orders: Sender<Order>,
    memory: Arc<Memory>,
    statements: Lock<HashMap<(u64, String), Statement>>,
    /// What holds as long as this transaction keeps its locks.
    seen: Lock<HashMap<String, Arc<Facts>>>,
    transaction: Lock<Option<Transaction>>,
    /// A request to cancel may still be on its way.
    cancelled: AtomicBool,
    /// Nothing runs on it, and no session can use it.
    spoiled: AtomicBool,
    held: Lock<Option<Held>>,
    /// Nothing is read from the line.
    still: Arc<AtomicBool>,
}

/// While it is there, nothing is read from the line: what the server sends stays with it.
pub(super) struct Still<'a>(&'a AtomicBool);

impl Drop for Still<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The right to run statements. Given up unsettled (a caller stopped waiting), the next one cleans up.
pub(super) struct Turn {
    unsettled: bool,
}

struct Transaction {
    began: Began,
    at: Instant,
}

impl Link {
    pub(super) fn new(
        client: Client,
        tls: Tls,
        orders: Sender<Order>,
        memory: Arc<Memory>,
    ) -> Self {
        let canceller = Canceller { token: client.cancel_token(), tls };
        Self {
            client,
            canceller,
            turn: Arc::new(Mutex::new(Turn { unsettled: false })),
            orders,
            memory,
            statements: Lock::default(),
            seen: Lock::default(),
            transaction: Lock::default(),
            cancelled: AtomicBool::new(false),
            spoiled: AtomicBool::new(false),
            held: Lock::default(),
            still: Arc::default(),
        }
    }

    /// Says whether nothing is to be read from the line.
    pub(super) fn stillness(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.still)
    }

    /// Reads nothing from the line for as long as the work for it waits: the driver would take some rows more, whatever their size.
    /// Of use to work that is done by the task that drives the line.
    pub(super) fn keep_still(&self) -> Still<'_> {
        self.still.store(true, Ordering::Relaxed);
        Still(&self.still)
    }

    /// Begins a transaction, or joins a snapshot; `false` if it is not the connection it was, or does not read that snapshot.
    /// `plain`: without what some systems lack.
    pub(super) async fn begin(
        &self,
        limits: Limits,
        of: Option<&Snapshot>,
        plain: bool,
    ) -> Result<bool, tokio_postgres::Error> {
        // Whoever stops waiting here leaves it busy, and it is closed.
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        turn.unsettled = true;
        let left = lock(&self.transaction).take().map(|left| left.began.mark);
        lock(&self.seen).clear();
        let mut began = if plain {
            begin::begin_plain(&self.client, limits).await?
        } else {
            begin::begin(&self.client, limits, of).await?
        };
        if left.is_none() && began.has_statements() {
            self.memory.set_pooled();
            began.mark = begin::clear(&self.client).await?;
        }
        let same = left.is_none_or(|mark| mark == began.mark && mark.is_some());
        let joined = of.is_none_or(|of| began.snapshot.as_ref() == Some(of));
        *lock(&self.transaction) = Some(Transaction { began, at: Instant::now() });
        if !same || !joined {
            self.spoiled.store(true, Ordering::Relaxed);
            begin::leave(&self.client).await?;
        }
        turn.unsettled = false;
        Ok(same && joined)
    }

    /// Ends the transaction; says whether the connection can serve another session.
    pub(super) async fn end(&self) -> bool {
        if self.turn.try_lock().map_or(true, |turn| turn.unsettled) {
            self.canceller.cancel().await;
            // A pooler closes the server's connection if this one breaks within a transaction.
            drop(timeout(GOODBYE, begin::leave(&self.client)).await);
            return false;
        }
        if self.spoiled.load(Ordering::Relaxed) || self.cancelled.load(Ordering::Relaxed) {
            return false;
        }
        lock(&self.seen).clear();
        let pooled = self.memory.is_pooled();
        if pooled {
            // What is forgotten is closed, within this transaction.
            lock(&self.statements).clear();
        }
        let Ok(Ok(Some(mark))) = timeout(GOODBYE, begin::end(&self.client)).await else {
            return false;
        };
        match &mut *lock(&self.transaction) {
            Some(left) => left.began = Began { mark: Some(mark), snapshot: None },
            None => return false,
        }
        !pooled
    }

    /// Returns the snapshot that others can read, unless it is so old that it should not be kept for longer.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let transaction = lock(&self.transaction);
        let transaction = transaction.as_ref()?;
        transaction.began.snapshot.clone().filter(|_| transaction.at.elapsed() < OLDEST_SNAPSHOT)
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

    /// Has work done by the task that drives the connection: rows are taken over where they arrive, not on another thread.
    pub(super) async fn work(&self, work: BoxFuture<'static, ()>) {
        // Where nobody drives it any more, the work is dropped, and whoever waits for it sees that.
        drop(self.orders.send(Order::Work(work)).await);
    }

    /// Keeps something for as long as its session has it, and until it is put down.
    pub(super) fn hold(&self, held: Held) {
        *lock(&self.held) = Some(held);
    }

    /// Gives out what it kept.
    pub(super) fn held(&self) -> Option<Held> {
        lock(&self.held).take()
    }

    /// Gives it back, from wherever a session is dropped.
    pub(super) fn give_back(self: Arc<Self>) {
        let orders = self.orders.clone();
        // A session has one order under way at most, so there is room.
        drop(orders.try_send(Order::End(self)));
    }

    /// Returns a statement, prepared now or earlier on this connection. Of another generation it is another statement: what it
    /// was prepared for has changed.
    pub(super) async fn ready(
        &self,
        generation: u64,
        sql: &str,
    ) -> Result<Statement, tokio_postgres::Error> {
        let key = (generation, sql.to_owned());
        if let Some(statement) = lock(&self.statements).get(&key) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        let mut statements = lock(&self.statements);
        if statements.len() >= MOST_STATEMENTS {
            statements.clear();
        }
        statements.insert(key, statement.clone());
        Ok(statement)
    }

    /// What an earlier session was told of a selection.
    pub(super) fn remembered(&self, statement: &str) -> Option<Arc<Facts>> {
        self.memory.get(statement)
    }

    /// What this transaction was told of a selection.
    pub(super) fn seen(&self, statement: &str) -> Option<Arc<Facts>> {
        lock(&self.seen).get(statement).map(Arc::clone)
    }

    /// Returns the quoted names of the tables that earlier sessions were told of.
    pub(super) fn remembered_tables(&self) -> Vec<String> {
        self.memory.tables()
    }

    /// Returns what the catalogue says in the snapshot of this transaction; `None` where no snapshot can be shared.
    pub(super) fn marks(&self) -> Option<Arc<Marks>> {
        let transaction = lock(&self.transaction);
        Some(Arc::clone(&transaction.as_ref()?.began.snapshot.as_ref()?.marks))
    }

    /// Takes in that what is remembered of a selection holds in this transaction.
    pub(super) fn see(&self, statement: String, facts: &Arc<Facts>) {
        lock(&self.seen).insert(statement, Arc::clone(facts));
    }

    /// Forgets a selection that the server contradicted.
    pub(super) fn forget(&self, statement: &str) {
        lock(&self.seen).remove(statement);
        self.memory.forget(statement);
    }

    pub(super) fn learn(
        &self,
        statement: &str,
        columns: Vec<Source>,
        table: Option<Table>,
    ) -> Arc<Facts> {
        let facts = self.memory.learn(statement, columns, table);
        lock(&self.seen).insert(statement.to_owned(), Arc::clone(&facts));
        facts
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// A cancellation that comes late hits this statement in place of the one it was meant for; then it is said again.
    pub(super) async fn roll_back(&self) -> Result<(), SiloError> {
        // The locks go with it.
        lock(&self.seen).clear();
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

    /// A statement that is about to end by itself is not cancelled: asking for it is answered before it is done, so that it could
    /// hit a later statement.
    async fn abandon(&self) -> Result<(), SiloError> {
        if let Ok(Ok(())) = timeout(PATIENCE, self.roll_back()).await {
            return Ok(());
        }
        self.cancelled.store(true, Ordering::Relaxed);
        self.canceller.cancel().await;
        self.roll_back().await
    }
}

/// Asks the server, over a line of its own, to cancel what runs.
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

/// How long a statement that nobody wants may take to end by itself.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a request to cancel may take.
const CANCEL: Duration = Duration::from_secs(3);
/// How long the end of a transaction may take.
const GOODBYE: Duration = Duration::from_secs(3);
/// What a snapshot sees, the server cannot clean up; no session joins an older one.
const OLDEST_SNAPSHOT: Duration = Duration::from_secs(3_600);
/// Statements that are kept prepared on one connection.
const MOST_STATEMENTS: usize = 512;
