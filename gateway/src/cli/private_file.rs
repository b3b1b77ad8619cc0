//! How are secrets written and read? For their owner only, whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use uuid::Uuid;

/// Makes a directory, and those above it, that only its owner can enter. One that exists stays as it is.
///
/// # Errors
/// Names the directory.
pub(crate) fn create_private_dir(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make directory {}", path.display()))
}

/// Writes a file that only its owner can read, in the place of any other. It appears complete, with its bytes on the disk, or not at
/// all, also if several write it at once: then it is that of one of them.
///
/// # Errors
/// Names the file.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    place(path, bytes, |from, to| fs::rename(from, to))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a file as [`write_private`] does, where nothing has that name.
///
/// # Errors
/// Names the file. What is there, a link included, stays.
pub(crate) fn write_private_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    place(path, bytes, |from, to| fs::hard_link(from, to))
        .with_context(|| format!("cannot write {} as a new file", path.display()))
}

/// Reads a small text file; `None` if it is not there. Line breaks at its end are cut off.
///
/// # Errors
/// Names the file.
pub(crate) fn read_private(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn place(
    path: &Path,
    bytes: &[u8],
    put: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    remove_left(folder, name)?;
    let mut unfinished = Unfinished::create(folder, name)?;
    unfinished.file.write_all(bytes)?;
    unfinished.file.sync_all()?;
    put(&unfinished.path, path)?;
    drop(unfinished);
    File::open(folder)?.sync_all()
}

/// A file with a name of its own, on its way to another. Locked while somebody writes it; dropped, the first name is gone.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn create(folder: &Path, name: &OsStr) -> io::Result<Self> {
        let mut own = OsString::from(name);
        own.push(format!(".{}{UNFINISHED}", Uuid::new_v4().simple()));
        let path = folder.join(own);
        // Follows no link, whoever the folder belongs to.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let unfinished = Self { path, file };
        unfinished.file.try_lock()?;
        Ok(unfinished)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Renamed already, or left for the next who writes.
        let _gone = fs::remove_file(&self.path);
    }
}

/// Removes what a crash left of earlier writes. What is locked is another's, who is at it.
fn remove_left(folder: &Path, name: &OsStr) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !is_unfinished(&entry.file_name(), name) || !entry.file_type()?.is_file() {
            continue;
        }
        // One that does not open was finished meanwhile, or is nothing of ours.
        let Ok(left) = OpenOptions::new().read(true).write(true).open(entry.path()) else {
            continue;
        };
        if left.try_lock().is_ok() {
            let _gone = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Says whether a file is one that is being written, or was, to get `name`.
fn is_unfinished(found: &OsStr, name: &OsStr) -> bool {
    let own = found.as_bytes().strip_prefix(name.as_bytes());
    let Some(own) = own.and_then(|own| own.strip_suffix(UNFINISHED.as_bytes())) else {
        return false;
    };
    // Nothing between the two: as an earlier version wrote them.
    own.is_empty() || (own.len() == 33 && own.iter().skip(1).all(u8::is_ascii_hexdigit))
}

const UNFINISHED: &str = ".unfinished";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_and_directories_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        create_private_dir(&inner).unwrap();
        create_private_dir(&inner).unwrap();
        let file = inner.join("key");
        fs::write(inner.join("key.unfinished"), "left by a crash").unwrap();
        write_private(&file, b"secret\n").unwrap();
        assert_eq!((mode(&inner), mode(&file)), (0o700, 0o600));
        assert_eq!(read_private(&file).unwrap().as_deref(), Some("secret"));
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    }

    #[test]
    fn missing_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_private(&dir.path().join("key")).unwrap(), None);
    }

    #[test]
    fn what_is_there_is_not_replaced_by_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let (taken, link) = (dir.path().join("taken"), dir.path().join("link"));
        write_private_new(&taken, b"old").unwrap();
        assert_eq!((fs::read(&taken).unwrap(), mode(&taken)), (b"old".to_vec(), 0o600));
        symlink(dir.path().join("none"), &link).unwrap();
        for path in [&taken, &link] {
            let error = write_private_new(path, b"new").unwrap_err();
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
        assert_eq!(fs::read(&taken).unwrap(), b"old");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "something is left");
    }

    #[test]
    fn two_who_write_at_once_do_not_get_at_each_others_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let mut other = Unfinished::create(dir.path(), OsStr::new("key")).unwrap();
        other.file.write_all(b"half").unwrap();
        write_private(&path, b"mine").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        other.file.write_all(b" and half").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read(&other.path).unwrap(), b"half and half");
        let left = other.path.clone();
        // As a crash leaves it: unlocked, and there.
        fs::copy(&left, dir.path().join(format!("key.{}.unfinished", "0f".repeat(16)))).unwrap();
        write_private(&path, b"mine again").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the other's, and the file");
        drop(other);
        assert!(!left.try_exists().unwrap());
    }

    #[test]
    fn only_own_leavings_are_removed() {
        let name = OsStr::new("key");
        let of = |text: &str| is_unfinished(OsStr::new(text), name);
        assert!(of("key.unfinished") && of(&format!("key.{}.unfinished", "0f".repeat(16))));
        for other in ["key", "key.pem.unfinished", "other.unfinished", "key.unfinished.bak"] {
            assert!(!of(other), "{other}");
        }
    }
}
