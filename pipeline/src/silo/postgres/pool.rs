//! Which connections wait for their next session, and what is remembered of the silo's tables?

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;

use super::column::Source;
use super::facts::Facts;
use super::indexes::Table;
use super::link::Link;
use super::silo::Limits;
use super::url::Target;

/// What the sessions of one silo share: one URL, so one login.
pub(super) struct Pool {
    pub(super) target: Target,
    pub(super) limits: Limits,
    /// What drives connections.
    pub(super) tasks: TaskTracker,
    pub(super) memory: Arc<Memory>,
    idle: Mutex<Vec<Arc<Link>>>,
    /// The server lacks what a connection is kept by: none is.
    plain: AtomicBool,
}

/// What is remembered of selections, by the statement that selects all of one.
#[derive(Default)]
pub(super) struct Memory {
    facts: Mutex<HashMap<String, Arc<Facts>>>,
    next: AtomicU64,
    /// A pooler is between us and the server, and others use the server's connections next.
    pooled: AtomicBool,
}

impl Pool {
    pub(super) fn new(target: Target, limits: Limits) -> Self {
        Self {
            target,
            limits,
            tasks: TaskTracker::new(),
            memory: Arc::default(),
            idle: Mutex::default(),
            plain: AtomicBool::new(false),
        }
    }

    /// Takes the connection that was used last.
    pub(super) fn take(&self) -> Option<Arc<Link>> {
        lock(&self.idle).pop()
    }

    /// Gives up all that wait.
    pub(super) fn clear(&self) {
        drop(std::mem::take(&mut *lock(&self.idle)));
    }

    /// Keeps a connection; says whether there was room for it.
    pub(super) fn keep(&self, link: &Arc<Link>) -> bool {
        let mut idle = lock(&self.idle);
        let room = idle.len() < MOST_IDLE && !self.is_plain();
        if room {
            idle.push(Arc::clone(link));
        }
        room
    }

    /// Gives up a connection; `false` if a session has taken it.
    pub(super) fn forget(&self, link: &Link) -> bool {
        let mut idle = lock(&self.idle);
        let place = idle.iter().position(|kept| std::ptr::eq(Arc::as_ptr(kept), link));
        place.map(|place| idle.remove(place)).is_some()
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain.load(Ordering::Relaxed)
    }

    pub(super) fn set_plain(&self) {
        self.plain.store(true, Ordering::Relaxed);
    }
}

impl Memory {
    pub(super) fn is_pooled(&self) -> bool {
        self.pooled.load(Ordering::Relaxed)
    }

    pub(super) fn set_pooled(&self) {
        self.pooled.store(true, Ordering::Relaxed);
    }

    pub(super) fn get(&self, statement: &str) -> Option<Arc<Facts>> {
        lock(&self.facts).get(statement).map(Arc::clone)
    }

    /// Returns the quoted names of the tables that are remembered.
    pub(super) fn tables(&self) -> Vec<String> {
        let known = lock(&self.facts);
        known.values().filter_map(|facts| Some(facts.table.as_ref()?.name.clone())).collect()
    }

    /// Forgets a selection that the server contradicted.
    pub(super) fn forget(&self, statement: &str) {
        lock(&self.facts).remove(statement);
    }

    /// Takes in what the server said now. What it said before stays the same facts if nothing changed.
    pub(super) fn learn(
        &self,
        statement: &str,
        columns: Vec<Source>,
        table: Option<Table>,
    ) -> Arc<Facts> {
        let mut known = lock(&self.facts);
        if let Some(facts) = known.get(statement)
            && facts.columns == columns
            && facts.table == table
        {
            return Arc::clone(facts);
        }
        if known.len() >= MOST_FACTS {
            known.clear();
        }
        let generation = self.next.fetch_add(1, Ordering::Relaxed);
        let facts = Arc::new(Facts { columns, table, generation });
        known.insert(statement.to_owned(), Arc::clone(&facts));
        facts
    }
}

/// What was being written when a thread panicked is whole: entries are put in and taken out.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections that wait at most; further ones are closed.
const MOST_IDLE: usize = 16;
/// Selections that are remembered at most.
const MOST_FACTS: usize = 2_048;
