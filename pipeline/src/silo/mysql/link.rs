//! How is a connection made, kept and given up? One transaction, one snapshot, one statement at a time.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Value};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::silo::Limits;
use super::url::Target;
use super::{fault, tls};
use crate::SiloError;
use crate::silo::Held;

/// A connection with its transaction. The task that closes it is woken by the [`DropGuard`] beside it: a statement that runs is
/// cancelled then.
pub(super) struct Link {
    turn: Arc<Mutex<Turn>>,
    canceller: Canceller,
    /// Shared with the task that closes it.
    held: Arc<OnceLock<Held>>,
}

/// The right to run statements. Given up unsettled (a caller stopped waiting), the connection cannot be used again: nobody knows
/// what it would answer next.
pub(super) struct Turn {
    server: Option<Server>,
    unsettled: bool,
}

/// The server, as one connection sees it.
pub(super) struct Server {
    pub(super) conn: Conn,
    /// Of MariaDB; else of MySQL.
    pub(super) is_mariadb: bool,
    /// Counts of queries, with what was bound, that `letters.rs` found good.
    pub(super) looked: HashMap<String, Vec<Value>>,
}

impl Turn {
    /// The connection, as long as there is one.
    pub(super) fn server(&mut self) -> Result<&mut Server, SiloError> {
        self.server.as_mut().ok_or_else(lost)
    }
}

impl Link {
    /// Connects and begins the transaction.
    pub(super) async fn open(
        target: &Target,
        limits: Limits,
        tasks: &TaskTracker,
    ) -> Result<(Arc<Self>, DropGuard), SiloError> {
        let opened = Box::pin(connect(target, limits));
        let Ok(opened) = timeout(limits.connect, opened).await else {
            return Err(SiloError::Unavailable { reason: "connecting took too long".to_owned() });
        };
        let server = opened?;
        let canceller = Canceller { opts: server.conn.opts().clone(), id: server.conn.id() };
        let turn = Arc::new(Mutex::new(Turn { server: Some(server), unsettled: false }));
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let held = Arc::<OnceLock<Held>>::default();
        tasks.spawn(close(Arc::clone(&turn), canceller.clone(), stop, Arc::clone(&held)));
        Ok((Arc::new(Self { turn, canceller, held }), guard))
    }

    /// Keeps something until the line is closed.
    pub(super) fn hold(&self, held: Held) {
        // A line has one session.
        drop(self.held.set(held));
    }

    /// Waits until no statement runs.
    pub(super) async fn turn(&self) -> Result<OwnedMutexGuard<Turn>, SiloError> {
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        if turn.unsettled {
            give_up(&mut turn, &self.canceller).await;
        }
        if turn.server.is_none() {
            return Err(lost());
        }
        turn.unsettled = true;
        Ok(turn)
    }

    /// Ends a turn. After a refused statement the snapshot is still there, or the connection is given up: a deadlock, for one, ends
    /// the transaction, and what is read after it would be of another moment.
    pub(super) async fn settle<T>(
        &self,
        mut turn: OwnedMutexGuard<Turn>,
        result: Result<T, SiloError>,
    ) -> Result<T, SiloError> {
        if result.is_err() && !in_transaction(&mut turn).await {
            give_up(&mut turn, &self.canceller).await;
        }
        turn.unsettled = false;
        result
    }

    /// Ends a turn whose statement nobody wants to end: it is cancelled, and what it still sends thrown away.
    pub(super) async fn put_down(&self, mut turn: OwnedMutexGuard<Turn>) {
        let usable = {
            let mut drained = pin!(in_transaction(&mut turn));
            // What is about to end by itself is not cancelled.
            match timeout(PATIENCE, &mut drained).await {
                Ok(usable) => usable,
                Err(_) => {
                    self.canceller.cancel().await;
                    timeout(GOODBYE, &mut drained).await.unwrap_or(false)
                }
            }
        };
        if !usable {
            give_up(&mut turn, &self.canceller).await;
        }
        turn.unsettled = false;
    }

    /// Cancels what runs.
    pub(super) async fn cancel(&self) {
        self.canceller.cancel().await;
    }
}

/// Asks for something that has no effect: the answer says whether the transaction goes on. What was sent before is thrown away; a
/// refusal that stood in it, or a cancellation that came late, is heard in place of the answer, and it is asked again.
async fn in_transaction(turn: &mut Turn) -> bool {
    let Some(server) = &mut turn.server else { return false };
    for _ in 0..3 {
        match server.conn.query_drop("do 0").await {
            Ok(()) => {
                let ended = server.conn.last_ok_packet().map(|packet| packet.status_flags());
                return ended
                    .is_some_and(|flags| flags.contains(StatusFlags::SERVER_STATUS_IN_TRANS));
            }
            Err(error) if error.is_fatal() => return false,
            Err(_) => {}
        }
    }
    false
}

/// Ends the connection, whatever it does.
async fn give_up(turn: &mut Turn, canceller: &Canceller) {
    turn.unsettled = false;
    let Some(mut server) = turn.server.take() else { return };
    canceller.cancel().await;
    // Dropped while it looks whole, the driver would read to the end of what is sent; a call that is given up marks it as broken.
    drop(timeout(Duration::ZERO, server.conn.ping()).await);
}

/// Closes the connection when nobody needs it any more. Who still reads ends first.
async fn close(
    turn: Arc<Mutex<Turn>>,
    canceller: Canceller,
    stop: CancellationToken,
    _held: Arc<OnceLock<Held>>,
) {
    stop.cancelled().await;
    let mut turn = turn.lock().await;
    if turn.unsettled {
        // Nobody waits any more: a long sort must not outlive the job that asked for it.
        give_up(&mut turn, &canceller).await;
    } else if let Some(server) = turn.server.take() {
        // The line closes in good order if it can; if not, it closes.
        drop(timeout(GOODBYE, server.conn.disconnect()).await);
    }
}

/// Cancels, over a line of its own, what a connection runs.
#[derive(Clone)]
struct Canceller {
    opts: Opts,
    id: u32,
}

impl Canceller {
    /// A user may do so with connections of its own. Where the server cannot be reached there is nothing to be done about it.
    async fn cancel(&self) {
        let asked = async {
            let mut conn = Conn::new(self.opts.clone()).await?;
            conn.query_drop(format!("kill query {}", self.id)).await?;
            conn.disconnect().await
        };
        drop(timeout(CANCEL, Box::pin(asked)).await);
    }
}

async fn connect(target: &Target, limits: Limits) -> Result<Server, SiloError> {
    let begun = Instant::now();
    let conn = loop {
        match reach(target).await {
            Ok(conn) => break conn,
            // The server counts a line for a moment longer than it is open: the one that made room for this one, for instance.
            Err(error) if fault::is_crowded(&error) && begun.elapsed() < LINGERING => {
                sleep(BETWEEN).await;
            }
            Err(error) => return Err(fault::connecting(&error)),
        }
    };
    let mut server = Server { conn, is_mariadb: false, looked: HashMap::new() };
    begin(&mut server, limits).await.map_err(|error| fault::running(&error))?;
    Ok(server)
}

async fn reach(target: &Target) -> Result<Conn, mysql_async::Error> {
    match Conn::new(target.opts.clone()).await {
        Ok(conn) => Ok(conn),
        Err(error) => match by_its_own_name(target, &error) {
            Some(opts) => Conn::new(opts).await,
            None => Err(error),
        },
    }
}

/// How a server is reached whose certificate is good but for its name, where nobody asked for the name.
fn by_its_own_name(target: &Target, error: &mysql_async::Error) -> Option<Opts> {
    let asked = target.opts.ssl_opts().filter(|ssl| ssl.skip_domain_validation())?;
    let name = tls::name_of_refused(fault::tls(error)?)?;
    let ssl = asked.clone().with_danger_tls_hostname_override(Some(name));
    Some(OptsBuilder::from_opts(target.opts.clone()).ssl_opts(ssl).into())
}

/// Begins the transaction and takes its snapshot. Texts come and go as UTF-8, moments in UTC; a backslash in a literal is only a
/// backslash, as everywhere else, so that what is a parameter here is one there.
async fn begin(server: &mut Server, limits: Limits) -> mysql_async::Result<()> {
    let Server { conn, is_mariadb, .. } = server;
    let version: Option<String> = conn.query_first("select version()").await?;
    *is_mariadb = version.is_some_and(|version| version.to_ascii_lowercase().contains("mariadb"));
    let statement = if *is_mariadb {
        format!("max_statement_time = {:.3}", limits.statement.as_secs_f64())
    } else {
        format!("max_execution_time = {}", limits.statement.as_millis())
    };
    let lock = whole_seconds(limits.lock);
    // Rows wait on the server for as long as their statement may take.
    let writing = whole_seconds(limits.statement).max(600);
    // MySQL lets few users say how many warnings are kept, and keeps as many by itself; where it does not, `coerced.rs` counts them.
    let levels = u32::MAX;
    let own = if *is_mariadb {
        format!("max_error_count = {MOST_WARNINGS}, max_recursive_iterations = {levels}")
    } else {
        format!("cte_max_recursion_depth = {levels}")
    };
    for setting in [
        "set names utf8mb4".to_owned(),
        format!("set {DISCORD_OF}"),
        format!(
            "set session sql_mode = 'NO_BACKSLASH_ESCAPES', time_zone = '+00:00', {statement}, \
             innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}, net_write_timeout = {writing}, \
             wait_timeout = {IDLE}, max_sort_length = {SORTED}, group_concat_max_len = {GROUPED}, \
             sql_select_limit = {EVERY_ROW}, sql_big_selects = 1, {own}"
        ),
        "set session transaction isolation level repeatable read".to_owned(),
        "set session transaction read only".to_owned(),
        "start transaction with consistent snapshot, read only".to_owned(),
    ] {
        conn.query_drop(setting).await?;
    }
    Ok(())
}

fn whole_seconds(period: Duration) -> u64 {
    period.as_secs().saturating_add(u64::from(period.subsec_nanos() > 0)).max(1)
}

fn lost() -> SiloError {
    SiloError::Unavailable {
        reason: "the connection was given up, and its snapshot with it".to_owned(),
    }
}

/// Two texts whose collations differ, and what cannot be compared with a text because it is made of both: where the server takes it
/// all the same, no texts are compared.
const DISCORD_OF: &str = "@`antumbra one` = 'a' collate utf8mb4_general_ci, @`antumbra two` = 'a' collate utf8mb4_unicode_ci";
pub(super) const DISCORD: &str = "concat(@`antumbra one`, @`antumbra two`)";
/// Rows of a statement, which a setting of the server or of the user may end early, without a word.
const EVERY_ROW: u64 = u64::MAX;
/// Warnings of a statement that the server keeps.
pub(super) const MOST_WARNINGS: u16 = 1_024;
/// Bytes by which a column of a key is sorted: the longest that an index holds, in the collation with the longest weights.
const SORTED: u32 = 65_536;
/// Bytes of a `group_concat`, which is cut at 1 024 or so otherwise; the server's `max_allowed_packet` cuts it, too, and warns.
const GROUPED: u32 = 256 << 20;
/// Seconds that a connection may wait for the next statement.
const IDLE: u32 = 28_800;
/// How long a statement that nobody wants may take to end by itself.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a request to cancel may take.
const CANCEL: Duration = Duration::from_secs(3);
/// How long a line that nobody needs may take to close or to become silent.
const GOODBYE: Duration = Duration::from_secs(10);
/// How long a server may count lines that are closed.
const LINGERING: Duration = Duration::from_secs(2);
/// How long to wait before it is asked again.
const BETWEEN: Duration = Duration::from_millis(20);
