//! From settings to a running daemon: the only place where settings become objects.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antumbra_config::{Keys, SecretRef, Settings};
use antumbra_crypto::KeyRing;
use antumbra_jobs::{Clock, JobStore, Sealing, SqliteStore, StoreError};
use antumbra_pipeline::silo::Silos;
use antumbra_pipeline::{Engine, EngineParts, SiloError, Sweeper, Worker};
use antumbra_roots::LocalRoot;
use object_store::local::LocalFileSystem;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::create_private_dir;
use crate::http::Gateway;
use crate::tls::{TlsError, server_config};

/// A daemon that has everything it needs to run: keys, store, objects and a bound socket.
#[derive(Debug)]
pub struct App {
    engine: Arc<Engine>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl App {
    /// Opens the key ring, the store and the directory of sealed objects, ends the leases of workers that died, and
    /// binds the socket.
    ///
    /// `environment` is where secrets named by `env` or `credential` are looked for.
    ///
    /// # Errors
    /// [`StartError`], by what an operator has to repair.
    pub async fn build(
        settings: Settings,
        environment: &[(String, String)],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let ring = open_ring(&settings.keys, environment).await?;
        let store = open_store(&settings, &ring, Arc::clone(&clock), SqliteStore::open)?;
        let (objects, objects_dir) = open_objects(&settings)?;
        let silos = Silos::open(&settings.silos, environment)?;
        let resumed = store.release_all().await?;
        if resumed > 0 {
            tracing::info!(jobs = resumed, "jobs of an earlier run go on");
        }
        let tls = server_config(&settings.listen)?;
        let (listener, address) = bind(settings.listen.address).await?;
        let engine = Engine::new(EngineParts {
            store: Arc::new(store),
            objects: Arc::new(objects),
            objects_dir: Some(objects_dir),
            silos,
            ring: Arc::new(ring),
            settings: Arc::new(settings),
            clock,
        });
        Ok(Self { engine: Arc::new(engine), listener, address, tls })
    }

    /// Returns the address that the daemon answers at.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the job store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn JobStore> {
        self.engine.store()
    }

    /// Serves, works and sweeps until `shutdown`, then drains: requests in flight end, the worker commits or drops what it
    /// holds and gives its job back.
    ///
    /// # Errors
    /// [`RunError`] when something ended by itself, or the drain took longer than `listen.drain_timeout`.
    ///
    /// # Cancel safety
    /// Dropping the future asks gateway and worker to stop and waits for neither; nothing committed is lost.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RunError> {
        tracing::info!(address = %self.address, tls = self.tls.is_some(), "listening");
        let drain: Duration = self.engine.settings().listen.drain_timeout.into();
        let tasks = TaskTracker::new();
        let gateway = tasks.spawn({
            let gateway = Gateway::new(Arc::clone(&self.engine)).with_tls(self.tls);
            let shutdown = shutdown.clone();
            async move { gateway.serve(self.listener, shutdown).await }
        });
        let worker = self.engine.settings().worker.enabled.then(|| {
            let (worker, shutdown) = (Worker::new(Arc::clone(&self.engine)), shutdown.clone());
            tasks.spawn(async move { worker.run(shutdown).await })
        });
        let sweeper = tasks.spawn({
            let (sweeper, shutdown) = (Sweeper::new(Arc::clone(&self.engine)), shutdown.clone());
            async move { sweeper.run(shutdown).await }
        });
        tasks.close();
        let stop = shutdown.clone().drop_guard();
        let ended = async {
            let worked = async {
                let ended = match worker {
                    Some(worker) => worker.await.map_err(|_| RunError::Died { what: "worker" }),
                    // A gateway alone goes on until it is told to stop.
                    None => {
                        shutdown.cancelled().await;
                        Ok(())
                    }
                };
                shutdown.cancel();
                ended
            };
            let served = async {
                let ended = gateway.await.map_err(|_| RunError::Died { what: "gateway" });
                shutdown.cancel();
                ended?.map_err(RunError::Serve)
            };
            let swept = async {
                let ended = sweeper.await.map_err(|_| RunError::Died { what: "sweeper" });
                shutdown.cancel();
                ended
            };
            let (worked, served, swept) = tokio::join!(worked, served, swept);
            served.and(worked).and(swept)
        };
        let deadline = async {
            shutdown.cancelled().await;
            sleep(drain + GRACE).await;
        };
        let ended = tokio::select! {
            ended = ended => ended,
            () = deadline => Err(RunError::Drain { after: drain }),
        };
        drop(stop);
        ended
    }
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The root key is not where the settings say.
    #[error(transparent)]
    Secret(#[from] antumbra_config::SecretError),
    /// The root key is not usable.
    #[error("the root key cannot be used")]
    Root(#[from] antumbra_roots::Error),
    /// The key ring is not there.
    #[error("cannot read the key ring {} (`antumbra keys generate` makes one)", path.display())]
    RingFile {
        /// The setting `keys.ring`.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The key ring is damaged, or another root key made it.
    #[error("cannot open the key ring {}", path.display())]
    Ring {
        /// The setting `keys.ring`.
        path: PathBuf,
        /// Why.
        #[source]
        source: antumbra_crypto::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory")]
    Directory(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A silo cannot be set up as the settings say.
    #[error("cannot set up the silos")]
    Silos(#[from] SiloError),
    /// The store cannot be opened.
    #[error("cannot open the job store")]
    Store(#[from] StoreError),
    /// There is no certificate or key to serve TLS with.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody can listen there.
    #[error("cannot listen on {address}")]
    Bind {
        /// The setting `listen.address`.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Why a running daemon ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The gateway cannot go on.
    #[error("the gateway failed")]
    Serve(#[source] std::io::Error),
    /// A part of the daemon panicked.
    #[error("the {what} died")]
    Died {
        /// Which part.
        what: &'static str,
    },
    /// Something was still running when the time to drain was over. The next start goes on from the last commit.
    #[error("not drained after {after:?}")]
    Drain {
        /// The setting `listen.drain_timeout`.
        after: Duration,
    },
}

/// Opens the root key.
pub(crate) fn open_root(
    root: &SecretRef,
    environment: &[(String, String)],
) -> Result<LocalRoot, StartError> {
    match root {
        // Read by the roots room itself, which also looks at the file's mode.
        SecretRef::File(path) => Ok(LocalRoot::from_key_file(path)?),
        SecretRef::Env(_) | SecretRef::Credential(_) => {
            Ok(LocalRoot::from_text(root.resolve(environment)?.expose())?)
        }
    }
}

/// Opens the key ring.
pub(crate) async fn open_ring(
    keys: &Keys,
    environment: &[(String, String)],
) -> Result<KeyRing, StartError> {
    let root = open_root(&keys.root, environment)?;
    let path = || keys.ring.clone();
    let file = tokio::fs::read(&keys.ring)
        .await
        .map_err(|source| StartError::RingFile { path: path(), source })?;
    KeyRing::open(&file, &root).await.map_err(|source| StartError::Ring { path: path(), source })
}

/// Opens the store for one command, beside a daemon that may be running.
pub(crate) fn open_store_beside(
    settings: &Settings,
    ring: &KeyRing,
    clock: Arc<dyn Clock>,
) -> Result<SqliteStore, StartError> {
    open_store(settings, ring, clock, SqliteStore::open_shared)
}

/// Opens the store in one of its two ways.
fn open_store(
    settings: &Settings,
    ring: &KeyRing,
    clock: Arc<dyn Clock>,
    open: impl FnOnce(&std::path::Path, Sealing, Arc<dyn Clock>) -> Result<SqliteStore, StoreError>,
) -> Result<SqliteStore, StartError> {
    let directory = &settings.data.directory;
    create_private_dir(directory).map_err(|error| StartError::Directory(error.into()))?;
    let sealing =
        Sealing { fields: ring.fields(), index: ring.index(), pseudonyms: ring.pseudonyms() };
    Ok(open(&directory.join(STORE), sealing, clock)?)
}

/// Opens the directory of sealed objects. A commit names objects that are on the disk, so each write is synced.
fn open_objects(settings: &Settings) -> Result<(LocalFileSystem, PathBuf), StartError> {
    let directory = settings.data.directory.join(OBJECTS);
    create_private_dir(&directory).map_err(|error| StartError::Directory(error.into()))?;
    let objects = LocalFileSystem::new_with_prefix(&directory)
        .map_err(|error| StartError::Directory(error.into()))?;
    Ok((objects.with_fsync(true), directory))
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The job store's file in the data directory.
const STORE: &str = "antumbra.db";
/// The directory of sealed objects in the data directory.
const OBJECTS: &str = "objects";
/// The gateway cuts what is left at the deadline itself, and is given the time to do so and to record it.
const GRACE: Duration = Duration::from_secs(15);
