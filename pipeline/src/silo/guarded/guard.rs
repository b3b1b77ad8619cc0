//! What does a silo's guard keep? Connections, budgets, the circuit and the figures, for all jobs of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antumbra_config::{Silo, SiloLimits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::SiloState;
use super::budget::Budget;
use super::circuit::{Circuit, Pass};
use super::metrics::Meters;
use crate::SiloError;

/// What is shared by everybody who calls one silo.
#[derive(Debug)]
pub(in crate::silo) struct Guard {
    name: String,
    silo_type: &'static str,
    limits: SiloLimits,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    reading: AtomicUsize,
    rows: Option<Budget>,
    bytes: Option<Budget>,
    circuit: Arc<Circuit>,
    meters: Meters,
}

/// Leave to hold a connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    guard: Arc<Guard>,
    _held: OwnedSemaphorePermit,
}

/// Notes that something is going on, until it is dropped.
#[derive(Debug)]
pub(super) struct Going {
    guard: Arc<Guard>,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Waiting,
    Reading,
}

impl Guard {
    pub(in crate::silo) fn new(silo: &Silo) -> Self {
        let limits = silo.limits.clone();
        let (name, silo_type) = (silo.name.as_str(), silo.kind.silo_type().as_str());
        let connections = usize::try_from(limits.max_connections.get()).unwrap_or(usize::MAX);
        let failures = limits.circuit_failures.get();
        let meters = Meters::new(name, silo_type, limits.max_connections.get());
        let pause = limits.circuit_pause.duration();
        Self {
            permits: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            reading: AtomicUsize::new(0),
            rows: limits.rows_per_second.map(|rows| Budget::new(rows.get().into())),
            bytes: limits.bytes_per_second.map(|bytes| Budget::new(bytes.bytes())),
            circuit: Arc::new(Circuit::new(failures, pause, meters.circuit.clone())),
            meters,
            name: name.to_owned(),
            silo_type,
            limits,
        }
    }

    /// Returns what settings allow.
    pub(in crate::silo) const fn limits(&self) -> &SiloLimits {
        &self.limits
    }

    /// Says how the silo is doing.
    pub(in crate::silo) fn state(&self) -> SiloState {
        let now = Instant::now();
        // Nothing is charged: when would what comes next go on?
        let wait = |budget: &Option<Budget>| {
            let free = budget.as_ref().map_or(now, |budget| budget.charge(0, now));
            free.saturating_duration_since(now)
        };
        SiloState {
            name: self.name.clone(),
            silo_type: self.silo_type,
            limits: self.limits.clone(),
            connections: self.connections(),
            waiting: self.waiting.load(Ordering::Relaxed),
            reading: self.reading.load(Ordering::Relaxed),
            budget_wait: wait(&self.rows).max(wait(&self.bytes)),
            circuit: self.circuit.state(now),
        }
    }

    /// Waits for leave to hold a connection, in the order of asking.
    ///
    /// Not for ever: jobs that hold a connection here and wait for one elsewhere could wait for each other.
    pub(super) async fn permit(self: &Arc<Self>, patience: Duration) -> Result<Permit, SiloError> {
        let waiting = self.going(What::Waiting);
        let held = timeout(patience, Arc::clone(&self.permits).acquire_owned()).await;
        drop(waiting);
        match held {
            Ok(Ok(held)) => Ok(self.held(held)),
            Ok(Err(_)) | Err(_) => {
                let most = self.limits.max_connections;
                Err(SiloError::Held {
                    reason: format!("none of its {most} connections became free in {patience:?}"),
                    more: Duration::ZERO,
                })
            }
        }
    }

    /// Takes leave to hold a connection if nobody has to wait for that.
    pub(super) fn permit_now(self: &Arc<Self>) -> Option<Permit> {
        let held = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(self.held(held))
    }

    /// Lets a call through unless the silo is left alone.
    pub(super) fn admit(&self) -> Result<Pass, SiloError> {
        let admitted = self.circuit.admit(Instant::now());
        admitted.map_err(|refused| {
            let error = SiloError::from(refused);
            self.meters.failed(error.code());
            error
        })
    }

    /// Takes what a call found out.
    pub(super) fn note<T>(&self, pass: &Pass, answer: &Result<T, SiloError>) {
        let opened = pass.note(answer);
        if let Err(error) = answer {
            self.meters.failed(error.code());
        }
        if opened {
            self.meters.left_alone();
            let pause = self.limits.circuit_pause;
            tracing::warn!(silo = self.name, %pause, "failures in a row: the silo is left alone");
        }
    }

    /// Charges what was read and returns the moment from which it may go on.
    pub(super) fn charge(&self, rows: u64, bytes: u64) -> Instant {
        let now = Instant::now();
        let at = |budget: &Option<Budget>, units| {
            budget.as_ref().map_or(now, |budget| budget.charge(units, now))
        };
        let free = at(&self.rows, rows).max(at(&self.bytes, bytes));
        self.meters.read(rows, bytes);
        if free > now {
            self.meters.wait(free - now);
        }
        free
    }

    /// Notes that a section is being read.
    pub(super) fn read(self: &Arc<Self>) -> Going {
        self.going(What::Reading)
    }

    fn going(self: &Arc<Self>, what: What) -> Going {
        let (count, gauge) = self.counted(what);
        count.fetch_add(1, Ordering::Relaxed);
        gauge.increment(1.0);
        Going { guard: Arc::clone(self), what }
    }

    fn counted(&self, what: What) -> (&AtomicUsize, &metrics::Gauge) {
        match what {
            What::Waiting => (&self.waiting, &self.meters.waiting),
            What::Reading => (&self.reading, &self.meters.reading),
        }
    }

    fn held(self: &Arc<Self>, held: OwnedSemaphorePermit) -> Permit {
        self.meters.connections.increment(1.0);
        Permit { guard: Arc::clone(self), _held: held }
    }

    fn connections(&self) -> usize {
        let most = usize::try_from(self.limits.max_connections.get()).unwrap_or(usize::MAX);
        most.saturating_sub(self.permits.available_permits())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.guard.meters.connections.decrement(1.0);
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let (count, gauge) = self.guard.counted(self.what);
        count.fetch_sub(1, Ordering::Relaxed);
        gauge.decrement(1.0);
    }
}

/// How long a job waits for a connection before its section is tried again later.
pub(super) const PATIENCE: Duration = Duration::from_secs(10 * 60);
