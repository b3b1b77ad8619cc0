//! The silo and its session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::begin::Snapshot;
use super::link::Link;
use super::pool::Pool;
use super::{bounds, count, describe, distinct, drive, explain, fault, read, url};
use crate::silo::batches::stopped;
use crate::silo::{
    Batches, Cursor, Explained, Held, Identifiers, SectionSpec, Session, Shape, Silo, Span,
};
use crate::{SiloError, Value};

/// A PostgreSQL server. Connections whose session ended well wait a minute for the next.
pub struct PostgresSilo {
    pool: Arc<Pool>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connecting to one host, unless the URL has a `connect_timeout`.
    pub connect: Duration,
    /// One statement.
    pub statement: Duration,
    /// Waiting for a lock.
    pub lock: Duration,
}

impl PostgresSilo {
    /// Reads the URL and the certificates it names; nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with the URL, by the name of the parameter; nothing it holds.
    pub fn new(url: &str, limits: Limits) -> Result<Self, String> {
        let target = url::parse(url, limits.connect)?;
        Ok(Self { pool: Arc::new(Pool::new(target, limits)) })
    }
}

impl fmt::Debug for PostgresSilo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSilo").field("limits", &self.pool.limits).finish_non_exhaustive()
    }
}

#[async_trait]
impl Silo for PostgresSilo {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        let opened = Box::pin(open(&self.pool, None));
        match timeout(self.pool.target.connect_timeout, opened).await {
            Ok(opened) => match opened? {
                Some(session) => Ok(Box::new(session)),
                None => {
                    Err(SiloError::Unavailable { reason: "it began no transaction".to_owned() })
                }
            },
            Err(_) => Err(SiloError::Unavailable { reason: "connecting took too long".to_owned() }),
        }
    }
}

/// Opens a session on a connection that waits, or on a new one; `None` if a snapshot is given that it cannot read.
async fn open(
    pool: &Arc<Pool>,
    snapshot: Option<&Snapshot>,
) -> Result<Option<PostgresSession>, SiloError> {
    // What is left of the time has to do for a new one.
    let answer = ANSWER.min(pool.target.connect_timeout / 3);
    while let Some(link) = pool.take() {
        let session = PostgresSession { link, pool: Arc::clone(pool) };
        match timeout(answer, session.link.begin(pool.limits, snapshot, false)).await {
            Ok(Ok(true)) => return Ok(Some(session)),
            Ok(Err(error)) if snapshot.is_some() && error.as_db_error().is_some() => {
                return Ok(None);
            }
            // Nobody answers: so it is with all that wait, and each would take as long.
            Err(_) => pool.clear(),
            // It broke while it waited, or it is another's.
            Ok(_) => {}
        }
    }
    let connected = |link| PostgresSession { link, pool: Arc::clone(pool) };
    if !pool.is_plain() {
        let session = connected(drive::connect(pool).await?);
        match session.link.begin(pool.limits, snapshot, false).await {
            Ok(true) => return Ok(Some(session)),
            Ok(false) => return Ok(None),
            Err(error) if snapshot.is_some() && error.as_db_error().is_some() => return Ok(None),
            Err(error) if fault::is_lacking(&error) => pool.set_plain(),
            Err(error) => return Err(fault::running(&error)),
        }
    }
    if snapshot.is_some() {
        return Ok(None);
    }
    let session = connected(drive::connect(pool).await?);
    match session.link.begin(pool.limits, None, true).await {
        Ok(_) => Ok(Some(session)),
        Err(error) => Err(fault::running(&error)),
    }
}

struct PostgresSession {
    link: Arc<Link>,
    pool: Arc<Pool>,
}

impl Drop for PostgresSession {
    /// A statement that runs is cancelled: a long sort must not outlive the job that asked for it.
    fn drop(&mut self) {
        Arc::clone(&self.link).give_back();
    }
}

#[async_trait]
impl Session for PostgresSession {
    fn hold(&mut self, held: Held) {
        self.link.hold(held);
    }

    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let turn = self.link.turn().await?;
        let found = distinct::distinct(&self.link, section, known, columns, limit).await;
        self.link.settle(turn, found).await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        let turn = self.link.turn().await?;
        let shape = describe::describe(&self.link, section, known).await;
        self.link.settle(turn, shape).await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        self.read_span(section, known, shape, Span { after, ..Span::default() }).await
    }

    async fn bounds(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        parts: u32,
    ) -> Result<Vec<Cursor>, SiloError> {
        let turn = self.link.turn().await?;
        let found = bounds::bounds(&self.link, section, known, shape, parts).await;
        self.link.settle(turn, found).await
    }

    async fn read_span(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        span: Span,
    ) -> Result<Batches, SiloError> {
        let turn = self.link.turn().await?;
        match read::prepare(&self.link, section, known, shape, &span).await {
            Ok(prepared) => {
                let (ended, end) = oneshot::channel();
                let link = Arc::clone(&self.link);
                let mut order = None;
                let batches = Batches::spawn(&self.pool.tasks, |sender| {
                    order = Some(Box::pin(async move {
                        // Nobody waits for the end of batches that were dropped.
                        drop(ended.send(read::run(link, turn, prepared, sender).await));
                    }));
                    async { end.await.unwrap_or_else(|_| Err(stopped())) }
                });
                if let Some(order) = order {
                    self.link.work(order).await;
                }
                Ok(batches)
            }
            Err(error) => self.link.settle(turn, Err(error)).await,
        }
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        let turn = self.link.turn().await?;
        let explained = explain::explain(&self.link, section, known).await;
        self.link.settle(turn, explained).await
    }

    async fn beside(&mut self) -> Result<Option<Box<dyn Session>>, SiloError> {
        let Some(snapshot) = self.link.snapshot() else { return Ok(None) };
        let opened = Box::pin(open(&self.pool, Some(&snapshot)));
        match timeout(self.pool.target.connect_timeout, opened).await {
            Ok(opened) => Ok(opened?.map(|session| Box::new(session) as Box<dyn Session>)),
            Err(_) => Ok(None),
        }
    }

    async fn count_whole(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Option<u64>, SiloError> {
        let turn = self.link.turn().await?;
        let counted = count::whole(&self.link, section, known).await;
        self.link.settle(turn, counted).await
    }
}

/// How long a connection that waited may take to answer, before it counts as broken.
const ANSWER: Duration = Duration::from_secs(3);
