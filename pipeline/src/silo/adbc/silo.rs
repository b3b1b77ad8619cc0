//! The silo and its session.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use antumbra_adbc::{Database, Driver};
use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use super::dialect::Dialect;
use super::link::{self, Link};
use super::{describe, distinct, explain, fault, read};
use crate::silo::{Batches, Cursor, Explained, Identifiers, SectionSpec, Session, Shape, Silo};
use crate::{SiloError, Value};

/// A database that an ADBC driver reaches.
pub struct AdbcSilo {
    opening: Arc<Opening>,
    /// What watches whether anybody still reads; none outlives its reader.
    tasks: TaskTracker,
}

struct Opening {
    driver: Driver,
    options: Vec<(String, String)>,
    /// The database once it was opened, for all sessions.
    database: Mutex<Option<Database>>,
    /// What its first connection found out.
    dialect: OnceLock<Arc<Dialect>>,
}

impl AdbcSilo {
    /// Loads the driver and reads secrets, so it blocks; nothing is connected yet.
    ///
    /// `environment` is [`Sources::environment`](antumbra_config::Sources::environment).
    ///
    /// # Errors
    /// What is wrong with the driver, by its path, or with a secret, by its option; nothing it holds.
    pub fn new(
        settings: &antumbra_config::AdbcSilo,
        environment: &[(String, String)],
    ) -> Result<Self, String> {
        let driver = Driver::load(&settings.driver, settings.entrypoint.as_deref())
            .map_err(|error| format!("driver: {error}"))?;
        let mut options = settings.options.clone();
        for (name, secret) in &settings.secret_options {
            let value = secret.resolve(environment);
            let value = value.map_err(|error| format!("secret_options: {name}: {error}"))?;
            if value.expose().contains('\0') {
                return Err(format!("secret_options: {name}: it holds a NUL"));
            }
            options.push((name.clone(), value.expose().to_owned()));
        }
        let opening =
            Opening { driver, options, database: Mutex::default(), dialect: OnceLock::new() };
        Ok(Self { opening: Arc::new(opening), tasks: TaskTracker::new() })
    }
}

impl Opening {
    fn connect(&self) -> Result<Link, SiloError> {
        let database = {
            let mut opened = self.database.lock().unwrap_or_else(PoisonError::into_inner);
            match &*opened {
                Some(database) => database.clone(),
                None => {
                    let made = self.driver.database(self.options.iter().cloned());
                    opened.insert(made.map_err(|error| fault::connecting(&error))?).clone()
                }
            }
        };
        let mut connection = database.connect().map_err(|error| fault::connecting(&error))?;
        let dialect = match self.dialect.get() {
            Some(dialect) => Arc::clone(dialect),
            None => {
                let found = Arc::new(Dialect::learn(&mut connection)?);
                Arc::clone(self.dialect.get_or_init(|| found))
            }
        };
        Ok(Link::new(connection, dialect))
    }
}

impl fmt::Debug for AdbcSilo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdbcSilo").field("driver", &self.opening.driver).finish_non_exhaustive()
    }
}

#[async_trait]
impl Silo for AdbcSilo {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        let opening = Arc::clone(&self.opening);
        let link = link::off_runtime(move |_| opening.connect()).await?;
        Ok(Box::new(AdbcSession { link: Arc::new(link), tasks: self.tasks.clone() }))
    }
}

struct AdbcSession {
    link: Arc<Link>,
    tasks: TaskTracker,
}

#[async_trait]
impl Session for AdbcSession {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let (section, known, columns) = (section.clone(), known.clone(), columns.to_vec());
        Link::work(&self.link, move |server| {
            distinct::distinct(server, &section, &known, &columns, limit)
        })
        .await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        let (section, known) = (section.clone(), known.clone());
        Link::work(&self.link, move |server| describe::describe(server, &section, &known)).await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        let (section, known, shape) = (section.clone(), known.clone(), shape.clone());
        let link = Arc::clone(&self.link);
        let tasks = self.tasks.clone();
        Ok(Batches::start(move |sender| {
            let (stopper, _watched) = link::watch(&tasks, sender);
            link.with(&stopper, |server| {
                read::read(server, &section, &known, &shape, after.as_ref(), sender)
            })
        }))
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        let (section, known) = (section.clone(), known.clone());
        Link::work(&self.link, move |server| explain::explain(server, &section, &known)).await
    }

    async fn count_whole(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Option<u64>, SiloError> {
        let (section, known) = (section.clone(), known.clone());
        Link::work(&self.link, move |server| describe::count_whole(server, &section, &known)).await
    }
}
