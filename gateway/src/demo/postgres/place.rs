//! Where are the server's files? In the demo's directory, kept for the next demo; or, where its user cannot get there, in
//! a temporary one that goes with this demo.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::account::Account;
use crate::cli::create_private_dir;

/// A directory for one server; its user alone can enter it.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    temporary: bool,
}

impl Place {
    /// Takes the directory that is wanted, made if absent; for another account a new one where temporary files are.
    /// `suffix` is something nobody guesses.
    ///
    /// # Errors
    /// When neither can be made.
    pub(super) fn take(
        wanted: &Path,
        account: Option<&Account>,
        suffix: &str,
    ) -> anyhow::Result<Self> {
        let Some(account) = account else {
            create_private_dir(wanted)?;
            return Ok(Self { path: wanted.to_owned(), temporary: false });
        };
        for parent in [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")] {
            if !parent.is_dir() || !account.reaches(&parent)? {
                continue;
            }
            let path = parent.join(format!("antumbra-demo-{suffix}"));
            let cannot = || format!("cannot make {}", path.display());
            DirBuilder::new().mode(0o700).create(&path).with_context(cannot)?;
            let place = Self { path, temporary: true };
            place.give_to(Some(account), place.path())?;
            return Ok(place);
        }
        bail!("the user postgres can reach no temporary directory");
    }

    /// Returns the directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the server's own directory in it.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Says whether it goes with the demo.
    pub(super) const fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// Gives a file in it to whoever runs the server.
    ///
    /// # Errors
    /// Names the file.
    pub(super) fn give_to(&self, account: Option<&Account>, path: &Path) -> anyhow::Result<()> {
        let Some(Account { user, group }) = account else { return Ok(()) };
        chown(path, Some(*user), Some(*group))
            .with_context(|| format!("cannot give away {}", path.display()))
    }

    /// Removes it if it is temporary; nothing may use it any more.
    ///
    /// # Errors
    /// Names it.
    pub(super) fn leave(&self) -> anyhow::Result<()> {
        if !self.temporary {
            return Ok(());
        }
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}
