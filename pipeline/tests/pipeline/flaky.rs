//! A silo that fails or hangs at a chosen call, before a real one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use antumbra_pipeline::silo::{
    Batches, Cursor, Explained, Identifiers, SectionSpec, Session, Shape, Silo, Silos,
};
use antumbra_pipeline::{SiloError, Value};
use async_trait::async_trait;
use tokio::runtime::Handle;

use crate::store::Gate;

/// What happens at the next call of its kind; one after the other.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// No connection is made.
    Connect,
    /// A connection is made after a while.
    HangConnect(Arc<Gate>),
    /// Identifiers are not answered.
    Distinct,
    /// The shape is not answered.
    Describe,
    /// A read of this datapoint ends after so many batches.
    Read(&'static str, u64),
    /// Identifiers, or a shape, are never answered.
    Hang(Arc<Gate>),
}

/// What a test may know of the silo.
#[derive(Debug, Default)]
pub(crate) struct Flaky {
    faults: Mutex<VecDeque<Fault>>,
    /// How many connections were made.
    pub(crate) connections: AtomicU64,
    /// How many are left.
    pub(crate) open: AtomicU64,
    /// Each read: its datapoint, and whether it began behind a cursor.
    pub(crate) reads: Mutex<Vec<(String, bool)>>,
}

impl Flaky {
    /// Puts faults before the silo `shop`.
    pub(crate) fn before(
        settings: &antumbra_config::Settings,
        faults: impl IntoIterator<Item = Fault>,
    ) -> (Arc<Self>, Silos) {
        let real = Silos::open(&settings.silos, &[]).unwrap();
        let faults = Mutex::new(faults.into_iter().collect());
        let flaky = Arc::new(Self { faults, ..Self::default() });
        let inner = Arc::clone(real.get("shop").unwrap());
        let silo: Arc<dyn Silo> = Arc::new(FlakySilo { inner, flaky: Arc::clone(&flaky) });
        (flaky, Silos::from_iter([("shop".to_owned(), silo)]))
    }

    /// Puts more faults before the silo.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    /// Takes the next fault if it is of a kind.
    fn next(&self, of: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        if faults.front().is_some_and(of) { faults.pop_front() } else { None }
    }

    /// Says whether every fault was met.
    pub(crate) fn is_over(&self) -> bool {
        self.faults.lock().unwrap().is_empty()
    }

    /// The reads of one datapoint: whether each began behind a cursor.
    pub(crate) fn reads_of(&self, datapoint: &str) -> Vec<bool> {
        let reads = self.reads.lock().unwrap();
        reads.iter().filter(|(name, _)| name == datapoint).map(|(_, after)| *after).collect()
    }
}

#[derive(Debug)]
struct FlakySilo {
    inner: Arc<dyn Silo>,
    flaky: Arc<Flaky>,
}

#[async_trait]
impl Silo for FlakySilo {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        if self.flaky.next(|fault| matches!(fault, Fault::Connect)).is_some() {
            return Err(lost());
        }
        let hang = self.flaky.next(|fault| matches!(fault, Fault::HangConnect(_)));
        if let Some(Fault::HangConnect(gate)) = hang {
            gate.wait().await;
        }
        let inner = self.inner.connect().await?;
        self.flaky.connections.fetch_add(1, Ordering::SeqCst);
        self.flaky.open.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FlakySession { inner, flaky: Arc::clone(&self.flaky), broken: false }))
    }
}

/// Broken once it failed, as a connection that was cut is.
struct FlakySession {
    inner: Box<dyn Session>,
    flaky: Arc<Flaky>,
    broken: bool,
}

impl FlakySession {
    async fn meet(&mut self, of: impl Fn(&Fault) -> bool) -> Result<(), SiloError> {
        let hang = self.flaky.next(|fault| matches!(fault, Fault::Hang(_)));
        if let Some(Fault::Hang(gate)) = hang {
            gate.wait().await;
        }
        self.broken |= self.flaky.next(of).is_some();
        if self.broken { Err(lost()) } else { Ok(()) }
    }
}

impl Drop for FlakySession {
    fn drop(&mut self) {
        self.flaky.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Session for FlakySession {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        self.meet(|fault| matches!(fault, Fault::Distinct)).await?;
        self.inner.distinct(section, known, columns, limit).await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        self.meet(|fault| matches!(fault, Fault::Describe)).await?;
        self.inner.describe(section, known).await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        if self.broken {
            return Err(lost());
        }
        let entry = (section.datapoint.clone(), after.is_some());
        self.flaky.reads.lock().unwrap().push(entry);
        let mut batches = self.inner.read(section, known, shape, after).await?;
        let mine =
            |fault: &Fault| matches!(fault, Fault::Read(name, _) if *name == section.datapoint);
        let Some(Fault::Read(_, count)) = self.flaky.next(mine) else { return Ok(batches) };
        self.broken = true;
        let handle = Handle::current();
        Ok(Batches::start(move |sender| {
            for _ in 0..count {
                let Some(batch) = handle.block_on(batches.next())? else { return Ok(()) };
                if sender.blocking_send(batch).is_err() {
                    return Ok(());
                }
            }
            Err(lost())
        }))
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        self.inner.explain(section, known).await
    }
}

fn lost() -> SiloError {
    SiloError::Unavailable { reason: "the connection is lost".to_owned() }
}
