//! Silos: systems that hold data. One folder per type; the folder, the setting `type` and the metric label are one word.
//!
//! A [`Silo`] hands out [`Session`]s; a session reads in one read-only snapshot where the silo has one. Rows come as Arrow
//! batches over a bounded channel, so that a slow reader slows the silo and memory does not grow.

mod batches;
mod explained;
mod session;
mod shape;
mod spec;

mod open;
pub mod postgres;
pub mod sqlite;

pub use batches::Batches;
pub use explained::Explained;
pub use open::Silos;
pub use session::{BATCH_BYTES, BATCH_ROWS, BATCHES_WAITING, Identifiers, Session, Silo};
pub(crate) use shape::JSON_EXTENSION;
pub use shape::{ColumnShape, ColumnType, Shape};
pub use spec::{Cursor, Filter, SectionSource, SectionSpec, Window};
