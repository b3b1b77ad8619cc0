//! What can be wrong with the file of the key ring.

use std::io;
use std::path::PathBuf;

use super::ring_lock::LONGEST_WAIT;

/// Why a ring file cannot be read, made or changed. Names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RingFileError {
    /// It cannot be read.
    #[error("cannot read the key ring {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Where a new one was to be made there is one, or something else of that name.
    #[error("{} exists; keys that seal data are never replaced", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else changes it, and is not done after ten seconds.
    #[error("somebody else has held {} for {} seconds; is another `antumbra keys` command running?", path.display(), LONGEST_WAIT.as_secs())]
    Locked {
        /// The file of the lock.
        path: PathBuf,
    },
    /// The lock cannot be asked for.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The file of the lock.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The new ring cannot be written; the old one is still there.
    #[error("cannot replace the key ring {}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The new ring is there and counts: daemons take it over. It is only not certain that it would be after a power cut.
    #[error("the key ring {} was replaced, but perhaps not for good: its folder cannot be synced, and a power cut may bring the old one back", path.display())]
    Unsynced {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
