//! Is a bundle what its manifest says, and does somebody vouch for the manifest? Offline, with a zip reader that is not ours.

mod archive;
mod verdict;

pub use archive::verify;
pub use verdict::{CheckedFile, EntryBytes, RowCounter, Verdict, VerifyError};
