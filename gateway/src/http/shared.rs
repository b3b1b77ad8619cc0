//! What do all handlers share?

use std::fmt;
use std::sync::Arc;

use antumbra_config::Settings;
use antumbra_crypto::InternalKeys;
use antumbra_jobs::JobStore;
use antumbra_pipeline::Engine;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::delivery::BundleLinks;

/// The engine and what the gateway derives from its settings once.
pub(crate) struct Shared {
    engine: Arc<Engine>,
    base_url: String,
    gateway_keys: Option<InternalKeys>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    links: BundleLinks,
    runs: Arc<Semaphore>,
}

impl Shared {
    /// Prepares what handlers need. `base_url` has no slash at its end; `tasks` outlives the requests, `shutdown` puts down
    /// what they left running.
    pub(crate) fn new(
        engine: Arc<Engine>,
        base_url: String,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let gateway_keys = gateway_keys(engine.settings());
        let most = usize::try_from(engine.settings().compliance.max_active.get());
        let runs =
            Semaphore::new(most.unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS));
        let (links, runs) = (BundleLinks::default(), Arc::new(runs));
        Self { engine, base_url, gateway_keys, tasks, shutdown, links, runs }
    }

    /// Returns the engine.
    pub(crate) const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Returns the job store.
    pub(crate) fn store(&self) -> &Arc<dyn JobStore> {
        self.engine.store()
    }

    /// Returns the settings.
    pub(crate) fn settings(&self) -> &Settings {
        self.engine.settings()
    }

    /// Returns the present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    /// Returns the gateway keys that are let in; `None` lets nobody in.
    pub(crate) const fn gateway_keys(&self) -> Option<&InternalKeys> {
        self.gateway_keys.as_ref()
    }

    /// Returns the tracker of tasks that must end before the gateway does.
    pub(crate) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Returns the token that is cancelled when the daemon stops.
    pub(crate) const fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Returns the links to whole bundles that were handed out.
    pub(crate) const fn links(&self) -> &BundleLinks {
        &self.links
    }

    /// Returns the permits of runs that callers wait for: each works on a job beside the workers, so they are bounded, over all
    /// tenants, by what one tenant may have active.
    pub(crate) const fn runs(&self) -> &Arc<Semaphore> {
        &self.runs
    }

    /// Returns the absolute URL of a path that starts with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Reads the listed hashes. None listed, or none readable, lets nobody in: the door fails closed.
fn gateway_keys(settings: &Settings) -> Option<InternalKeys> {
    let hashes = &settings.gateway.internal_key_hashes;
    let list: Vec<String> = hashes.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect();
    if list.is_empty() {
        return None;
    }
    match InternalKeys::parse(&list.join(",")) {
        Ok(keys) => Some(keys),
        Err(error) => {
            tracing::warn!(%error, "no gateway key can be admitted");
            None
        }
    }
}
