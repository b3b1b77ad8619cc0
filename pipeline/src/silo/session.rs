//! What must a silo promise? The traits that plan and runner hold.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Batches, Cursor, Explained, SectionSpec, Shape};
use crate::{SiloError, Value};

/// Values of identifiers by their names.
pub type Identifiers = BTreeMap<String, Vec<Value>>;

/// A system that holds data.
#[async_trait]
pub trait Silo: std::fmt::Debug + Send + Sync {
    /// Connects, read-only. The session's snapshot is taken no later than its first read.
    ///
    /// # Errors
    /// [`SiloError::Unavailable`], [`SiloError::Missing`] or [`SiloError::Corrupt`].
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError>;
}

/// A connection to a silo, for one run of one job.
#[async_trait]
pub trait Session: Send {
    /// Returns the distinct values, NULLs left out, of `columns` over the rows the section selects; at most `limit` + 1 of each.
    ///
    /// # Errors
    /// [`SiloError`]; the session can be used again after a refused statement.
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError>;

    /// Looks at the rows a section selects: columns, types, whether the key holds, how many there are.
    ///
    /// # Errors
    /// As [`distinct`](Self::distinct).
    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError>;

    /// Starts reading the rows of a section, after a cursor if one is given (only where the shape is keyed).
    ///
    /// At most one read of a session is under way: the batches must be drained or dropped before the next call.
    ///
    /// # Errors
    /// As [`distinct`](Self::distinct); errors while reading come from [`Batches::next`].
    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError>;

    /// Asks the silo how it would read a section, without reading it. Identifiers may be unknown; no value of one is in the answer.
    ///
    /// # Errors
    /// As [`distinct`](Self::distinct); columns that are missing are no error but advice.
    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError>;
}

/// Rows in a batch at most; fewer when they are wide.
pub const BATCH_ROWS: usize = 8_192;
/// Bytes of column data at which a batch ends.
pub const BATCH_BYTES: usize = 1 << 20;
/// Batches waiting in the channel at most.
pub const BATCHES_WAITING: usize = 2;
