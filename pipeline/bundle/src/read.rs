//! How are bytes of sealed objects read?

use antumbra_crypto::stream::{HEADER_LEN, Opener};
use bytes::Bytes;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};

use crate::{BundleError, JobObjects};

/// Reads plaintext of a job's sealed objects at any offset; every byte it returns was authenticated first.
///
/// Keeps the last chunk of the few objects read most recently: entries that lie side by side in packs cost one chunk.
#[derive(Debug)]
pub(crate) struct SealedReader {
    objects: JobObjects,
    recent: Vec<Recent>,
}

#[derive(Debug)]
struct Recent {
    object: String,
    opener: Opener,
    chunk: Option<(u64, Bytes)>,
}

impl SealedReader {
    pub(crate) fn new(objects: JobObjects) -> Self {
        Self { objects, recent: Vec::with_capacity(RECENT) }
    }

    /// Returns up to `max` bytes from `offset` on; at least one, at most to the end of a chunk.
    pub(crate) async fn read_at(
        &mut self,
        object: &str,
        offset: u64,
        max: u64,
    ) -> Result<Bytes, BundleError> {
        let mut recent = match self.recent.iter().position(|recent| recent.object == object) {
            Some(at) => self.recent.remove(at),
            None => self.open(object).await?,
        };
        if offset >= recent.opener.plain_len() {
            return Err(BundleError::Corrupt { what: format!("length of object {object}") });
        }
        let index = recent.opener.chunk_at(offset);
        let chunk = match recent.chunk.take() {
            Some((known, chunk)) if known == index => chunk,
            _ => self.chunk(&recent, index).await?,
        };
        let start = usize::try_from(offset - recent.opener.chunk_plain_range(index).start)
            .map_err(|_| BundleError::Limit { what: "chunk" })?;
        let end = usize::try_from(max).unwrap_or(usize::MAX).saturating_add(start).min(chunk.len());
        let bytes = chunk.slice(start..end);
        recent.chunk = Some((index, chunk));
        if self.recent.len() >= RECENT {
            self.recent.remove(0);
        }
        self.recent.push(recent);
        Ok(bytes)
    }

    async fn open(&self, object: &str) -> Result<Recent, BundleError> {
        let path = self.objects.path(object);
        let options = GetOptions {
            range: Some(GetRange::Bounded(0..HEADER_LEN as u64)),
            ..GetOptions::default()
        };
        let answer = match self.objects.store().get_opts(&path, options).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.unreadable(object, error).await),
        };
        let size = answer.meta.size;
        let header = answer.bytes().await.map_err(|error| lost_or_failed(object, error))?;
        let opener = Opener::new(self.objects.key(), &self.objects.context(object), &header, size)
            .map_err(|source| BundleError::Sealed { object: object.to_owned(), source })?;
        Ok(Recent { object: object.to_owned(), opener, chunk: None })
    }

    /// Stores refuse a range of an object that was cut to nothing: that is a truncation, not a fault that passes.
    async fn unreadable(&self, object: &str, error: object_store::Error) -> BundleError {
        let path = self.objects.path(object);
        match self.objects.store().head(&path).await {
            Ok(meta) if meta.size == 0 => BundleError::Sealed {
                object: object.to_owned(),
                source: antumbra_crypto::Error::Truncated,
            },
            _ => lost_or_failed(object, error),
        }
    }

    async fn chunk(&self, recent: &Recent, index: u64) -> Result<Bytes, BundleError> {
        let range = recent.opener.chunk_cipher_range(index);
        let sealed = self
            .objects
            .store()
            .get_range(&self.objects.path(&recent.object), range)
            .await
            .map_err(|error| lost_or_failed(&recent.object, error))?;
        let mut buffer = sealed.try_into_mut().unwrap_or_else(|shared| shared.as_ref().into());
        let plain = recent
            .opener
            .open_chunk(index, &mut buffer)
            .map_err(|source| BundleError::Sealed { object: recent.object.clone(), source })?;
        let len = plain.len();
        buffer.truncate(len);
        Ok(buffer.freeze())
    }
}

fn lost_or_failed(object: &str, error: object_store::Error) -> BundleError {
    match error {
        object_store::Error::NotFound { .. } => {
            BundleError::ObjectLost { object: object.to_owned() }
        }
        error => BundleError::Store(error),
    }
}

const RECENT: usize = 5;
