//! Plan, collect, package: from a recorded request to a published bundle.
//!
//! A [`Worker`] leases jobs. For each it makes a [`plan`] (identity graph, ordered sections), reads every section from its
//! [`silo`] as Arrow batches, encodes all formats in one pass into sealed segments, and packages what it
//! stored: report, manifest, signature. [`Engine`] is what the gateway holds: it submits requests and opens bundles.
//!
//! The only room that knows Arrow.

mod error;
mod value;

pub mod sql;

pub mod silo;

pub mod plan;

mod encode;
mod guard;
mod slice;
mod text;

mod crash_point;
pub mod runner;

mod count;
mod data_key;
mod engine;
mod sweeper;

pub use count::FileRowCounter;
pub use crash_point::crash_point;
pub use data_key::data_key_context;
pub use engine::{Engine, EngineParts};
pub use error::{PipelineError, SiloError};
pub use runner::{BundleReader, LiveProgress, OpenBundle, Worker};
pub use sweeper::{DiskUse, Sweeper, Swept};
pub use value::Value;

pub use antumbra_bundle::{ByteStream, ContentEncoding};
