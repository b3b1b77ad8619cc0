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
use crate::silo::{Batches, Cursor, Explained, Identifiers, SectionSpec, Session, Shape, Silo};
use crate::{SiloError, Value};

/// A PostgreSQL server.
pub struct PostgresSilo {
    target: Target,
    limits: Limits,
    /// What drives connections; none outlives its session by more than it takes to cancel a statement.
    tasks: TaskTracker,
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
        Ok(Self { target, limits, tasks: TaskTracker::new() })
    }
}

impl fmt::Debug for PostgresSilo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSilo").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[async_trait]
impl Silo for PostgresSilo {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        let (link, guard) = Link::open(&self.target, self.limits, &self.tasks).await?;
        Ok(Box::new(PostgresSession { link, tasks: self.tasks.clone(), _guard: guard }))
    }
}

struct PostgresSession {
    link: Arc<Link>,
    tasks: TaskTracker,
    /// Dropped last: it ends the connection.
    _guard: DropGuard,
}

#[async_trait]
impl Session for PostgresSession {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let turn = self.link.turn().await?;
        let client = self.link.client();
        let found = distinct::distinct(client, section, known, columns, limit).await;
        self.link.settle(turn, found).await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        let turn = self.link.turn().await?;
        let shape = describe::describe(self.link.client(), section, known).await;
        self.link.settle(turn, shape).await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        let turn = self.link.turn().await?;
        match read::prepare(self.link.client(), section, known, shape, after.as_ref()).await {
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
        let turn = self.link.turn().await?;
        let explained = explain::explain(self.link.client(), section, known).await;
        self.link.settle(turn, explained).await
    }
}
