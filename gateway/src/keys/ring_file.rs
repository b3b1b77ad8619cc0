//! The file of the key ring: read whole, replaced whole, made and changed by one process at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use antumbra_crypto::{Error as CryptoError, RingSource};
use async_trait::async_trait;

use super::owner::Owner;
use super::ring_error::RingFileError;
use super::ring_lock::{RingLock, beside};

/// Names the file of a key ring.
#[derive(Debug, Clone)]
pub(crate) struct RingFile {
    path: PathBuf,
}

impl RingFile {
    /// Takes the setting `keys.ring`. The file need not be there yet.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the file's path as the settings have it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the ring. What it returns is there after a power cut, too, as far as the folder can be synced: who wrote it may not
    /// have come that far, and nothing must be wrapped with a key that may be lost.
    ///
    /// # Errors
    /// Whatever the system says; a file above 4 MiB is no ring.
    pub(crate) async fn bytes(&self) -> io::Result<Vec<u8>> {
        let path = self.path.clone();
        blocking(move || {
            let (bytes, _) = read(&path)?;
            // A folder that cannot be synced, as where it is mounted to be read only, is nothing that a reader could repair.
            let _synced = fs::canonicalize(&path).and_then(|path| folder(&path)?.sync_all());
            Ok(bytes)
        })
        .await
    }

    /// Reads the ring to change it: nobody else can until the guard is dropped. Waits ten seconds for somebody who is at it.
    ///
    /// # Errors
    /// [`RingFileError`], which names the file.
    pub(crate) async fn edit(&self) -> Result<(Vec<u8>, RingEdit), RingFileError> {
        let unreadable = |source| RingFileError::Unreadable { path: self.path.clone(), source };
        // A link stays one: what it leads to is replaced.
        let named = self.path.clone();
        let path = blocking(move || fs::canonicalize(named)).await.map_err(unreadable)?;
        let lock = RingLock::of(&path).await?;
        let target = path.clone();
        let (bytes, owner) = blocking(move || read(&target)).await.map_err(unreadable)?;
        Ok((bytes, RingEdit { path, owner, _lock: lock }))
    }

    /// Takes the place of a ring that is not there: nobody else makes one until the guard is dropped. Waits as [`edit`](Self::edit)
    /// does. The folder has to be there.
    ///
    /// # Errors
    /// [`RingFileError::Exists`] when there is anything of that name, also a link that leads nowhere.
    pub(crate) async fn vacant(&self) -> Result<RingPlace, RingFileError> {
        let unreadable = |source| RingFileError::Unreadable { path: self.path.clone(), source };
        let named = self.path.clone();
        let path = blocking(move || in_real_folder(&named)).await.map_err(unreadable)?;
        let lock = RingLock::of(&path).await?;
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(RingPlace { path, _lock: lock })
            }
            Err(source) => Err(unreadable(source)),
            Ok(_) => Err(RingFileError::Exists { path: self.path.clone() }),
        }
    }
}

#[async_trait]
impl RingSource for RingFile {
    async fn read(&self) -> Result<Vec<u8>, CryptoError> {
        self.bytes().await.map_err(|source| CryptoError::RingUnreadable {
            source: Box::new(RingFileError::Unreadable { path: self.path.clone(), source }),
        })
    }
}

/// The right to replace a ring file. Other processes wait until it is dropped, also when this one crashes.
#[derive(Debug)]
pub(crate) struct RingEdit {
    path: PathBuf,
    owner: Owner,
    _lock: RingLock,
}

impl RingEdit {
    /// Puts new bytes in the file's place: whoever opens it finds the old ring or the new one, whole, whatever crashes. The file is its
    /// owner's alone, and its owner is that of the ring that was read. May be called again.
    ///
    /// The new bytes are on the disk before they get the name, and the name is synced right after. A power cut between the two may
    /// bring the old ring back; daemons sync the folder themselves before they use what they read ([`RingFile::bytes`]), so that
    /// nothing is wrapped under a key which is lost in this way.
    ///
    /// Blocks on I/O.
    ///
    /// # Errors
    /// [`RingFileError::Unwritable`]: the old ring is still there. [`RingFileError::Unsynced`]: the new one is, daemons use it, and
    /// what follows a replacement (an audit entry) has to follow still.
    pub(crate) fn replace(&mut self, bytes: &[u8]) -> Result<(), RingFileError> {
        self.replace_and(bytes, File::sync_all)
    }

    fn replace_and(
        &self,
        bytes: &[u8],
        sync: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<(), RingFileError> {
        let unfinished = beside(&self.path, ".unfinished");
        let renamed = write(&unfinished, self.owner, bytes).and_then(|()| {
            // Opened first: what cannot be synced later had better fail now.
            let folder = folder(&self.path)?;
            fs::rename(&unfinished, &self.path).map(|()| folder)
        });
        match renamed {
            Ok(folder) => sync(&folder)
                .map_err(|source| RingFileError::Unsynced { path: self.path.clone(), source }),
            Err(source) => {
                // A file that stays is in nobody's way: the next one takes its place.
                let _removed = fs::remove_file(&unfinished);
                Err(RingFileError::Unwritable { path: self.path.clone(), source })
            }
        }
    }
}

/// The right to make a ring where there is none.
#[derive(Debug)]
pub(crate) struct RingPlace {
    path: PathBuf,
    _lock: RingLock,
}

impl RingPlace {
    /// Returns where the ring goes; no folder of it is a link.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Never writes to what is there, also not through a link: the folder may be another's than the caller's.
fn write(path: &Path, owner: Owner, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // What root changes the daemon still has to read.
    owner.takes(&file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a ring, and says whose file that was.
fn read(path: &Path) -> io::Result<(Vec<u8>, Owner)> {
    let file = File::open(path)?;
    let (owner, mut bytes) = (Owner::of(&file.metadata()?), Vec::new());
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= LARGEST) {
        Ok((bytes, owner))
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 4 MiB: this is no key ring"))
    }
}

fn in_real_folder(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    Ok(fs::canonicalize(parent(path))?.join(name))
}

fn folder(path: &Path) -> io::Result<File> {
    File::open(parent(path))
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Keeps slow disks away from the threads that serve.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Thousands of rotations fit; what is larger was not written by us.
const LARGEST: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::time::Duration;

    use super::*;

    fn ring(dir: &Path) -> RingFile {
        let path = dir.join("ring.json");
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        RingFile::at(path)
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_ring_is_replaced_whole_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = ring(dir.path());
        let mut open = File::open(file.path()).unwrap();
        let (bytes, mut edit) = file.edit().await.unwrap();
        assert_eq!(bytes, b"one");
        edit.replace(b"two, which is longer").unwrap();
        edit.replace(b"three").unwrap();
        drop(edit);
        assert_eq!(file.bytes().await.unwrap(), b"three");
        assert_eq!(file.read().await.unwrap(), b"three");
        // Whoever had the old file open goes on reading the old ring.
        let mut old = String::new();
        open.read_to_string(&mut old).unwrap();
        assert_eq!(old, "one");
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mode = fs::metadata(dir.path().join("ring.json.lock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["ring.json", "ring.json.lock"]);
    }

    #[tokio::test]
    async fn what_a_crash_left_is_neither_read_nor_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let file = ring(dir.path());
        let left = dir.path().join("ring.json.unfinished");
        fs::write(&left, "half a ri").unwrap();
        // Whoever may not write it any more may still take it away.
        fs::set_permissions(&left, fs::Permissions::from_mode(0o400)).unwrap();
        let (bytes, mut edit) = file.edit().await.unwrap();
        assert_eq!(bytes, b"one");
        edit.replace(b"two").unwrap();
        assert_eq!(file.bytes().await.unwrap(), b"two");
        assert_eq!(names(dir.path()), ["ring.json", "ring.json.lock"]);
    }

    #[tokio::test]
    async fn a_ring_that_cannot_be_replaced_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = ring(dir.path());
        let (_, mut edit) = file.edit().await.unwrap();
        // A folder has the name of the file that is written first.
        fs::create_dir(dir.path().join("ring.json.unfinished")).unwrap();
        let error = edit.replace(b"two").unwrap_err();
        assert!(error.to_string().contains("ring.json"), "{error}");
        assert_eq!(file.bytes().await.unwrap(), b"one");
    }

    #[tokio::test]
    async fn a_ring_that_was_replaced_says_so_though_its_folder_was_not_synced() {
        let dir = tempfile::tempdir().unwrap();
        let file = ring(dir.path());
        let (_, edit) = file.edit().await.unwrap();
        let broken = |_: &File| Err(io::Error::other("the disk is gone"));
        let error = edit.replace_and(b"two", broken).unwrap_err();
        assert!(matches!(error, RingFileError::Unsynced { .. }), "{error:?}");
        assert!(error.to_string().contains("was replaced"), "{error}");
        assert_eq!(file.bytes().await.unwrap(), b"two");
    }

    /// The folder is the daemon's, the caller root.
    #[tokio::test]
    async fn what_root_writes_is_the_ring_owners_and_nothing_else_becomes_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let file = ring(dir.path());
        let caller = fs::metadata(dir.path()).unwrap().uid();
        let daemon = if caller == 0 { 65_534 } else { caller };
        chown(file.path(), Some(daemon), None).unwrap();
        let victim = dir.path().join("shadow");
        fs::write(&victim, "root's").unwrap();
        symlink(&victim, dir.path().join("ring.json.unfinished")).unwrap();
        let (_, mut edit) = file.edit().await.unwrap();
        // Whoever owns the ring that was read: the name may lead elsewhere by now.
        fs::remove_file(file.path()).unwrap();
        symlink(&victim, file.path()).unwrap();
        edit.replace(b"two").unwrap();
        let ring = fs::symlink_metadata(file.path()).unwrap();
        assert!(ring.is_file());
        assert_eq!(ring.uid(), daemon);
        assert_eq!(fs::read(file.path()).unwrap(), b"two");
        assert_eq!(fs::read(&victim).unwrap(), b"root's");
        assert_eq!(fs::metadata(&victim).unwrap().uid(), caller);
    }

    #[tokio::test]
    async fn a_place_is_vacant_only_while_nothing_has_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = RingFile::at(dir.path().join("ring.json"));
        drop(file.vacant().await.unwrap());
        symlink(dir.path().join("none"), file.path()).unwrap();
        for _ in 0..2 {
            let error = file.vacant().await.unwrap_err();
            assert!(matches!(error, RingFileError::Exists { .. }), "{error:?}");
            fs::remove_file(file.path()).unwrap();
            fs::write(file.path(), "one").unwrap();
        }
        let absent = RingFile::at(dir.path().join("no/ring.json")).vacant().await.unwrap_err();
        assert!(matches!(absent, RingFileError::Unreadable { .. }), "{absent:?}");
    }

    #[tokio::test]
    async fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        ring(&dir.path().join("real"));
        symlink("real/ring.json", dir.path().join("ring.json")).unwrap();
        let file = RingFile::at(dir.path().join("ring.json"));
        let (_, mut edit) = file.edit().await.unwrap();
        edit.replace(b"two").unwrap();
        drop(edit);
        assert!(fs::symlink_metadata(file.path()).unwrap().is_symlink());
        assert_eq!(fs::read(dir.path().join("real/ring.json")).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["real", "ring.json"]);
    }

    #[tokio::test]
    async fn one_edits_at_a_time_and_the_next_sees_what_the_first_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let file = ring(dir.path());
        let (_, mut first) = file.edit().await.unwrap();
        let second = file.edit();
        tokio::pin!(second);
        let early = tokio::time::timeout(Duration::from_millis(150), &mut second).await;
        assert!(early.is_err(), "the second did not wait");
        first.replace(b"two").unwrap();
        drop(first);
        let (bytes, _) = second.await.unwrap();
        assert_eq!(bytes, b"two");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_never_given_back_is_an_error_that_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = ring(dir.path());
        let (_, _kept) = file.edit().await.unwrap();
        let error = file.edit().await.unwrap_err();
        assert!(matches!(error, RingFileError::Locked { .. }), "{error}");
        assert!(error.to_string().contains("ring.json.lock"), "{error}");
        assert_eq!(file.bytes().await.unwrap(), b"one");
    }

    #[tokio::test]
    async fn what_is_no_ring_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let absent = RingFile::at(dir.path().join("none.json"));
        let error = absent.edit().await.unwrap_err();
        assert!(error.to_string().contains("none.json"), "{error}");
        assert_eq!(absent.read().await.unwrap_err().code(), "ring_unreadable");
        assert_eq!(names(dir.path()), [""; 0]);
        let large = dir.path().join("large.json");
        File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
        let error = RingFile::at(large).bytes().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
