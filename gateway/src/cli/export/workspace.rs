//! Where does an export keep what it works with? In a directory of its own beside the zip.
//!
//! Beside the zip rather than in `$TMPDIR`: there is room for the data where the zip is to be, and temporary directories
//! are often in memory. What is in it is ciphertext: sealed objects, and a job store whose personal fields are sealed; the
//! keys stay where the settings have them.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A directory that only its owner can enter, removed with everything in it when it is dropped.
#[derive(Debug)]
pub(super) struct Workspace {
    path: PathBuf,
    removed: bool,
}

impl Workspace {
    /// Makes the directory beside `out`.
    ///
    /// # Errors
    /// Names the directory.
    pub(super) fn beside(out: &Path) -> anyhow::Result<Self> {
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let name = format!(".{name}.{}", uuid::Uuid::new_v4().simple());
        let path = std::path::absolute(out.with_file_name(name))
            .context("the working directory is not there any more")?;
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make directory {}", path.display()))?;
        Ok(Self { path, removed: false })
    }

    /// Returns where it is; an absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it.
    ///
    /// # Errors
    /// Names the directory, so that somebody can remove it.
    pub(super) fn remove(mut self) -> anyhow::Result<()> {
        self.removed = true;
        fs::remove_dir_all(&self.path)
            .with_context(|| format!("cannot remove {}", self.path.display()))
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if !self.removed {
            let _left = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_private_and_goes_with_everything_in_it() {
        let dir = tempfile::tempdir().unwrap();
        for explicit in [true, false] {
            let workspace = Workspace::beside(&dir.path().join("x.zip")).unwrap();
            let mode = fs::metadata(workspace.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
            fs::create_dir(workspace.path().join("objects")).unwrap();
            fs::write(workspace.path().join("objects/1"), "x").unwrap();
            if explicit {
                workspace.remove().unwrap();
            } else {
                drop(workspace);
            }
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}
