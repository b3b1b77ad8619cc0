//! How is a sealed object written?

use antumbra_crypto::stream::Sealer;
use bytes::Bytes;
use object_store::{ObjectStoreExt, WriteMultipart};

use crate::{BundleError, JobObjects};

/// Writes one sealed object: plaintext in, ciphertext to the object store, chunk by chunk.
///
/// Nothing of the object is visible in the store before [`finish`](Self::finish) returned `Ok`; then it is durable. A
/// writer that is dropped leaves at most an invisible upload, which holds ciphertext only. Holds about two chunks (2 MiB) of memory.
#[derive(Debug)]
pub struct PackWriter {
    object: String,
    sealer: Sealer,
    upload: WriteMultipart,
    sealed: Vec<u8>,
    plain_len: u64,
}

impl PackWriter {
    /// Starts an object. Its name must be new within the job: names are never used again.
    ///
    /// # Errors
    /// [`BundleError::Store`] or [`BundleError::Crypto`].
    pub async fn create(objects: &JobObjects, object: String) -> Result<Self, BundleError> {
        let sealer =
            Sealer::new(objects.key(), &objects.context(&object)).map_err(BundleError::Crypto)?;
        let upload = objects
            .store()
            .put_multipart(&objects.path(&object))
            .await
            .map_err(BundleError::Store)?;
        let upload = WriteMultipart::new_with_chunk_size(upload, PART_LEN);
        Ok(Self { object, sealer, upload, sealed: Vec::new(), plain_len: 0 })
    }

    /// Returns the object's name.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Returns the plaintext bytes written so far: the offset of the next one.
    #[must_use]
    pub const fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// Appends plaintext. Waits while two parts are under way.
    ///
    /// # Errors
    /// [`BundleError::Store`] or [`BundleError::Crypto`]; the object is lost then.
    ///
    /// # Cancel safety
    /// Not cancel safe: drop the writer if the future was dropped.
    pub async fn write(&mut self, plain: &[u8]) -> Result<(), BundleError> {
        self.sealer.push(plain, &mut self.sealed).map_err(BundleError::Crypto)?;
        self.plain_len += plain.len() as u64;
        if self.sealed.len() >= PART_LEN {
            self.upload.wait_for_capacity(PARTS_UNDER_WAY).await.map_err(BundleError::Store)?;
            self.upload.put(Bytes::from(std::mem::take(&mut self.sealed)));
        }
        Ok(())
    }

    /// Seals the last chunk and makes the object visible and durable.
    ///
    /// # Errors
    /// [`BundleError::Store`] or [`BundleError::Crypto`]; the object does not exist then.
    pub async fn finish(mut self) -> Result<(), BundleError> {
        self.sealer.finish(&mut self.sealed).map_err(BundleError::Crypto)?;
        self.upload.put(Bytes::from(self.sealed));
        self.upload.finish().await.map_err(BundleError::Store)?;
        Ok(())
    }

    /// Gives the object up and removes what was uploaded.
    ///
    /// # Errors
    /// [`BundleError::Store`]; an invisible upload may be left.
    pub async fn abort(self) -> Result<(), BundleError> {
        self.upload.abort().await.map_err(BundleError::Store)
    }
}

/// Sealed bytes handed to the store at once.
const PART_LEN: usize = 1 << 20;
const PARTS_UNDER_WAY: usize = 2;
