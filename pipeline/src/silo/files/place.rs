//! Where are the files, and how is one of them read so that a change shows?

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use globset::GlobMatcher;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};

use super::fault;
use super::local::LocalRoot;
use crate::SiloError;

/// A directory of this machine, or the part of a bucket below a prefix.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Local(Arc<LocalRoot>),
    Bucket { store: Arc<dyn ObjectStore>, prefix: Path },
}

/// A file as it was when it was listed.
///
/// Its name may hold an identifier, so `Debug` prints none.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its name below the place, parts joined by `/`.
    pub(super) name: String,
    pub(super) len: u64,
    /// What changes with its content: an `ETag`, or the time of its last change.
    pub(super) version: String,
}

/// The bytes of a file, from its beginning.
pub(super) type FileStream = BoxStream<'static, Result<Bytes, SiloError>>;

impl Place {
    /// Lists the files that a glob names and that are in the folder `below` (empty: anywhere), ascending by name.
    pub(super) async fn list(
        &self,
        below: &str,
        glob: &GlobMatcher,
    ) -> Result<Vec<Found>, SiloError> {
        let mut found = match self {
            Self::Local(root) => {
                let mut found = root.list(below).await?;
                found.retain(|found| glob.is_match(&found.name));
                found
            }
            Self::Bucket { store, prefix } => {
                let from = join(prefix, below)?;
                let from = (!from.is_root()).then_some(from);
                let mut listing = store.list(from.as_ref());
                let mut found = Vec::new();
                while let Some(meta) =
                    listing.try_next().await.map_err(|error| fault::of(&error))?
                {
                    let Some(name) = below_prefix(prefix, &meta.location) else { continue };
                    if glob.is_match(&name) {
                        found.push(Found { name, len: meta.size, version: version_of(&meta) });
                    }
                }
                self.without_markers(found).await?
            }
        };
        found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Says whether anything is in the folder `below`, without listing all of it.
    pub(super) async fn has_any(&self, below: &str) -> Result<bool, SiloError> {
        match self {
            Self::Local(root) => root.has_any(below).await,
            Self::Bucket { store, prefix } => {
                let from = join(prefix, below)?;
                let from = (!from.is_root()).then_some(from);
                let first = store.list(from.as_ref()).try_next().await;
                first.map(|first| first.is_some()).map_err(|error| fault::of(&error))
            }
        }
    }

    /// Leaves out what stands for a folder: an object whose name ends in a slash, which a listing shows without it, and empty.
    async fn without_markers(&self, found: Vec<Found>) -> Result<Vec<Found>, SiloError> {
        let kept = futures::stream::iter(found).map(|found| async move {
            let is_file = found.len > 0 || self.find(&found.name).await?.is_some();
            Ok(is_file.then_some(found))
        });
        kept.buffered(LOOKS_AT_ONCE)
            .try_filter_map(|found| std::future::ready(Ok(found)))
            .try_collect()
            .await
    }

    /// Looks for one file; `None` if there is none of this name.
    pub(super) async fn find(&self, name: &str) -> Result<Option<Found>, SiloError> {
        match self {
            Self::Local(root) => root.find(name).await,
            Self::Bucket { store, prefix } => {
                let options = GetOptions { head: true, ..GetOptions::default() };
                match store.get_opts(&join(prefix, name)?, options).await {
                    Ok(answer) => Ok(Some(Found {
                        name: name.to_owned(),
                        len: answer.meta.size,
                        version: version_of(&answer.meta),
                    })),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(fault::of(&error)),
                }
            }
        }
    }

    /// Streams a file. What changed since it was listed is an error, as is an end too early.
    pub(super) async fn open(&self, found: &Found) -> Result<FileStream, SiloError> {
        let bytes = match self {
            Self::Local(root) => root.open(found).await?,
            Self::Bucket { store, prefix } => {
                let answer = get(store, prefix, found, None).await?;
                let bytes = answer.into_stream();
                bytes.map_err(|error| fault::of(&error)).boxed()
            }
        };
        Ok(whole(bytes, found.len))
    }

    /// Reads a range of a file.
    pub(super) async fn range(&self, found: &Found, range: Range<u64>) -> Result<Bytes, SiloError> {
        // A damaged file says where its own parts are: nobody makes room for what cannot be there.
        if range.start > range.end || range.end > found.len {
            let reason = "it says that a part of it is where it has none".to_owned();
            return Err(SiloError::Corrupt { reason });
        }
        match self {
            Self::Local(root) => root.range(found, range).await,
            Self::Bucket { store, prefix } => {
                let answer = get(store, prefix, found, Some(range)).await?;
                answer.bytes().await.map_err(|error| fault::of(&error))
            }
        }
    }

    /// Makes sure that a file that was read in ranges is still the one that was listed.
    pub(super) async fn check(&self, found: &Found) -> Result<(), SiloError> {
        match self.find(&found.name).await? {
            Some(now) if now == *found => Ok(()),
            _ => Err(fault::changed()),
        }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("len", &self.len).finish_non_exhaustive()
    }
}

async fn get(
    store: &Arc<dyn ObjectStore>,
    prefix: &Path,
    found: &Found,
    range: Option<Range<u64>>,
) -> Result<object_store::GetResult, SiloError> {
    let options = GetOptions {
        if_match: found.version.strip_prefix(TAGGED).map(str::to_owned),
        range: range.map(GetRange::Bounded),
        ..GetOptions::default()
    };
    let answer = store.get_opts(&join(prefix, &found.name)?, options).await;
    let answer = answer.map_err(|error| match error {
        object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. } => {
            fault::changed()
        }
        error => fault::of(&error),
    })?;
    // A store that does not know conditions, or that has no tags.
    if answer.meta.size != found.len || version_of(&answer.meta) != found.version {
        return Err(fault::changed());
    }
    Ok(answer)
}

/// Fails at an end that is not at `len`.
fn whole(bytes: FileStream, len: u64) -> FileStream {
    futures::stream::try_unfold((bytes, 0_u64), move |(mut bytes, mut read)| async move {
        match bytes.try_next().await? {
            Some(piece) => {
                read += piece.len() as u64;
                Ok(Some((piece, (bytes, read))))
            }
            None if read == len => Ok(None),
            None => Err(fault::changed()),
        }
    })
    .boxed()
}

fn version_of(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        // Azure lists tags without the quotes that its headers have, and that a condition must have.
        Some(tag) if tag.starts_with('"') || tag.starts_with("W/") => format!("{TAGGED}{tag}"),
        Some(tag) => format!("{TAGGED}\"{tag}\""),
        None => format!("at {} {}", meta.last_modified.timestamp_micros(), meta.size),
    }
}

/// Joins a prefix and a name; a name that is no path of its own below it is refused.
fn join(prefix: &Path, name: &str) -> Result<Path, SiloError> {
    let below = Path::parse(name).map_err(|_| SiloError::Settings {
        what: "a file's name is not one that a bucket can have".to_owned(),
    })?;
    Ok(prefix.parts().chain(below.parts()).collect())
}

fn below_prefix(prefix: &Path, location: &Path) -> Option<String> {
    let name = location.as_ref().strip_prefix(prefix.as_ref())?;
    let name = if prefix.is_root() { name } else { name.strip_prefix('/')? };
    (!name.is_empty()).then(|| name.to_owned())
}

/// Empty files that are looked at at the same time.
const LOOKS_AT_ONCE: usize = 16;
/// Stands before a version that the store itself can compare.
const TAGGED: &str = "tag ";
