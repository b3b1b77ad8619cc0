//! An object store that fails, stops or forgets at a chosen call.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, Extensions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
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
    /// Every call fails.
    FailAlways,
    /// A part's upload cancels a token and goes on.
    Cancel(u64, CancellationToken),
    /// A part's upload says that it is here and waits until it is let go.
    Hang(u64, Arc<Gate>),
    /// An upload says that it is complete and keeps nothing.
    Forget(u64),
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
}

/// A store in memory that plays tricks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tricky {
    inner: Arc<InMemory>,
    state: Arc<Mutex<(Trick, u64)>>,
}

impl Tricky {
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
        if always || self.turn(cares).is_some() {
            let source = "a trick".into();
            return Err(Error::Generic { store: "Tricky", source });
        }
        Ok(())
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
                Some(Trick::Hang(_, gate)) => {
                    gate.arrived.send_replace(true);
                    gate.open.subscribe().wait_for(|open| *open).await.unwrap();
                }
                _ => {}
            }
            put.await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.store.fault()?;
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
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
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
