//! Silos: systems that hold data. One folder per type; the folder, the setting `type` and the metric label are one word.
//!
//! A [`Silo`] hands out [`Session`]s; a session reads in one read-only snapshot where the silo has one. Rows come as Arrow
//! batches over a bounded channel, so that a slow reader slows the silo and memory does not grow.

mod advice;
mod batches;
mod bound;
mod explained;
pub mod files;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod guarded;
mod items;
mod memory;
mod session;
mod shape;
mod spec;

pub mod adbc;
pub mod http;
pub mod mysql;
mod open;
pub mod postgres;
pub mod sqlite;

pub use batches::{BatchSender, Batches, NoReceiver};
pub use explained::Explained;
pub use guarded::{CircuitState, SiloState};
pub(crate) use items::{MORE, without_members};
pub(crate) use memory::{RowMemory, value_bytes};
pub use open::Silos;
pub(crate) use session::MOST_COUNTED;
pub use session::{
    Attached, BATCH_BYTES, BATCH_ROWS, BATCHES_WAITING, Held, Identifiers, Session, Silo,
};
pub(crate) use shape::JSON_EXTENSION;
pub use shape::{ColumnShape, ColumnType, Shape};
pub(crate) use spec::is_of_scope;
pub use spec::{Cursor, Filter, SectionSource, SectionSpec, Span, Window};
