//! Sealed segments in an object store, the manifest, and the zip that is computed and never stored.
//!
//! A worker writes [`PackWriter`]s: sealed objects that hold [`Segment`]s, which are runs of raw deflate blocks or stored
//! bytes. A bundle is a list of [`Entry`]s, each a list of segments; [`ZipLayout`] turns them into the exact bytes of
//! a zip archive, any range of which can be read at any time. Nobody ever rewrites bytes to assemble a file.
//!
//! The crate depends on antumbra-crypto only: it knows neither jobs nor Arrow nor HTTP.

mod error;
mod objects;
mod stored;

mod deflate;
mod pack;
mod segment;

mod entry;
mod inflate;
mod pieces;
mod read;
mod zip;

mod manifest;
pub mod verify;

pub use entry::{Body, ContentEncoding, Entry, Method, ReadableEntry};
pub use error::BundleError;
pub use manifest::{
    AttachedFile, Column, Content, FileContent, MANIFEST_NAME, Manifest, Redaction, Run, RunReport,
    SIGNATURE_NAME, ScopeContent, SectionContent, SettingsContent, canonical_json, hex,
};
pub use objects::JobObjects;
pub use pack::PackWriter;
pub use pieces::ByteStream;
pub use segment::{Flush, Segment, SegmentWriter};
pub use stored::{StoredObject, StoredObjects};
pub use zip::ZipLayout;
