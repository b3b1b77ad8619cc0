//! How do all keys come under those of today? One by one, so that it may stop or die anywhere.

use std::collections::BTreeMap;

use antumbra_crypto::{Error as CryptoError, LiveRing, WrappedKey};
use antumbra_jobs::{Actor, AuditEvent, JobId, JobKey, JobStore as _, SqliteStore, StoreError};
use antumbra_pipeline::{crash_point, data_key_context};
use anyhow::{Context, anyhow, ensure};
use tokio_util::sync::CancellationToken;

use super::progress::Seen;
use super::room::{self, Room};
use crate::cli::words::plural;

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Rewrapped {
    /// The key that wraps everything now.
    pub(super) active: String,
    /// Jobs whose keys were wrapped anew.
    pub(super) done: u64,
    /// Jobs whose keys are under other ones and might have been moved, but for somebody who was at them meanwhile.
    pub(super) left: u64,
    /// Whether the ring's file changed.
    pub(super) ring: bool,
    /// Keys of the ring that cannot be unwrapped, so that nothing under them can be read. They stay as they are.
    pub(super) unreadable: Vec<String>,
    /// Jobs whose keys cannot be unwrapped, and why. They stay as they are.
    pub(super) failed: BTreeMap<JobId, String>,
    /// A stop came first.
    pub(super) stopped: bool,
}

/// Rewraps the ring, then the jobs' keys one by one. The audit log hears of it before the first change, and after the last what
/// was done, also when it did not come to its end.
///
/// Each key is replaced in a transaction of its own, so that stopping or dying between two of them leaves nothing to
/// repair: whoever calls again finds what is left to do.
///
/// # Errors
/// When the root cannot be asked, file or store cannot be written, or the ring was rotated meanwhile.
pub(super) async fn run(
    room: &Room,
    store: &SqliteStore,
    seen: &mut dyn Seen,
    stop: &CancellationToken,
) -> anyhow::Result<Rewrapped> {
    let mut work = Work { room, store, begun: false, rewrapped: Rewrapped::default() };
    let ended = work.everything(seen, stop).await;
    let recorded = work.end().await;
    ended?;
    recorded?;
    Ok(work.rewrapped)
}

struct Work<'a> {
    room: &'a Room,
    store: &'a SqliteStore,
    /// The audit log knows that keys are being moved.
    begun: bool,
    rewrapped: Rewrapped,
}

impl Work<'_> {
    async fn everything(
        &mut self,
        seen: &mut dyn Seen,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let live = self.own_keys().await?;
        crash_point("keys.ring_rewrapped");
        self.jobs_keys(&live, seen, stop).await
    }

    /// Moves service keys under the active key and every key of the ring under the current root.
    async fn own_keys(&mut self) -> anyhow::Result<LiveRing> {
        let (ring, mut edit) = self.room.edit().await?;
        ring.active_id().clone_into(&mut self.rewrapped.active);
        self.rewrapped.unreadable = ring.unreadable().await.map_err(room::root_named)?;
        let anew = ring.rewrapped().await.map_err(room::root_named);
        let Some((ring, bytes)) = anew.context("cannot wrap the ring's own keys anew")? else {
            return Ok(self.room.live(ring));
        };
        self.begin().await?;
        crash_point("keys.rewrap_recorded");
        edit.replace(&bytes)?;
        self.rewrapped.ring = true;
        Ok(self.room.live(ring))
    }

    /// Walks the jobs until nothing is left to do: a daemon that has not heard of the active key yet makes jobs meanwhile. One that
    /// cannot hear of it would keep this busy for ever, so that the walks are counted.
    async fn jobs_keys(
        &mut self,
        live: &LiveRing,
        seen: &mut dyn Seen,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let used = self.store.key_use().await?;
        let elsewhere = used.iter().filter(|used| used.key_id != self.rewrapped.active);
        seen.expect(elsewhere.map(|used| used.jobs).sum());
        for _ in 0..WALKS {
            self.walk(live, seen, stop).await?;
            if self.rewrapped.stopped {
                return Ok(());
            }
            self.count_left().await?;
            if self.rewrapped.left == 0 {
                break;
            }
        }
        self.read_again(live).await.map(drop)
    }

    async fn walk(
        &mut self,
        live: &LiveRing,
        seen: &mut dyn Seen,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let page = self.elsewhere(after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.job);
            for key in &page {
                if stop.is_cancelled() {
                    self.rewrapped.stopped = true;
                    return Ok(());
                }
                self.one(live, key).await?;
                seen.step();
                crash_point("keys.rewrapped");
            }
        }
    }

    async fn one(&mut self, live: &LiveRing, key: &JobKey) -> anyhow::Result<()> {
        let wrapped = match self.anew(live, key).await? {
            Ok(Some(wrapped)) => wrapped,
            Ok(None) => return Ok(()),
            // No fault of this key: the next one would fare no better.
            Err(error @ (CryptoError::Root { .. } | CryptoError::Random)) => {
                return Err(error).with_context(|| self.so_far());
            }
            Err(error) => {
                self.rewrapped.failed.insert(key.job, format!("{}: {error}", error.code()));
                return Ok(());
            }
        };
        self.begin().await?;
        match self.store.replace_key(key.job, &key.wrapped_key, &wrapped).await {
            // Destroyed, or somebody else was here first: what that left is counted in the end.
            Ok(false) => Ok(()),
            Ok(true) => {
                self.rewrapped.done += 1;
                self.rewrapped.failed.remove(&key.job);
                Ok(())
            }
            Err(StoreError::KeyRetired { key_id }) => {
                Err(anyhow!("{key_id} was retired meanwhile; run it again"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Wraps a job's key anew. One that the ring does not know may be newer than the ring was when it was read.
    async fn anew(
        &self,
        live: &LiveRing,
        key: &JobKey,
    ) -> anyhow::Result<Result<Option<WrappedKey>, CryptoError>> {
        let context = data_key_context(&key.tenant, key.job);
        let wrapped = live.current().rewrap(&key.wrapped_key, &context).await;
        if !matches!(wrapped, Err(CryptoError::UnknownKey { .. })) || !self.read_again(live).await?
        {
            return Ok(wrapped);
        }
        Ok(live.current().rewrap(&key.wrapped_key, &context).await)
    }

    /// Reads the ring's file again; says whether it changed.
    ///
    /// # Errors
    /// When another key is active by now: keys would be moved under one that is on its way out.
    async fn read_again(&self, live: &LiveRing) -> anyhow::Result<bool> {
        let changed =
            live.reload().await.map_err(room::root_named).with_context(|| self.so_far())?;
        let (old, new) = (&self.rewrapped.active, live.current());
        ensure!(
            new.active_id() == old,
            "{}: the ring was rotated meanwhile, from {old} to {}",
            self.so_far(),
            new.active_id()
        );
        Ok(changed)
    }

    /// Counts what is under other keys though it can be unwrapped, and forgets failures of keys that are gone since.
    async fn count_left(&mut self) -> anyhow::Result<()> {
        let (mut failed, mut left, mut after) = (BTreeMap::new(), 0, None);
        loop {
            let page = self.elsewhere(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.job);
            for key in page {
                match self.rewrapped.failed.remove(&key.job) {
                    Some(why) => {
                        failed.insert(key.job, why);
                    }
                    None => left += 1,
                }
            }
        }
        self.rewrapped.failed = failed;
        self.rewrapped.left = left;
        Ok(())
    }

    async fn elsewhere(&self, after: Option<JobId>) -> Result<Vec<JobKey>, StoreError> {
        self.store.keys_not_under(&self.rewrapped.active, after, PAGE).await
    }

    /// Tells the audit log, once, before the first change.
    async fn begin(&mut self) -> anyhow::Result<()> {
        if !self.begun {
            let event = self.event([("stage", "begun".to_owned())])?;
            room::audit(self.store, event).await?;
            self.begun = true;
        }
        Ok(())
    }

    /// Tells the audit log what was done, if it knows that something was begun.
    async fn end(&self) -> anyhow::Result<()> {
        if !self.begun {
            return Ok(());
        }
        let Rewrapped { done, failed, .. } = &self.rewrapped;
        let event = self.event([
            ("stage", "ended".to_owned()),
            ("jobs", done.to_string()),
            ("failed", failed.len().to_string()),
        ])?;
        self.store.audit(event).await.context(
            "keys were wrapped anew; the audit log says that it began, and cannot be told that it ended",
        )
    }

    fn event<const N: usize>(
        &self,
        facts: [(&'static str, String); N],
    ) -> anyhow::Result<AuditEvent> {
        let key = [("key", self.rewrapped.active.clone())];
        Ok(AuditEvent {
            action: "key.rewrapped",
            actor: Actor::Operator,
            tenant: self.room.tenant()?,
            request: None,
            job: None,
            facts: key.into_iter().chain(facts).collect(),
        })
    }

    fn so_far(&self) -> String {
        format!("stopped after {}; run it again", plural(self.rewrapped.done, "key"))
    }
}

/// Keys read at once.
const PAGE: u32 = 256;
const WALKS: u32 = 8;
