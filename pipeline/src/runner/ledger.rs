//! How far is a job? Counted by everybody who writes for it, several at the same time where a section is read in parts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use antumbra_jobs::Progress;

use super::live::Teller;

/// The counts of a job under one lease.
#[derive(Debug)]
pub(super) struct Ledger {
    progress: Mutex<Progress>,
    /// Rows that were encoded and are in no complete slice.
    uncut: AtomicU64,
    commits: AtomicU64,
    /// Held by whoever commits, so that what the store says of progress never goes back.
    pub(super) committing: tokio::sync::Mutex<()>,
    pub(super) teller: Teller,
}

impl Ledger {
    pub(super) fn new(teller: Teller) -> Self {
        Self {
            progress: Mutex::default(),
            uncut: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            committing: tokio::sync::Mutex::default(),
            teller,
        }
    }

    /// Returns the counts, for a moment.
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets rows of slices that will not be complete.
    pub(super) fn begin(&self) {
        self.uncut.store(0, Ordering::Relaxed);
    }

    /// Counts rows that were encoded, and tells of them.
    pub(super) fn rows(&self, rows: u64) {
        let uncut = self.uncut.fetch_add(rows, Ordering::Relaxed).saturating_add(rows);
        self.teller.rows(&self.progress(), uncut);
    }

    /// Counts a complete slice of so many rows that were told of, and its sealed bytes.
    pub(super) fn slice(&self, rows: u64, bytes: u64) {
        self.uncut.fetch_sub(rows, Ordering::Relaxed);
        let mut progress = self.progress();
        progress.rows_collected += rows;
        progress.bytes_packaged += bytes;
    }

    /// Counts a commit.
    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how often something was committed.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}
