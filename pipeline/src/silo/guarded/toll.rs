//! What happens to rows on their way out of a silo? They are counted, and wait for the budgets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use tokio::time::Instant;

use super::Guard;
use super::circuit::Pass;
use super::guard::{Going, Permit};
use crate::SiloError;
use crate::silo::value_bytes;

/// Stands between a reader and whoever takes its rows. Holds the connection they come from.
#[derive(Debug)]
pub(in crate::silo) struct Toll {
    guard: Arc<Guard>,
    pass: Pass,
    answered: AtomicBool,
    _reading: Going,
    _permit: Arc<Permit>,
}

impl Toll {
    pub(super) fn new(guard: &Arc<Guard>, pass: Pass, permit: Arc<Permit>) -> Self {
        Self {
            guard: Arc::clone(guard),
            pass,
            answered: AtomicBool::new(false),
            _reading: guard.read(),
            _permit: permit,
        }
    }

    /// Charges a batch; it may go on at the moment that is returned.
    pub(in crate::silo) fn charge(&self, batch: &RecordBatch) -> Instant {
        let rows = u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        self.answers();
        self.guard.charge(rows, value_bytes(batch))
    }

    /// Charges a piece of an attachment; it may go on at the moment that is returned.
    pub(super) fn charge_bytes(&self, len: usize) -> Instant {
        self.answers();
        self.guard.charge(0, u64::try_from(len).unwrap_or(u64::MAX))
    }

    /// Takes how the reading ended, or failed on its way.
    pub(in crate::silo) fn ended<T>(&self, ended: &Result<T, SiloError>) {
        self.guard.note(&self.pass, ended);
    }

    /// The first row says that the silo answers; a long section must not leave that open.
    fn answers(&self) {
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.guard.note(&self.pass, &Ok(()));
        }
    }
}
