//! How do rows come, and how is somebody stopped who makes them?

use std::fmt;

use adbc_core::{CancelHandle, Statement as _};
use adbc_driver_manager::ManagedStatement;
use arrow_array::{Array as _, RecordBatch, RecordBatchReader};
use arrow_schema::SchemaRef;

use crate::Error;

/// A statement that is ready to run.
pub struct Statement {
    statement: ManagedStatement,
}

/// The rows of a statement, batch by batch as the driver makes them; blocks while it does.
pub struct Rows {
    /// Released before the statement that it reads from.
    reader: Box<dyn RecordBatchReader + Send>,
    _statement: ManagedStatement,
}

/// Ends a statement from another thread.
pub struct Canceller {
    handle: Box<dyn CancelHandle>,
}

impl Statement {
    pub(crate) const fn new(statement: ManagedStatement) -> Self {
        Self { statement }
    }

    /// Returns what cancels it, while it begins and while its rows are read.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller { handle: self.statement.get_cancel_handle() }
    }

    /// Runs it; returns when the driver has rows to give.
    ///
    /// # Errors
    /// All but [`Error::Library`] and [`Error::Stream`].
    pub fn execute(mut self) -> Result<Rows, Error> {
        let reader = self.statement.execute().map_err(|error| Error::of(&error))?;
        Ok(Rows { reader, _statement: self.statement })
    }
}

impl Rows {
    /// Returns the columns of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.reader.next()? {
            Ok(batch) if is_valid(&batch) => Ok(batch),
            Ok(_) => Err(Error::Malformed),
            Err(_) => Err(Error::Stream),
        })
    }
}

/// A driver's memory is taken over as it is: texts that are not UTF-8 and offsets that lead elsewhere must not get further.
fn is_valid(batch: &RecordBatch) -> bool {
    batch.columns().iter().all(|column| column.to_data().validate_full().is_ok())
}

impl Canceller {
    /// Asks the driver to end the statement; it then fails with [`Error::Cancelled`] or another error, or comes to its end. Does nothing
    /// if it is over. Returns whether the driver took it up: drivers of ADBC 1.0 cannot.
    #[must_use]
    pub fn cancel(&self) -> bool {
        self.handle.try_cancel().is_ok()
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").finish_non_exhaustive()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}
