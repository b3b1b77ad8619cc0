//! How does a key in clear get into a file? Into a new one, for its owner only, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file that was not there before, mode 0600. Dropped before [`finish`](Self::finish) it is removed.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    file: File,
    finished: bool,
}

impl NewFile {
    /// Makes the file, empty.
    ///
    /// # Errors
    /// When there is something by that name, also a link that leads nowhere; when the directory cannot be written.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot make {} as a new file", path.display()))?;
        Ok(Self { path: path.to_owned(), file, finished: false })
    }

    /// Writes everything that is to be in it, and keeps the file.
    ///
    /// # Errors
    /// When it cannot be written whole; it is removed then.
    pub(super) fn finish(mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.finished {
            let _left = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_is_there_is_never_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (taken, link) = (dir.path().join("taken"), dir.path().join("link"));
        fs::write(&taken, "old").unwrap();
        symlink(dir.path().join("elsewhere"), &link).unwrap();
        for path in [&taken, &link, &dir.path().to_owned()] {
            assert!(NewFile::create(path).is_err(), "{}", path.display());
        }
        assert_eq!(fs::read(&taken).unwrap(), b"old");
        assert!(!dir.path().join("elsewhere").try_exists().unwrap());
    }

    #[test]
    fn it_is_its_owners_and_is_there_only_once_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyset.json");
        drop(NewFile::create(&path).unwrap());
        assert!(!path.try_exists().unwrap());
        let file = NewFile::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        file.finish(b"{}").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
    }
}
