//! One process at a time makes or changes a key ring.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::owner::Owner;
use super::ring_error::RingFileError;
use super::ring_file::blocking;

/// The right to make or change a ring. Others wait until it is dropped, also when this process crashes.
///
/// The ring itself cannot be locked: whoever waited would hold the file that was replaced.
#[derive(Debug)]
pub(super) struct RingLock {
    _file: File,
}

impl RingLock {
    /// Waits ten seconds for the lock of a ring whose folders are no links. A lock file that is made belongs to the ring's owner
    /// from then on, or to the caller if there is no ring yet.
    ///
    /// # Errors
    /// [`RingFileError::Locked`], [`RingFileError::Lock`].
    pub(super) async fn of(ring: &Path) -> Result<Self, RingFileError> {
        let path = beside(ring, ".lock");
        let fault = |source| RingFileError::Lock { path: path.clone(), source };
        let (lock, ring) = (path.clone(), ring.to_owned());
        let file = blocking(move || open(&lock, &ring)).await.map_err(fault)?;
        let deadline = Instant::now() + LONGEST_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    sleep(LOOK_AGAIN).await;
                }
                Err(TryLockError::WouldBlock) => return Err(RingFileError::Locked { path }),
                Err(TryLockError::Error(source)) => return Err(fault(source)),
            }
        }
    }
}

/// Makes the file of the lock, or opens the one that is there. It is never removed: two could hold two files of one name.
fn open(path: &Path, ring: &Path) -> io::Result<File> {
    for _ in 0..TRIES {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(made) => {
                match fs::symlink_metadata(ring) {
                    Ok(ring) => Owner::of(&ring).takes(&made)?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
                return Ok(made);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        match open_present(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
    }
    Err(io::Error::other("it comes and goes"))
}

/// Opens a file that is there, which is given to nobody: the folder is often the daemon's and the caller root, and then a name in
/// it is no reason to touch what it leads to.
fn open_present(path: &Path) -> io::Result<File> {
    let named = fs::symlink_metadata(path)?;
    if !named.is_file() {
        return Err(not_a_file());
    }
    // Also to read: a pipe that came there meanwhile would wait for a reader.
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let opened = file.metadata()?;
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(not_a_file());
    }
    Ok(file)
}

fn not_a_file() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "not a regular file; it is neither used nor followed",
    )
}

/// Names a file beside a ring.
pub(super) fn beside(ring: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(ring);
    name.push(ending);
    PathBuf::from(name)
}

pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const TRIES: usize = 8;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    /// Whom root can give files to; anybody else only has himself.
    fn somebody(dir: &Path) -> u32 {
        let caller = fs::metadata(dir).unwrap().uid();
        if caller == 0 { 65_534 } else { caller }
    }

    fn owner(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().uid()
    }

    fn ring(dir: &Path) -> PathBuf {
        let ring = dir.join("ring.json");
        fs::write(&ring, "one").unwrap();
        chown(&ring, Some(somebody(dir)), None).unwrap();
        ring
    }

    #[tokio::test]
    async fn a_link_is_not_followed_and_what_it_leads_to_is_given_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let ring = ring(dir.path());
        let victim = dir.path().join("shadow");
        fs::write(&victim, "root's").unwrap();
        let before = owner(&victim);
        let lock = dir.path().join("ring.json.lock");
        for target in [victim.as_path(), &dir.path().join("none"), dir.path()] {
            symlink(target, &lock).unwrap();
            let error = RingLock::of(&ring).await.unwrap_err();
            assert!(matches!(error, RingFileError::Lock { .. }), "{error:?}");
            assert!(error.to_string().contains("ring.json.lock"), "{error}");
            assert!(fs::symlink_metadata(&lock).unwrap().is_symlink());
            fs::remove_file(&lock).unwrap();
        }
        assert_eq!(owner(&victim), before);
        assert!(!dir.path().join("none").try_exists().unwrap(), "a link was followed");
    }

    #[tokio::test]
    async fn a_file_that_was_there_before_stays_whose_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let ring = ring(dir.path());
        let victim = dir.path().join("shadow");
        fs::write(&victim, "root's").unwrap();
        let before = owner(&victim);
        // Another name of the same file.
        fs::hard_link(&victim, dir.path().join("ring.json.lock")).unwrap();
        drop(RingLock::of(&ring).await.unwrap());
        assert_eq!(owner(&victim), before);
        assert_eq!(fs::read(&victim).unwrap(), b"root's");
    }

    #[tokio::test]
    async fn what_is_no_file_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let ring = ring(dir.path());
        fs::create_dir(dir.path().join("ring.json.lock")).unwrap();
        let error = RingLock::of(&ring).await.unwrap_err();
        assert!(matches!(error, RingFileError::Lock { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_lock_that_is_made_is_the_ring_owners() {
        let dir = tempfile::tempdir().unwrap();
        let ring = ring(dir.path());
        drop(RingLock::of(&ring).await.unwrap());
        assert_eq!(owner(&dir.path().join("ring.json.lock")), somebody(dir.path()));
    }

    #[tokio::test]
    async fn the_lock_of_a_ring_that_is_not_there_yet_is_the_same_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ring.json");
        let held = RingLock::of(&path).await.unwrap();
        let early = tokio::time::timeout(LOOK_AGAIN * 3, RingLock::of(&ring(dir.path()))).await;
        assert!(early.is_err(), "two hold it");
        drop(held);
        drop(RingLock::of(&path).await.unwrap());
    }
}
