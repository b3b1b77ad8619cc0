//! How is a connection made and driven, and what becomes of it when its session ends?
//!
//! One task moves the bytes of a connection and takes its rows over. Rows go from socket to columns in one place: with a reader on
//! another thread every eight kilobytes woke it, and reading a million rows took a third more of the client's time.

use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::coop;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Connection, NoTls, Socket};

use super::fault;
use super::link::Link;
use super::pool::Pool;
use super::tls::Tls;
use crate::SiloError;
use crate::silo::Held;

/// What the task of a connection is asked for.
pub(super) enum Order {
    /// To be done beside moving bytes.
    Work(BoxFuture<'static, ()>),
    /// The session is over; what is still done for it is dropped.
    End(Arc<Link>),
}

/// Connects. The line closes when nobody holds the link.
pub(super) async fn connect(pool: &Arc<Pool>) -> Result<Arc<Link>, SiloError> {
    match pool.target.tls.clone() {
        Tls::Off => with(NoTls, pool).await,
        Tls::On(tls) => with(tls, pool).await,
    }
}

async fn with<T>(tls: T, pool: &Arc<Pool>) -> Result<Arc<Link>, SiloError>
where
    T: MakeTlsConnect<Socket> + Clone + Send + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let connected = Box::pin(pool.target.config.connect(tls)).await;
    let (client, connection) = connected.map_err(|error| fault::connecting(&error))?;
    let (orders, inbox) = mpsc::channel(ORDERS);
    let link = Link::new(client, pool.target.tls.clone(), orders, Arc::clone(&pool.memory));
    pool.tasks.spawn(drive(connection, link.stillness(), inbox, Arc::downgrade(pool)));
    Ok(Arc::new(link))
}

async fn drive<S>(
    connection: Connection<Socket, S>,
    still: Arc<AtomicBool>,
    mut inbox: Receiver<Order>,
    pool: Weak<Pool>,
) where
    S: TlsStream + Unpin,
{
    // What a session that is over had the line keep; dropped after the line.
    let mut held: Vec<Held> = Vec::new();
    let moved = async move {
        let mut connection = connection;
        // Notices are thrown away: functions write values into them.
        let mut left_out = false;
        let mut message = |context: &mut Context<'_>| {
            // Whatever ends the stillness is done by this task, before it comes here.
            if still.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
            // Not twice, whatever a turn is worth: it is to go on.
            left_out = !left_out && few_reads(context).is_pending();
            if left_out { Poll::Pending } else { connection.poll_message(context) }
        };
        while let Some(Ok(_)) = poll_fn(&mut message).await {}
        // Whoever still waits for an answer is told with it.
        drop(connection);
    };
    let mut moved = pin!(moved);
    let mut work = None;
    // While it waits for a session: it, and until when.
    let mut idle: Option<(Weak<Link>, Instant)> = None;
    loop {
        let order = tokio::select! {
            biased;
            () = done(&mut work) => {
                work = None;
                continue;
            }
            order = inbox.recv() => order,
            () = &mut moved => {
                forget(&pool, idle.take());
                // What arrived before the line broke is still to be told.
                done_now(work).await;
                return;
            }
            () = until(idle.as_ref()) => {
                forget(&pool, idle.take());
                continue;
            }
        };
        idle = None;
        match order {
            Some(Order::Work(next)) => work = Some(next),
            Some(Order::End(link)) => {
                work = None;
                // Not later: once it is kept, it may be another session's.
                held.extend(link.held());
                let clean = tokio::select! {
                    biased;
                    () = &mut moved => return,
                    clean = link.end() => clean,
                };
                if clean && pool.upgrade().is_some_and(|pool| pool.keep(&link)) {
                    idle = Some((Arc::downgrade(&link), Instant::now() + IDLE));
                    held.clear();
                }
            }
            // Nobody holds the link: the line closes in good order if it can; if not, it closes.
            None => {
                drop(timeout(GOODBYE, moved).await);
                return;
            }
        }
    }
}

/// Leaves some reads to this turn of the task: its work is to see a row, and may want to stop, before the next ones are here.
fn few_reads(context: &mut Context<'_>) -> Poll<()> {
    for _ in READS..BUDGET {
        ready!(coop::poll_proceed(context)).made_progress();
    }
    Poll::Ready(())
}

async fn done(work: &mut Option<BoxFuture<'static, ()>>) {
    match work {
        Some(work) => Pin::new(work).await,
        None => pending().await,
    }
}

async fn done_now(work: Option<BoxFuture<'static, ()>>) {
    if let Some(work) = work {
        work.await;
    }
}

async fn until(idle: Option<&(Weak<Link>, Instant)>) {
    match idle {
        Some((_, end)) => sleep_until(*end).await,
        None => pending().await,
    }
}

/// Takes it out of the pool, unless a session has taken it just now.
fn forget(pool: &Weak<Pool>, idle: Option<(Weak<Link>, Instant)>) {
    if let (Some(pool), Some(link)) = (pool.upgrade(), idle.and_then(|(link, _)| link.upgrade())) {
        pool.forget(&link);
    }
}

/// What a task may do in one turn, with tokio.
const BUDGET: u32 = 128;
/// How often it may read.
const READS: u32 = 16;
/// How long a connection waits for its next session.
const IDLE: Duration = Duration::from_secs(60);
/// How long a line that nobody needs may take to close.
const GOODBYE: Duration = Duration::from_secs(3);
/// One of work and one of its end; the rest is room.
const ORDERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// What tokio says nowhere but in its source.
    #[tokio::test]
    async fn a_turn_is_worth_what_is_reckoned_with() {
        let tasks = tokio_util::task::TaskTracker::new();
        let counted = tasks.spawn(poll_fn(|context| {
            let mut count = 0;
            while let Poll::Ready(proceed) = coop::poll_proceed(context) {
                proceed.made_progress();
                count += 1;
            }
            Poll::Ready(count)
        }));
        assert_eq!(counted.await.unwrap(), BUDGET);
    }
}
