//! How are files of a directory read, and nothing outside it?
//!
//! A link to a file inside the directory is read; a link that leads out of it is passed over in a listing and is no file when it
//! is asked for. Links to folders are not followed: they could lead in a circle.

use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt as _;

use super::fault;
use super::place::{FileStream, Found};
use crate::SiloError;

/// A directory.
#[derive(Debug)]
pub(super) struct LocalRoot {
    path: PathBuf,
}

impl LocalRoot {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) async fn list(&self, below: &str) -> Result<Vec<Found>, SiloError> {
        let (path, below) = (self.path.clone(), below.to_owned());
        off_runtime(move || list(&path, &below)).await
    }

    pub(super) async fn has_any(&self, below: &str) -> Result<bool, SiloError> {
        let (path, below) = (self.path.clone(), below.to_owned());
        off_runtime(move || match fs::read_dir(canonical(&path)?.join(below)) {
            Ok(mut entries) => match entries.next() {
                None => Ok(false),
                Some(entry) => entry.map(|_| true).map_err(|error| fault::of_io(&error)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(fault::of_io(&error)),
        })
        .await
    }

    pub(super) async fn find(&self, name: &str) -> Result<Option<Found>, SiloError> {
        let (path, name) = (self.path.clone(), name.to_owned());
        off_runtime(move || Ok(find(&canonical(&path)?, &name)?.map(|(found, _)| found))).await
    }

    pub(super) async fn open(&self, found: &Found) -> Result<FileStream, SiloError> {
        let (path, found) = (self.path.clone(), found.clone());
        let file = {
            let found = found.clone();
            off_runtime(move || open(&path, &found)).await?
        };
        let reading = futures::stream::try_unfold((Some(file), 0), move |(file, at)| {
            let found = found.clone();
            async move {
                let Some(file) = file else { return Ok(None) };
                off_runtime(move || {
                    let mut buffer = vec![0; PIECE];
                    let read =
                        file.read_at(&mut buffer, at).map_err(|error| fault::of_io(&error))?;
                    if read == 0 {
                        let now = file.metadata().map_err(|error| fault::of_io(&error))?;
                        let same = version_of(&now) == found.version;
                        return if same { Ok(None) } else { Err(fault::changed()) };
                    }
                    buffer.truncate(read);
                    Ok(Some((Bytes::from(buffer), (Some(file), at + read as u64))))
                })
                .await
            }
        });
        Ok(reading.boxed())
    }

    pub(super) async fn range(&self, found: &Found, range: Range<u64>) -> Result<Bytes, SiloError> {
        let (path, found) = (self.path.clone(), found.clone());
        off_runtime(move || {
            let file = open(&path, &found)?;
            let len = range.end.saturating_sub(range.start);
            let mut buffer = vec![0; usize::try_from(len).map_err(|_| fault::changed())?];
            file.read_exact_at(&mut buffer, range.start).map_err(|_| fault::changed())?;
            Ok(buffer.into())
        })
        .await
    }
}

fn canonical(root: &Path) -> Result<PathBuf, SiloError> {
    root.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SiloError::Missing { what: "the folder".to_owned() },
        _ => fault::of_io(&error),
    })
}

fn list(root: &Path, below: &str) -> Result<Vec<Found>, SiloError> {
    let root = canonical(root)?;
    let below = below.trim_matches('/');
    if !leads_inside(&root, below)? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            // A folder that a pattern begins with need not be there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(fault::of_io(&error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| fault::of_io(&error))?;
            let name = entry.file_name();
            let name =
                name.to_str().ok_or_else(|| fault::settings("a file's name is not UTF-8"))?;
            let name = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(|error| fault::of_io(&error))?;
            if kind.is_dir() {
                folders.push(name);
            } else if let Some((one, _)) = find(&root, &name)? {
                found.push(one);
            }
        }
    }
    Ok(found)
}

/// Says whether the folder that a pattern begins with is one of the root's: a link may lead out of it.
fn leads_inside(root: &Path, below: &str) -> Result<bool, SiloError> {
    match root.join(below).canonicalize() {
        Ok(folder) => Ok(folder.starts_with(root)),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(fault::of_io(&error)),
    }
}

/// Looks at one file below a canonical root; `None` if it is no file, or leads out of the root.
fn find(root: &Path, name: &str) -> Result<Option<(Found, PathBuf)>, SiloError> {
    if !is_below(name) {
        return Ok(None);
    }
    let path = match root.join(name).canonicalize() {
        Ok(path) => path,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(fault::of_io(&error)),
    };
    if !path.starts_with(root) {
        return Ok(None);
    }
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(fault::of_io(&error)),
    };
    let version = version_of(&metadata);
    Ok(Some((Found { name: name.to_owned(), len: metadata.len(), version }, path)))
}

/// Opens a file; what was opened is compared with what was listed, so that nothing put in its place meanwhile is read.
fn open(root: &Path, found: &Found) -> Result<File, SiloError> {
    let root = canonical(root)?;
    let Some((now, path)) = find(&root, &found.name)? else { return Err(fault::changed()) };
    let file = File::open(path).map_err(|error| fault::of_io(&error))?;
    let opened = file.metadata().map_err(|error| fault::of_io(&error))?;
    if now == *found && version_of(&opened) == found.version {
        Ok(file)
    } else {
        Err(fault::changed())
    }
}

/// There is nothing of this name, or a link that leads in a circle.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(ELOOP)
}

fn is_below(name: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    name.split('/').all(plain) && !name.contains('\0')
}

/// Device, file, length and time of the last change.
fn version_of(metadata: &Metadata) -> String {
    format!(
        "{}-{}-{}-{}.{:09}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    )
}

/// Runs blocking work; a panic in it is an error of the silo, not of the daemon.
async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SiloError> + Send + 'static,
) -> Result<T, SiloError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(crate::silo::batches::stopped()))
}

/// Links that lead in a circle.
const ELOOP: i32 = 40;
/// Bytes read at once.
const PIECE: usize = 256 << 10;
