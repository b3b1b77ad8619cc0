//! What does a verification find?

use std::fs::File;
use std::io::Read;
use std::ops::Range;

/// What was found in a bundle.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// The manifest's signature was made with the trusted key.
    pub trusted: bool,
    /// The key id the signature names, if it could be read.
    pub kid: Option<String>,
    /// The content's hash, as computed.
    pub content_sha256: String,
    /// `complete` or `partial`, as the manifest says.
    pub outcome: String,
    /// Every file that the manifest names.
    pub files: Vec<CheckedFile>,
    /// Everything that is wrong, each in one line. Empty: the bundle is consistent.
    pub faults: Vec<String>,
}

/// One file that the manifest names, as it was found.
#[derive(Debug, Clone)]
pub struct CheckedFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Rows counted in it, where its format has rows.
    pub rows: Option<u64>,
    /// Nothing is wrong with it.
    pub ok: bool,
}

/// A file that could not be verified at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file could not be read.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// The file is not a zip archive, or a damaged one.
    #[error("not a readable zip archive")]
    Archive(#[from] zip::result::ZipError),
    /// The archive has no manifest, or one that is not understood.
    #[error("{what}")]
    Manifest {
        /// What is missing or wrong.
        what: String,
    },
}

impl VerifyError {
    /// Returns the fixed word for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "verify_io",
            Self::Archive(_) => "verify_archive",
            Self::Manifest { .. } => "verify_manifest",
        }
    }
}

/// The bytes of an entry, as a row counter gets them.
#[expect(missing_debug_implementations, reason = "holds a reader")]
pub enum EntryBytes<'a> {
    /// Deflated entries: one pass.
    Stream(&'a mut dyn Read),
    /// Stored entries: a range of the archive, for formats that are read from their end.
    Stored {
        /// The archive.
        archive: &'a File,
        /// Where the entry's bytes are in it.
        range: Range<u64>,
    },
}

/// Counts the rows of a file by reading the file.
pub trait RowCounter {
    /// Counts rows; `None` where the format is not known.
    ///
    /// # Errors
    /// A text that says where the file is not of its format.
    fn rows(&self, format: &str, bytes: EntryBytes<'_>) -> Result<Option<u64>, String>;
}
