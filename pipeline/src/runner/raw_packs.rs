//! Where do attachments go, and what becomes of those that were copied in vain? Into packs of their own, which are removed then.

use std::time::Duration;

use antumbra_bundle::{AttachedFile, JobObjects, PackWriter};
use antumbra_jobs::{FileRecord, SegmentRecord};
use tokio::time::timeout;

use crate::PipelineError;

/// Where attachments go.
#[derive(Debug)]
pub(super) struct RawPacks {
    objects: JobObjects,
    fence: u64,
    made: u32,
    pub(super) level: u32,
}

impl RawPacks {
    /// Makes packs under a lease; `level` is deflate's.
    pub(super) const fn new(objects: JobObjects, fence: u64, level: u32) -> Self {
        Self { objects, fence, made: 0, level }
    }

    /// Starts a pack whose name was never used: the fence makes it new for each lease.
    pub(super) async fn create(&mut self) -> Result<PackWriter, PipelineError> {
        self.made += 1;
        let name = format!("{:04}-{:05}-raw", self.fence, self.made);
        PackWriter::create(&self.objects, name).await.map_err(PipelineError::writing)
    }

    /// Removes what was copied in vain: the next try begins with the first file again. Returns the packs that are left, each a
    /// durable object or an upload; sealed ones keep their place in `copied`. Waits no longer than `at_most` for each.
    pub(super) async fn give_up(&self, copied: &mut Copied, at_most: Duration) -> usize {
        let mut left = 0;
        if let Some(pack) = copied.pack.take() {
            left += usize::from(!matches!(timeout(at_most, pack.abort()).await, Ok(Ok(()))));
        }
        for object in std::mem::take(&mut copied.sealed) {
            if !matches!(timeout(at_most, self.objects.delete(&object)).await, Ok(Ok(()))) {
                left += 1;
                copied.sealed.push(object);
            }
        }
        left
    }
}

/// What was copied so far.
#[derive(Default)]
pub(super) struct Copied {
    pub(super) pack: Option<PackWriter>,
    /// Packs that are full.
    pub(super) sealed: Vec<String>,
    pub(super) files: Vec<FileRecord>,
    pub(super) segments: Vec<SegmentRecord>,
    pub(super) originals: Vec<AttachedFile>,
}

impl Copied {
    /// Makes a pack durable. Named before it is, so that it is removed if only the answer is lost.
    pub(super) async fn seal(&mut self, pack: PackWriter) -> Result<(), PipelineError> {
        self.sealed.push(pack.object().to_owned());
        pack.finish().await.map_err(PipelineError::writing)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use antumbra_crypto::Secret32;
    use antumbra_crypto::stream::DataKey;
    use futures::TryStreamExt as _;
    use futures::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
        PutMultipartOptions, PutOptions, PutPayload, PutResult,
    };

    use super::*;

    fn packs(store: &Arc<dyn ObjectStore>) -> RawPacks {
        let key = DataKey::from_secret(Secret32::from_slice(&[7; 32]).unwrap());
        RawPacks::new(JobObjects::new(Arc::clone(store), key, "tenant", "job"), 3, 1)
    }

    /// Two packs that are full and one that is not.
    async fn copied(packs: &mut RawPacks) -> Copied {
        let mut copied = Copied::default();
        for _ in 0..2 {
            let mut pack = packs.create().await.unwrap();
            pack.write(b"somebody's face").await.unwrap();
            copied.seal(pack).await.unwrap();
        }
        copied.pack = Some(packs.create().await.unwrap());
        copied
    }

    async fn names(store: &Arc<dyn ObjectStore>) -> usize {
        store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
    }

    #[tokio::test]
    async fn a_try_in_vain_leaves_no_pack_behind() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let mut packs = packs(&store);
        let mut copied = copied(&mut packs).await;
        assert_eq!(names(&store).await, 2);
        assert_eq!(packs.give_up(&mut copied, Duration::from_secs(60)).await, 0);
        assert!(copied.sealed.is_empty() && copied.pack.is_none());
        assert_eq!(names(&store).await, 0);
    }

    #[tokio::test]
    async fn a_store_that_forgets_nothing_is_not_waited_for() {
        let store: Arc<dyn ObjectStore> = Arc::new(Stuck::default());
        let mut packs = packs(&store);
        let mut copied = copied(&mut packs).await;
        assert_eq!(packs.give_up(&mut copied, Duration::from_millis(1)).await, 3);
        assert_eq!(copied.sealed.len(), 2, "told to the job's store");
        assert_eq!(names(&store).await, 2);
    }

    /// Never ends an upload that is given up, and never deletes.
    #[derive(Debug, Default)]
    struct Stuck {
        inner: InMemory,
    }

    #[derive(Debug)]
    struct StuckUpload(Box<dyn MultipartUpload>);

    impl std::fmt::Display for Stuck {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Stuck")
        }
    }

    #[async_trait::async_trait]
    impl MultipartUpload for StuckUpload {
        fn put_part(&mut self, data: PutPayload) -> object_store::UploadPart {
            self.0.put_part(data)
        }

        async fn complete(&mut self) -> object_store::Result<PutResult> {
            self.0.complete().await
        }

        async fn abort(&mut self) -> object_store::Result<()> {
            std::future::pending().await
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Stuck {
        async fn put_opts(
            &self,
            location: &Path,
            payload: PutPayload,
            options: PutOptions,
        ) -> object_store::Result<PutResult> {
            self.inner.put_opts(location, payload, options).await
        }

        async fn put_multipart_opts(
            &self,
            location: &Path,
            options: PutMultipartOptions,
        ) -> object_store::Result<Box<dyn MultipartUpload>> {
            Ok(Box::new(StuckUpload(self.inner.put_multipart_opts(location, options).await?)))
        }

        async fn get_opts(
            &self,
            location: &Path,
            options: GetOptions,
        ) -> object_store::Result<GetResult> {
            self.inner.get_opts(location, options).await
        }

        fn delete_stream(
            &self,
            _locations: BoxStream<'static, object_store::Result<Path>>,
        ) -> BoxStream<'static, object_store::Result<Path>> {
            Box::pin(futures::stream::pending())
        }

        fn list(
            &self,
            prefix: Option<&Path>,
        ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
            self.inner.list(prefix)
        }

        async fn list_with_delimiter(
            &self,
            prefix: Option<&Path>,
        ) -> object_store::Result<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }

        async fn copy_opts(
            &self,
            from: &Path,
            to: &Path,
            options: CopyOptions,
        ) -> object_store::Result<()> {
            self.inner.copy_opts(from, to, options).await
        }
    }
}
