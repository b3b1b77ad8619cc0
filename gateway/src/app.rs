//! From settings to a running daemon: the only place where settings become objects.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antumbra_config::{Keys, Settings};
use antumbra_crypto::{Error as CryptoError, KeyRing, LiveRing, Roots};
use antumbra_jobs::{Clock, JobStore, Sealing, SqliteStore, StoreError};
use antumbra_pipeline::silo::Silos;
use antumbra_pipeline::{Engine, EngineParts, SiloError, Sweeper, Worker};
use object_store::local::LocalFileSystem;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::create_private_dir;
use crate::http::Gateway;
use crate::keys::{Keeper, Look, OpenedRoots, RingFile, open_roots};
use crate::metrics::MetricsListener;
use crate::tls::{TlsError, server_config};

/// A daemon that has everything it needs to run: keys, store, objects and a bound socket.
#[derive(Debug)]
pub struct App {
    engine: Arc<Engine>,
    keeper: Keeper,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    metrics: Option<MetricsListener>,
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
        let (ring, keeper) = open_live_ring(&settings.keys, environment).await?;
        let store = open_store(&settings, &ring.current(), Arc::clone(&clock), SqliteStore::open)?;
        let (objects, objects_dir) = open_objects(&settings)?;
        // Before the silos, whose figures are found when they are made.
        let metrics = MetricsListener::open(&settings.metrics)
            .await
            .map_err(|(address, source)| StartError::Bind { address, source })?;
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
            ring,
            settings: Arc::new(settings),
            clock,
        });
        Ok(Self { engine: Arc::new(engine), keeper, listener, address, tls, metrics })
    }

    /// Returns the address that the daemon answers at.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address that metrics are answered at, if they are.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(MetricsListener::address)
    }

    /// Returns the job store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn JobStore> {
        self.engine.store()
    }

    /// Returns what makes the daemon read its key ring again, as it does by itself when the file changes.
    #[must_use]
    pub fn reload_keys(&self) -> Arc<Notify> {
        self.keeper.asked()
    }

    /// Serves, works and sweeps until `shutdown`, then drains: requests in flight end, the worker commits or drops what it
    /// holds and gives its job back. Keys that a KMS unwrapped are forgotten in time until that is done, too.
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
        let measured = self.metrics.map(|metrics| tasks.spawn(metrics.serve(shutdown.clone())));
        let drained = CancellationToken::new();
        let keeper = tasks.spawn(self.keeper.run(shutdown.clone(), drained.clone()));
        // Also where nobody waits for the end.
        let drained = drained.drop_guard();
        tasks.close();
        let stop = shutdown.clone().drop_guard();
        let ended = async {
            let worked = async {
                match worker {
                    Some(worker) => ended(worker, "worker", &shutdown).await,
                    // A gateway alone goes on until it is told to stop.
                    None => {
                        shutdown.cancelled().await;
                        Ok(())
                    }
                }
            };
            let served =
                async { ended(gateway, "gateway", &shutdown).await?.map_err(RunError::Serve) };
            let swept = ended(sweeper, "sweeper", &shutdown);
            let measured = async {
                match measured {
                    Some(measured) => ended(measured, "listener of the metrics", &shutdown).await,
                    None => Ok(()),
                }
            };
            let kept = ended(keeper, "keeper of the keys", &shutdown);
            let others = async {
                let ended = tokio::join!(worked, served, swept, measured);
                drop(drained);
                ended
            };
            let ((worked, served, swept, measured), kept) = tokio::join!(others, kept);
            served.and(worked).and(swept).and(measured).and(kept)
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
    /// A secret of a root key is not where the settings say.
    #[error("{setting} cannot be used")]
    Secret {
        /// `keys.root`, or one of `keys.older_roots`.
        setting: String,
        /// Why.
        #[source]
        source: antumbra_config::SecretError,
    },
    /// A root key is not usable.
    #[error("{setting} cannot be used")]
    Root {
        /// `keys.root`, or one of `keys.older_roots`.
        setting: String,
        /// Why.
        #[source]
        source: antumbra_roots::Error,
    },
    /// The key ring is not there. Where one was it has to be found again: a new one opens nothing of the old one.
    #[error("there is no key ring {} (if there never was one, `antumbra keys generate` makes it)", path.display())]
    RingAbsent {
        /// The setting `keys.ring`.
        path: PathBuf,
    },
    /// The key ring cannot be read.
    #[error("cannot read the key ring {}", path.display())]
    RingFile {
        /// The setting `keys.ring`.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key ring was wrapped by a root key that the settings do not name.
    #[error("cannot open the key ring {}: the root key `{root}` wrapped it, and neither keys.root nor keys.older_roots is that key", path.display())]
    RingRoot {
        /// The setting `keys.ring`.
        path: PathBuf,
        /// The root key that it needs.
        root: String,
    },
    /// A root of the right name does not unwrap a key of the ring.
    #[error("cannot open the key ring {} ({}): it was altered, or its root is another key of the same name (a vault's key is known by mount and name, wherever the vault is)", path.display(), source.code())]
    RingKey {
        /// The setting `keys.ring`.
        path: PathBuf,
        /// Which key, and why.
        #[source]
        source: CryptoError,
    },
    /// The key ring is damaged, or its root key cannot be used now.
    #[error("cannot open the key ring {} ({})", path.display(), source.code())]
    Ring {
        /// The setting `keys.ring`.
        path: PathBuf,
        /// Why.
        #[source]
        source: CryptoError,
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
        /// The setting `listen.address` or `metrics.listen`.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why a running daemon ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The gateway cannot go on.
    #[error("the gateway failed")]
    Serve(#[source] io::Error),
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

/// Opens the key ring as it is now, for one command.
pub(crate) async fn open_ring(
    keys: &Keys,
    environment: &[(String, String)],
) -> Result<KeyRing, StartError> {
    let OpenedRoots { roots, .. } = open_roots(keys, environment)?;
    read_ring(&RingFile::at(&keys.ring), &roots).await
}

/// Opens the key ring for a daemon, which follows its changes.
async fn open_live_ring(
    keys: &Keys,
    environment: &[(String, String)],
) -> Result<(Arc<LiveRing>, Keeper), StartError> {
    let OpenedRoots { roots, caches } = open_roots(keys, environment)?;
    let file = RingFile::at(&keys.ring);
    // Before it is read: what changes from now on is noticed.
    let seen = Look::at(file.path()).await;
    let ring = read_ring(&file, &roots).await?;
    let path = file.path().to_owned();
    let ring = Arc::new(LiveRing::new(ring, roots, Arc::new(file)));
    let keeper = Keeper::new(Arc::clone(&ring), path, seen, caches);
    Ok((ring, keeper))
}

/// Reads and opens the key ring.
pub(crate) async fn read_ring(file: &RingFile, roots: &Roots) -> Result<KeyRing, StartError> {
    let path = || file.path().to_owned();
    let bytes = file.bytes().await.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StartError::RingAbsent { path: path() },
        _ => StartError::RingFile { path: path(), source },
    })?;
    KeyRing::open(&bytes, roots).await.map_err(|source| match source {
        // The ids of the ring's own keys hold no colon, those of roots do.
        CryptoError::UnknownKey { id } if id.contains(':') => {
            StartError::RingRoot { path: path(), root: id }
        }
        source @ CryptoError::Kek { .. } => StartError::RingKey { path: path(), source },
        source => StartError::Ring { path: path(), source },
    })
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
pub(crate) fn open_objects(settings: &Settings) -> Result<(LocalFileSystem, PathBuf), StartError> {
    let directory = settings.data.directory.join(OBJECTS);
    create_private_dir(&directory).map_err(|error| StartError::Directory(error.into()))?;
    let objects = LocalFileSystem::new_with_prefix(&directory)
        .map_err(|error| StartError::Directory(error.into()))?;
    Ok((objects.with_fsync(true), directory))
}

/// Waits for a part of the daemon. The others are asked to end with it.
async fn ended<T>(
    part: JoinHandle<T>,
    what: &'static str,
    shutdown: &CancellationToken,
) -> Result<T, RunError> {
    let ended = part.await.map_err(|_| RunError::Died { what });
    shutdown.cancel();
    ended
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The job store's file in the data directory.
pub(crate) const STORE: &str = "antumbra.db";
/// The directory of sealed objects in the data directory.
const OBJECTS: &str = "objects";
/// The gateway cuts what is left at the deadline itself, and is given the time to do so and to record it.
const GRACE: Duration = Duration::from_secs(15);
