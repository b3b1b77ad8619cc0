//! The daemon's task that keeps its keys fresh: a ring that changed is read again, keys that a KMS unwrapped are forgotten in time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antumbra_crypto::{Error as CryptoError, KeyRing, LiveRing, Retry};
use antumbra_roots::CachedRoot;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::look::Look;

/// Reads the ring again when its file changed or somebody asks, and purges caches of unwrapped keys.
#[derive(Debug)]
pub(crate) struct Keeper {
    ring: Arc<LiveRing>,
    path: PathBuf,
    caches: Vec<Arc<CachedRoot>>,
    asked: Arc<Notify>,
    /// What the file was like before the ring in `known` was read from it.
    seen: Option<Look>,
    /// The ring that was last spoken of.
    known: Arc<KeyRing>,
    /// How the last reload failed, until one does not.
    failed: Option<Failed>,
}

/// A reload that failed.
#[derive(Debug)]
struct Failed {
    code: &'static str,
    /// When it is tried again. Somebody may repair what failed elsewhere than in the file: a policy, a key that was disabled.
    again: Instant,
}

impl Keeper {
    /// Keeps `ring`, which was read from the file at `path` after `seen` was seen there.
    pub(crate) fn new(
        ring: Arc<LiveRing>,
        path: PathBuf,
        seen: Option<Look>,
        caches: Vec<Arc<CachedRoot>>,
    ) -> Self {
        let (asked, known) = (Arc::new(Notify::new()), ring.current());
        Self { ring, path, caches, asked, seen, known, failed: None }
    }

    /// Returns what makes it read the ring at once. An ask is kept until the keeper runs.
    pub(crate) fn asked(&self) -> Arc<Notify> {
        Arc::clone(&self.asked)
    }

    /// Watches the ring until `shutdown`, and purges until `drained`: what still runs after `shutdown` still unwraps keys.
    pub(crate) async fn run(self, shutdown: CancellationToken, drained: CancellationToken) {
        let caches = self.caches.clone();
        let watched = async {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.watch() => {}
            }
            drained.cancelled().await;
        };
        tokio::select! {
            () = watched => {}
            // Beside the other, which may have to wait for a KMS.
            () = purge(&caches) => {}
        }
    }

    async fn watch(mut self) {
        let asked = self.asked();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = asked.notified() => self.reload(true).await,
                _ = looks.tick() => self.reload(false).await,
            }
        }
    }

    /// Reads the ring again if it was asked for, if the file is another than before, or if the last time failed and it is time to try again.
    async fn reload(&mut self, asked: bool) {
        let look = Look::at(&self.path).await;
        let news = asked || look != self.seen;
        if !news && self.failed.as_ref().is_none_or(|failed| Instant::now() < failed.again) {
            return;
        }
        // Before the file is read: what changes from now on is seen the next time.
        self.seen = look;
        match self.ring.reload().await {
            Ok(_) => self.reloaded(asked),
            Err(error) => self.not_reloaded(news, &error),
        }
    }

    /// The ring may have been read again by whoever met an unknown key, so what counts is whether it is another one.
    fn reloaded(&mut self, asked: bool) {
        let recovered = self.failed.take().is_some();
        let ring = self.ring.current();
        let changed = !Arc::ptr_eq(&ring, &self.known);
        if changed || asked || recovered {
            let (active, keys) = (ring.active_id(), ring.keys().len());
            tracing::info!(active, keys, changed, "key ring reloaded");
        }
        self.known = ring;
    }

    /// The ring that was there before goes on. What fails again and again in the same way is said once for each state of the file.
    fn not_reloaded(&mut self, news: bool, error: &CryptoError) {
        let code = error.code();
        if news || self.failed.as_ref().is_none_or(|failed| failed.code != code) {
            let active = self.known.active_id();
            let error = chain(error);
            tracing::error!(code, error, active, "key ring not reloaded: the one before goes on");
        }
        let pause = match error.retry() {
            // At the next look.
            Retry::Later => Duration::ZERO,
            // A KMS is not asked every two seconds for what it refuses.
            Retry::Operator | Retry::Never => REPAIRED_EVERY,
        };
        self.failed = Some(Failed { code, again: Instant::now() + pause });
    }
}

async fn purge(caches: &[Arc<CachedRoot>]) {
    let mut ticks = interval(PURGE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for cache in caches {
            cache.purge();
        }
    }
}

/// Writes an error and what is behind it on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How soon it is noticed that somebody repaired what is not in the file.
pub(super) const REPAIRED_EVERY: Duration = Duration::from_secs(30);
const PURGE_EVERY: Duration = Duration::from_secs(1);
