//! Which uploads lie unfinished in a local directory? The object store does not list them: `<object>#<n>`.

use std::ffi::OsStr;
use std::fs::{DirEntry, read_dir, remove_dir, remove_file};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// The files of one job that the object store hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Staged {
    /// The name of the job's directory.
    pub(super) job: String,
    /// How many files they are; the directory may be empty.
    pub(super) files: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// Looks at the directory of every job.
pub(super) async fn all(directory: PathBuf) -> Result<Vec<Staged>, Error> {
    off_runtime(move || {
        let mut found = Vec::new();
        for job in entries(&directory.join(JOBS))? {
            let Ok(name) = job.file_name().into_string() else { continue };
            if !job.file_type()?.is_dir() {
                continue;
            }
            let mut staged = Staged { job: name, files: 0, bytes: 0 };
            for file in staged_in(&job.path())? {
                staged.files += 1;
                // It may have become an object meanwhile.
                staged.bytes += file.metadata().map_or(0, |meta| meta.len());
            }
            found.push(staged);
        }
        Ok(found)
    })
    .await
}

/// Removes the unfinished uploads of a job that ended, and its directory if it is empty then; returns how many they were.
pub(super) async fn remove(directory: PathBuf, job: String) -> Result<u64, Error> {
    off_runtime(move || {
        let directory = directory.join(JOBS).join(job);
        let mut removed = 0;
        for file in staged_in(&directory)? {
            removed += u64::from(gone(remove_file(file.path()))?);
        }
        match remove_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            removed => {
                gone(removed)?;
            }
        }
        Ok(removed)
    })
    .await
}

fn staged_in(directory: &Path) -> Result<Vec<DirEntry>, Error> {
    let mut found = entries(directory)?;
    found.retain(|file| {
        is_staged(&file.file_name()) && file.file_type().is_ok_and(|kind| kind.is_file())
    });
    Ok(found)
}

/// Says whether a file has the name of an upload that was not finished.
fn is_staged(name: &OsStr) -> bool {
    name.to_str().and_then(|name| name.rsplit_once('#')).is_some_and(|(object, number)| {
        !object.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

fn entries(directory: &Path) -> Result<Vec<DirEntry>, Error> {
    match read_dir(directory) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What somebody else removed is removed too.
fn gone(removed: Result<(), Error>) -> Result<bool, Error> {
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Error::other("looking into the directory stopped unexpectedly")))
}

/// The directory of all jobs, as the bundle room names it.
const JOBS: &str = "jobs";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_unfinished_uploads_are_found_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let job = root.path().join("jobs/one");
        std::fs::create_dir_all(job.join("deeper#1")).unwrap();
        for name in
            ["0001-00001-json", "0001-00002-json#1", "0001-00002-json#12", "#1", "x#", "y#a"]
        {
            std::fs::write(job.join(name), "sealed").unwrap();
        }
        std::fs::create_dir(root.path().join("jobs/two")).unwrap();
        let mut found = all(root.path().to_owned()).await.unwrap();
        found.sort_by(|a, b| a.job.cmp(&b.job));
        let staged = |job: &str, files| Staged { job: job.to_owned(), files, bytes: files * 6 };
        assert_eq!(found, [staged("one", 2), staged("two", 0)]);
        assert_eq!(remove(root.path().to_owned(), "one".to_owned()).await.unwrap(), 2);
        assert_eq!(remove(root.path().to_owned(), "two".to_owned()).await.unwrap(), 0);
        assert_eq!(remove(root.path().to_owned(), "three".to_owned()).await.unwrap(), 0);
        assert_eq!(entries(&job).unwrap().len(), 5);
        assert!(!root.path().join("jobs/two").try_exists().unwrap());
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_holds_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert!(all(root.path().join("none")).await.unwrap().is_empty());
    }
}
