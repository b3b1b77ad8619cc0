//! What do the tests need? Objects in memory, bytes of several kinds, and readers that are not ours.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use antumbra_bundle::{ByteStream, JobObjects, Method, PackWriter, Segment, SegmentWriter};
use antumbra_crypto::stream::DataKey;
use antumbra_crypto::{Secret32, SecretBytes};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

pub(crate) const TENANT: &str = "acme";
pub(crate) const JOB: &str = "0192f0a4-0000-7000-8000-000000000001";

/// A store in memory with the objects of one job.
pub(crate) struct Room {
    pub(crate) store: Arc<Watched>,
    pub(crate) objects: JobObjects,
}

impl Room {
    pub(crate) fn new() -> Self {
        let store = Arc::new(Watched::default());
        let objects = JobObjects::new(Arc::clone(&store) as _, key(), TENANT, JOB);
        Self { store, objects }
    }

    /// The same objects as somebody of another place would open them.
    pub(crate) fn opened_as(&self, tenant: &str, job: &str) -> JobObjects {
        JobObjects::new(Arc::clone(&self.store) as _, key(), tenant, job)
    }

    /// Writes segments side by side into one object.
    pub(crate) async fn pack(
        &self,
        object: &str,
        method: Method,
        level: u32,
        segments: &[&[u8]],
    ) -> Vec<Segment> {
        let mut pack = PackWriter::create(&self.objects, object.to_owned()).await.unwrap();
        let mut writer = SegmentWriter::new(method, level);
        let mut made = Vec::new();
        for plain in segments {
            writer.write(plain, &mut pack).await.unwrap();
            made.extend(writer.finish(&mut pack).await.unwrap());
        }
        pack.finish().await.unwrap();
        made
    }
}

/// The same key each time: it stands for the job's.
pub(crate) fn key() -> DataKey {
    DataKey::from_secret(Secret32::from_slice(&[7; 32]).unwrap())
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Reads a stream to its end.
pub(crate) async fn all(stream: ByteStream) -> Vec<u8> {
    let (bytes, error) = until_error(stream).await;
    assert!(error.is_none(), "{error:?}");
    bytes
}

/// Reads a stream to its end or its first error.
pub(crate) async fn until_error(
    mut stream: ByteStream,
) -> (Vec<u8>, Option<antumbra_bundle::BundleError>) {
    let mut bytes = Vec::new();
    while let Some(next) = stream.next().await {
        match next {
            Ok(some) => {
                assert!(!some.is_empty(), "an empty piece of a stream");
                bytes.extend_from_slice(&some);
            }
            Err(error) => {
                assert!(
                    stream.next().await.is_none_or(|after| after.is_err()),
                    "more after an error"
                );
                return (bytes, Some(error));
            }
        }
    }
    (bytes, None)
}

/// Bytes that do not compress.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

/// Bytes that compress about as JSON does; every part resembles the parts before it.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 64);
    let mut id = 0_u64;
    while out.len() < len {
        out.extend_from_slice(
            format!("{{\"id\":{id},\"who\":\"person {}\",\"sum\":{}}},\n", id % 97, id * 37 % 1009)
                .as_bytes(),
        );
        id += 1;
    }
    out.truncate(len);
    out
}

/// Runs Python, which every machine that runs these tests has, and returns what it printed.
pub(crate) fn python(script: &str, file: &Path) -> String {
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(file)
        .output()
        .expect("python3 is needed: it is the reader that is not ours");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "python3: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A signing key; `SecretBytes` is what its file would hold.
pub(crate) fn signer() -> (antumbra_crypto::SigningKey, SecretBytes) {
    antumbra_crypto::SigningKey::generate().unwrap()
}

/// An object store in memory that notes which ranges were asked for.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    inner: InMemory,
    reads: Mutex<Vec<(String, Option<object_store::GetRange>)>>,
}

impl Watched {
    /// Returns what was read since the last call.
    pub(crate) fn take_reads(&self) -> Vec<(String, Option<object_store::GetRange>)> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }
}

impl std::fmt::Display for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watched")
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        self.reads.lock().unwrap().push((location.to_string(), options.range.clone()));
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
