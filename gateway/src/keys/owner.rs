//! Whose file is it? What root makes beside a daemon's files has to become the daemon's.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};

/// The user and group that a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { user: metadata.uid(), group: metadata.gid() }
    }

    /// Gives a file away that the caller has just made: one that was there before may be anybody's, under another name.
    pub(super) fn takes(self, made: &File) -> io::Result<()> {
        let before = Self::of(&made.metadata()?);
        if before == self {
            return Ok(());
        }
        // A group that the caller is not in is worth no failure: the file is closed to groups.
        fchown(made, Some(self.user), Some(self.group))
            .or_else(|error| if before.user == self.user { Ok(()) } else { Err(error) })
    }
}
