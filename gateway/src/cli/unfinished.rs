//! How does a file appear complete or not at all? Written beside its place, synced, then put there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A file that is being written as `<name>.part`, for its owner only. Dropped before [`finish`](Self::finish) it is removed.
#[derive(Debug)]
pub(super) struct Unfinished {
    part: PathBuf,
    place: PathBuf,
    replace: bool,
    finished: bool,
}

impl Unfinished {
    /// Makes the file beside its place. While it is there nobody else writes to the same place.
    ///
    /// # Errors
    /// When there is something at `place` and `replace` is not set, or an unfinished file of another process.
    pub(super) fn create(place: &Path, replace: bool) -> anyhow::Result<(Self, File)> {
        if place.is_dir() || place.file_name().is_none() {
            bail!("{} is a directory, not a file to write", place.display());
        }
        if !replace && taken(place)? {
            bail!("{} exists; --force replaces it", place.display());
        }
        let mut part = place.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = match made {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
                "{} exists: another process is writing it, or one was killed and it can be removed",
                part.display()
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write {}", part.display()));
            }
        };
        Ok((Self { part, place: place.to_owned(), replace, finished: false }, file))
    }

    /// Returns where it is while it is written.
    pub(super) fn path(&self) -> &Path {
        &self.part
    }

    /// Puts the file in its place. Its bytes have to be on the disk by then.
    ///
    /// # Errors
    /// When something has appeared there meanwhile and was not to be replaced. The file is removed then.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.place.display());
        if self.replace {
            fs::rename(&self.part, &self.place).with_context(cannot)?;
        } else {
            self.put_if_free().with_context(cannot)?;
        }
        self.finished = true;
        let directory = match self.place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory).and_then(|dir| dir.sync_all()).with_context(cannot)
    }

    /// A link, unlike a rename, never replaces. File systems without links are asked first instead.
    fn put_if_free(&self) -> anyhow::Result<()> {
        match fs::hard_link(&self.part, &self.place) {
            Ok(()) => Ok(fs::remove_file(&self.part)?),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                bail!("it exists by now; --force replaces it")
            }
            Err(_) if taken(&self.place)? => bail!("it exists by now; --force replaces it"),
            Err(_) => Ok(fs::rename(&self.part, &self.place)?),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            let _gone = fs::remove_file(&self.part);
        }
    }
}

/// Says whether there is anything, a link to nowhere included.
fn taken(place: &Path) -> anyhow::Result<bool> {
    match fs::symlink_metadata(place) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot look for {}", place.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_finished_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("x.zip");
        let (unfinished, mut file) = Unfinished::create(&place, false).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(names(dir.path()), ["x.zip.part"]);
        unfinished.finish().unwrap();
        assert_eq!(names(dir.path()), ["x.zip"]);
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_there_is_only_replaced_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("x.zip");
        fs::write(&place, "old").unwrap();
        let refused = Unfinished::create(&place, false).unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        let (unfinished, mut file) = Unfinished::create(&place, true).unwrap();
        file.write_all(b"new").unwrap();
        drop(unfinished);
        assert_eq!(fs::read(&place).unwrap(), b"old");
        let (unfinished, mut file) = Unfinished::create(&place, true).unwrap();
        file.write_all(b"new").unwrap();
        unfinished.finish().unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["x.zip"]);
    }

    #[test]
    fn what_appeared_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("x.zip");
        let (unfinished, _file) = Unfinished::create(&place, false).unwrap();
        fs::write(&place, "another's").unwrap();
        assert!(unfinished.finish().is_err());
        assert_eq!(fs::read(&place).unwrap(), b"another's");
        assert_eq!(names(dir.path()), ["x.zip"]);
    }

    #[test]
    fn two_writers_of_one_place_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("x.zip");
        let (first, _file) = Unfinished::create(&place, true).unwrap();
        let refused = Unfinished::create(&place, true).unwrap_err().to_string();
        assert!(refused.contains("x.zip.part exists"), "{refused}");
        drop(first);
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_directory_is_no_place() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Unfinished::create(dir.path(), true).is_err());
        assert!(Unfinished::create(&dir.path().join("none/x.zip"), true).is_err());
        assert_eq!(names(dir.path()), [""; 0]);
    }
}
