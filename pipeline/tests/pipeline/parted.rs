//! A PostgreSQL silo whose table is read in parts, and that fails or stands still in one of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use antumbra_config::{Settings, Sources};
use antumbra_pipeline::silo::{
    Batches, Cursor, Explained, Identifiers, SectionSpec, Session, Shape, Silo, Silos, Span,
};
use antumbra_pipeline::{Engine, SiloError, Value};
use async_trait::async_trait;
use tokio::runtime::Handle;

use crate::pg_server::PgServer;
use crate::room::Room;
use crate::store::{Gate, Tricky};

/// A run of rows that was read: whether it began at the first row, and whether it went to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanRead {
    pub(crate) first: bool,
    pub(crate) last: bool,
}

/// What happens in a part.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The connection is lost after so many batches of the last part.
    LoseLast(u64),
    /// The first part stands still.
    HoldFirst(Arc<Gate>),
}

/// What a test says of the silo, and hears of it.
#[derive(Debug, Default)]
pub(crate) struct Script {
    trouble: Mutex<Option<Trouble>>,
    /// Reads of rows, those of the whole table too; not those of keys.
    pub(crate) reads: Mutex<Vec<SpanRead>>,
    /// No session is opened beside another.
    pub(crate) alone: AtomicBool,
}

impl Script {
    pub(crate) fn makes(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap() = trouble;
    }

    /// Returns what was read since the last call.
    pub(crate) fn taken(&self) -> Vec<SpanRead> {
        std::mem::take(&mut *self.reads.lock().unwrap())
    }
}

/// Settings for the table `events` of a server.
pub(crate) fn settings(room: &Room, server: &PgServer, partitions: Option<u32>) -> Settings {
    std::fs::write(room.dir.path().join("url"), server.url("")).unwrap();
    let partitions = partitions.map(|parts| format!("partitions = {parts}\n")).unwrap_or_default();
    let text = format!(
        "[export]\non_silo_error = \"partial\"\nsilo_backoff = \"1ms\"\nmax_memory = \"1 GiB\"\n\
         [[silo]]\nname = \"shop\"\ntype = \"postgres\"\nurl = {{ file = \"url\" }}\n\
         [[silo.datapoint]]\nname = \"events\"\ntable = \"events\"\nmatch = {{ email = \"email\" }}\n\
         key = [\"region\", \"id\"]\n{partitions}"
    );
    std::fs::write(room.dir.path().join("antumbra.toml"), text).unwrap();
    let sources = Sources {
        file: Some("antumbra.toml".into()),
        base: room.dir.path().to_owned(),
        ..Sources::default()
    };
    antumbra_config::load(&sources).unwrap().settings
}

/// An engine over these settings.
pub(crate) fn engine(
    room: &Room,
    settings: Settings,
    objects: &Tricky,
    script: &Arc<Script>,
) -> Arc<Engine> {
    let real = Silos::open(&settings.silos, &[]).unwrap();
    let inner = Arc::clone(real.get("shop").unwrap());
    let silo: Arc<dyn Silo> = Arc::new(PartedSilo { inner, script: Arc::clone(script) });
    let silos = Silos::from_iter([("shop".to_owned(), silo)]);
    room.engine_with(settings, Arc::new(objects.clone()), None, silos)
}

#[derive(Debug)]
struct PartedSilo {
    inner: Arc<dyn Silo>,
    script: Arc<Script>,
}

#[async_trait]
impl Silo for PartedSilo {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        let inner = self.inner.connect().await?;
        Ok(Box::new(PartedSession { inner, script: Arc::clone(&self.script) }))
    }
}

struct PartedSession {
    inner: Box<dyn Session>,
    script: Arc<Script>,
}

#[async_trait]
impl Session for PartedSession {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        self.inner.distinct(section, known, columns, limit).await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        self.inner.describe(section, known).await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        let read = SpanRead { first: after.is_none(), last: true };
        self.script.reads.lock().unwrap().push(read);
        self.inner.read(section, known, shape, after).await
    }

    async fn bounds(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        parts: u32,
    ) -> Result<Vec<Cursor>, SiloError> {
        self.inner.bounds(section, known, shape, parts).await
    }

    async fn read_span(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        span: Span,
    ) -> Result<Batches, SiloError> {
        let read = SpanRead { first: span.after.is_none(), last: span.until.is_none() };
        if span.keys_only {
            return self.inner.read_span(section, known, shape, span).await;
        }
        self.script.reads.lock().unwrap().push(read);
        let trouble = self.script.trouble.lock().unwrap().clone();
        let mut batches = self.inner.read_span(section, known, shape, span).await?;
        match trouble {
            Some(Trouble::LoseLast(count)) if read.last => {
                *self.script.trouble.lock().unwrap() = None;
                let handle = Handle::current();
                Ok(Batches::start(move |sender| {
                    for _ in 0..count {
                        let Some(batch) = handle.block_on(batches.next())? else { break };
                        if sender.blocking_send(batch).is_err() {
                            return Ok(());
                        }
                    }
                    Err(SiloError::Unavailable { reason: "the connection is lost".to_owned() })
                }))
            }
            Some(Trouble::HoldFirst(gate)) if read.first => {
                gate.wait().await;
                Ok(batches)
            }
            _ => Ok(batches),
        }
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        self.inner.explain(section, known).await
    }

    async fn beside(&mut self) -> Result<Option<Box<dyn Session>>, SiloError> {
        if self.script.alone.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let beside = self.inner.beside().await?;
        Ok(beside.map(|inner| {
            Box::new(Self { inner, script: Arc::clone(&self.script) }) as Box<dyn Session>
        }))
    }
}
