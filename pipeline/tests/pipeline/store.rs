//! An object store that fails, stops or forgets at a chosen call.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, Extensions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What happens, once, at the n-th call from now on (from 1).
#[derive(Debug, Clone, Default)]
pub(crate) enum Trick {
    #[default]
    None,
    /// Any call fails.
    Fail(u64),
    /// Every call fails but listing and deleting.
    FailAlways,
    /// Every reading call fails.
    FailReads,
    /// Every deletion fails.
    FailDeletes,
    /// A part's upload cancels a token and goes on.
    Cancel(u64, CancellationToken),
    /// A part's upload says that it is here and waits until it is let go.
    Hang(u64, Arc<Gate>),
    /// The first such call does the same.
    HangLater(Later, Arc<Gate>),
    /// An upload says that it is complete and keeps nothing.
    Forget(u64),
}

/// When a later call than a part's upload hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Later {
    Complete,
    Read,
}

/// Where an upload stands still.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) arrived: watch::Sender<bool>,
    pub(crate) open: watch::Sender<bool>,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { arrived: watch::Sender::new(false), open: watch::Sender::new(false) })
    }

    /// Says that somebody is here, and keeps them.
    pub(crate) async fn wait(&self) {
        self.arrived.send_replace(true);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }

    /// Waits until somebody is here.
    pub(crate) async fn reached(&self) {
        self.arrived.subscribe().wait_for(|arrived| *arrived).await.unwrap();
    }
}

/// A store, in memory unless it is told otherwise, that plays tricks.
#[derive(Debug, Clone)]
pub(crate) struct Tricky {
    inner: Arc<dyn ObjectStore>,
    state: Arc<Mutex<(Trick, u64)>>,
    failed: Arc<AtomicU64>,
}

impl Default for Tricky {
    fn default() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }
}

impl Tricky {
    pub(crate) fn over(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, state: Arc::default(), failed: Arc::default() }
    }

    /// Returns the paths of all objects.
    pub(crate) async fn paths(&self) -> Vec<String> {
        let found: Vec<ObjectMeta> = self.inner.list(None).try_collect().await.unwrap();
        found.into_iter().map(|meta| meta.location.to_string()).collect()
    }

    /// Loses objects, as somebody with access to the store would.
    pub(crate) async fn lose(&self, which: impl Fn(&str) -> bool + Send + Sync) {
        for path in self.paths().await.into_iter().filter(|path| which(path)) {
            self.inner.delete(&Path::from(path)).await.unwrap();
        }
    }

    /// Returns how many calls failed by a trick.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// Plays `trick` from now on, counting from zero.
    pub(crate) fn play(&self, trick: Trick) {
        *self.state.lock().unwrap() = (trick, 0);
    }

    /// Says whether the n-th call was reached since the last trick.
    pub(crate) fn played(&self) -> bool {
        matches!(self.state.lock().unwrap().0, Trick::None)
    }

    /// Counts a call of a kind that the trick cares about; returns the trick when it is its turn.
    fn turn(&self, cares: impl Fn(&Trick) -> Option<u64>) -> Option<Trick> {
        let mut state = self.state.lock().unwrap();
        let at = cares(&state.0)?;
        state.1 += 1;
        (state.1 == at).then(|| std::mem::take(&mut state.0))
    }

    fn fault(&self) -> Result<()> {
        let always = matches!(self.state.lock().unwrap().0, Trick::FailAlways);
        let cares = |trick: &Trick| if let Trick::Fail(at) = trick { Some(*at) } else { None };
        if always || self.turn(cares).is_some() { Err(self.failure()) } else { Ok(()) }
    }

    fn failure(&self) -> Error {
        self.failed.fetch_add(1, Ordering::SeqCst);
        Error::Generic { store: "Tricky", source: "a trick".into() }
    }

    /// Waits at the gate of the first call of a kind.
    async fn gate(&self, when: Later) {
        let cares =
            |trick: &Trick| matches!(trick, Trick::HangLater(at, _) if *at == when).then_some(1);
        if let Some(Trick::HangLater(_, gate)) = self.turn(cares) {
            gate.wait().await;
        }
    }
}

impl fmt::Display for Tricky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tricky")
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    store: Tricky,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (put, store) = (self.inner.put_part(data), self.store.clone());
        async move {
            store.fault()?;
            let cares = |trick: &Trick| match trick {
                Trick::Cancel(at, _) | Trick::Hang(at, _) => Some(*at),
                _ => None,
            };
            match store.turn(cares) {
                Some(Trick::Cancel(_, token)) => token.cancel(),
                Some(Trick::Hang(_, gate)) => gate.wait().await,
                _ => {}
            }
            put.await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.store.fault()?;
        self.store.gate(Later::Complete).await;
        let cares = |trick: &Trick| if let Trick::Forget(at) = trick { Some(*at) } else { None };
        if self.store.turn(cares).is_some() {
            self.inner.abort().await?;
            return Ok(PutResult { e_tag: None, version: None, extensions: Extensions::default() });
        }
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[async_trait]
impl ObjectStore for Tricky {
    async fn put_opts(
        &self,
        path: &Path,
        data: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.fault()?;
        self.inner.put_opts(path, data, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.fault()?;
        let inner = self.inner.put_multipart_opts(path, options).await?;
        Ok(Box::new(Upload { inner, store: self.clone() }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.fault()?;
        if matches!(self.state.lock().unwrap().0, Trick::FailReads) {
            return Err(self.failure());
        }
        if !options.head {
            self.gate(Later::Read).await;
        }
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        if matches!(self.state.lock().unwrap().0, Trick::FailDeletes) {
            let store = self.clone();
            return paths.map(move |path| path.and_then(|_| Err(store.failure()))).boxed();
        }
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
