//! The silo and its session.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::connection::{self, Shared};
use super::{describe, explain, read, select};
use crate::silo::{
    Batches, Cursor, Explained, Identifiers, MOST_COUNTED, SectionSpec, Session, Shape, Silo,
};
use crate::{SiloError, Value};

/// A SQLite database file.
#[derive(Debug)]
pub struct SqliteSilo {
    path: PathBuf,
    busy_timeout: Duration,
}

impl SqliteSilo {
    /// Names the file; nothing is opened yet.
    #[must_use]
    pub const fn new(path: PathBuf, busy_timeout: Duration) -> Self {
        Self { path, busy_timeout }
    }
}

#[async_trait]
impl Silo for SqliteSilo {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        let (path, busy_timeout) = (self.path.clone(), self.busy_timeout);
        let shared = connection::off_runtime(move || Shared::open(&path, busy_timeout)).await?;
        Ok(Box::new(SqliteSession { shared }))
    }
}

struct SqliteSession {
    shared: Shared,
}

impl Drop for SqliteSession {
    /// Nobody waits any more: a long sort must not outlive the job that asked for it.
    fn drop(&mut self) {
        self.shared.end();
    }
}

#[async_trait]
impl Session for SqliteSession {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let rows = select::rows(section, known)?;
        let (shared, columns) = (self.shared.clone(), columns.to_vec());
        connection::off_runtime(move || {
            shared.with(|db| {
                columns.iter().map(|column| read::distinct(db, &rows, column, limit)).collect()
            })
        })
        .await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        let rows = select::rows(section, known)?;
        let (shared, section) = (self.shared.clone(), section.clone());
        connection::off_runtime(move || shared.with(|db| describe::describe(db, &section, &rows)))
            .await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        let rows = select::rows(section, known)?.narrow(section);
        let (shared, shape) = (self.shared.clone(), Arc::new(shape.clone()));
        // The reader ends with its batches: they are drained or dropped before the session is used again.
        Ok(Batches::start(move |sender| {
            shared.with(|db| read::rows(db, &rows, &shape, after.as_ref(), sender))
        }))
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        let (shared, section, known) = (self.shared.clone(), section.clone(), known.clone());
        connection::off_runtime(move || shared.with(|db| explain::explain(db, &section, &known)))
            .await
    }

    async fn count_whole(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Option<u64>, SiloError> {
        let rows = select::rows(section, known)?;
        let shared = self.shared.clone();
        connection::off_runtime(move || shared.with(|db| read::count(db, &rows, MOST_COUNTED)))
            .await
    }
}
