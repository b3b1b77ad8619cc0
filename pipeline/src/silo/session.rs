//! What must a silo promise? The traits that plan and runner hold.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::{Batches, Cursor, Explained, SectionSpec, Shape, Span};
use crate::{SiloError, Value};

/// Values of identifiers by their names.
pub type Identifiers = BTreeMap<String, Vec<Value>>;

/// A system that holds data.
#[async_trait]
pub trait Silo: fmt::Debug + Send + Sync {
    /// Connects, read-only. The session's snapshot is taken no later than its first read.
    ///
    /// # Errors
    /// [`SiloError::Unavailable`], [`SiloError::Missing`] or [`SiloError::Corrupt`].
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError>;
}

/// A connection to a silo, for one run of one job.
#[async_trait]
pub trait Session: Send {
    /// Keeps something for as long as the silo holds a connection for this session, which may be longer than the session itself: it is
    /// dropped when the connection waits for its next session or is closed. A silo whose connections end with their sessions keeps
    /// nothing.
    fn hold(&mut self, _held: Held) {}

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

    /// Opens another session that reads in the same snapshot, for as long as this one is kept. `None`: this silo has no such thing,
    /// or no connection is free.
    ///
    /// # Errors
    /// As [`Silo::connect`]; this session can be used on.
    async fn beside(&mut self) -> Result<Option<Box<dyn Session>>, SiloError> {
        Ok(None)
    }

    /// Returns keys that part the rows of a keyed section into `parts` runs of about the same length: fewer than `parts`, ascending,
    /// each that of a row of this snapshot. None from a silo that cannot find them cheaply, or whose sessions share no snapshot.
    ///
    /// # Errors
    /// As [`distinct`](Self::distinct).
    async fn bounds(
        &mut self,
        _section: &SectionSpec,
        _known: &Identifiers,
        _shape: &Shape,
        _parts: u32,
    ) -> Result<Vec<Cursor>, SiloError> {
        Ok(Vec::new())
    }

    /// Starts reading a run of the rows of a keyed section, as [`read`](Self::read) does; numbers of rows in errors count from its
    /// beginning. Every silo that has [`bounds`](Self::bounds) can.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`SiloError::Settings`] from a silo that cannot.
    async fn read_span(
        &mut self,
        _section: &SectionSpec,
        _known: &Identifiers,
        _shape: &Shape,
        _span: Span,
    ) -> Result<Batches, SiloError> {
        let what = "a silo of this type is not read in parts".to_owned();
        Err(SiloError::Settings { what })
    }

    /// Counts the rows a section would have without its window and filters; `None` if the silo cannot say cheaply, or there are
    /// very many: nobody waits for a count of a whole table.
    ///
    /// # Errors
    /// As [`distinct`](Self::distinct).
    async fn count_whole(
        &mut self,
        _section: &SectionSpec,
        _known: &Identifiers,
    ) -> Result<Option<u64>, SiloError> {
        Ok(None)
    }

    /// Returns the attachments a section selects, ascending by name, each once.
    ///
    /// # Errors
    /// As [`distinct`](Self::distinct); [`SiloError::Settings`] from a silo that has none.
    async fn attachments(
        &mut self,
        _section: &SectionSpec,
        _known: &Identifiers,
    ) -> Result<Vec<Attached>, SiloError> {
        Err(no_attachments())
    }

    /// Streams one of them from its beginning. What changed since it was listed is an error, not another attachment.
    ///
    /// # Errors
    /// As [`attachments`](Self::attachments).
    async fn attachment(
        &mut self,
        _attached: &Attached,
    ) -> Result<BoxStream<'static, Result<Bytes, SiloError>>, SiloError> {
        Err(no_attachments())
    }
}

/// What a connection keeps, whatever it is.
pub type Held = Arc<dyn Any + Send + Sync>;

/// A file that goes into the bundle as it is. Its name may hold an identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Attached {
    /// Its name in the silo.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
    /// Its media type, if settings or the silo say it.
    pub media_type: Option<String>,
    /// What changes with its content, such as an `ETag`.
    pub version: Option<String>,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("len", &self.len).finish_non_exhaustive()
    }
}

fn no_attachments() -> SiloError {
    SiloError::Settings { what: "a silo of this type has no attachments".to_owned() }
}

/// Rows in a batch at most; fewer when they are wide.
pub const BATCH_ROWS: usize = 8_192;
/// Bytes of column data at which a batch ends.
pub const BATCH_BYTES: usize = 1 << 20;
/// Batches waiting in the channel at most.
pub const BATCHES_WAITING: usize = 2;

/// Rows that are counted at most where a count is for people.
pub(crate) const MOST_COUNTED: u64 = 1_000_000;
