//! The silo and its session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::link::Link;
use super::url::{self, Target};
use super::{describe, distinct, explain, read};
use crate::silo::{
    Batches, Cursor, Explained, Held, Identifiers, SectionSpec, Session, Shape, Silo,
};
use crate::{SiloError, Value};

/// A MariaDB or MySQL server.
pub struct MysqlSilo {
    target: Target,
    limits: Limits,
    /// What reads and what closes connections; none outlives its session by more than it takes to cancel a statement.
    tasks: TaskTracker,
}

/// How long things may take. The server counts waiting for locks in whole seconds, at least one.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connecting.
    pub connect: Duration,
    /// One statement, with the time that its rows wait for a reader.
    pub statement: Duration,
    /// Waiting for a lock.
    pub lock: Duration,
}

impl MysqlSilo {
    /// Reads the URL and the certificates it names; nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with the URL, by the name of the parameter; nothing it holds.
    pub fn new(url: &str, limits: Limits) -> Result<Self, String> {
        Ok(Self { target: url::parse(url)?, limits, tasks: TaskTracker::new() })
    }
}

impl fmt::Debug for MysqlSilo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlSilo").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[async_trait]
impl Silo for MysqlSilo {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        let (link, guard) = Link::open(&self.target, self.limits, &self.tasks).await?;
        Ok(Box::new(MysqlSession { link, tasks: self.tasks.clone(), _guard: guard }))
    }
}

struct MysqlSession {
    link: Arc<Link>,
    tasks: TaskTracker,
    /// Dropped last: it ends the connection.
    _guard: DropGuard,
}

#[async_trait]
impl Session for MysqlSession {
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
        let mut turn = self.link.turn().await?;
        let found = distinct::distinct(turn.server()?, section, known, columns, limit).await;
        self.link.settle(turn, found).await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        let mut turn = self.link.turn().await?;
        let shape = describe::describe(turn.server()?, section, known).await;
        self.link.settle(turn, shape).await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        let mut turn = self.link.turn().await?;
        match read::prepare(turn.server()?, section, known, shape, after.as_ref()).await {
            Ok(prepared) => {
                let link = Arc::clone(&self.link);
                Ok(Batches::spawn(&self.tasks, |sender| read::run(link, turn, prepared, sender)))
            }
            Err(error) => self.link.settle(turn, Err(error)).await,
        }
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        let mut turn = self.link.turn().await?;
        let explained = explain::explain(turn.server()?, section, known).await;
        self.link.settle(turn, explained).await
    }

    async fn count_whole(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Option<u64>, SiloError> {
        let mut turn = self.link.turn().await?;
        let count = describe::count_whole(turn.server()?, section, known).await;
        self.link.settle(turn, count).await
    }
}
