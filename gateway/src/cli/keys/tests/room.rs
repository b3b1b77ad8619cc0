//! Jobs with keys, for tests of commands that move or destroy them.

use std::sync::Arc;

use antumbra_crypto::stream::DataKey;
use antumbra_crypto::{KeyRing, LiveRing};
use antumbra_jobs::{
    AuditEntry, Created, JobId, JobStore, NewJob, ScopeKind, SqliteStore, StoreError, TenantId,
};
use antumbra_pipeline::data_key_context;

use crate::cli::args::{KeysRetireArgs, KeysRotateArgs, SettingsArgs};
use crate::cli::keys::progress::Seen;
use crate::cli::keys::rewrapping::{self, Rewrapped};
use crate::cli::keys::room::Room;
use crate::cli::keys::{retire, rotate};
use crate::cli::selection::Selection;
use crate::cli::testing::Shop;
use crate::cli::{Exit, keys};
use crate::keys::RingFile;

/// A shop with keys, and jobs in its store.
pub(super) struct Vault {
    pub(super) shop: Shop,
    pub(super) store: SqliteStore,
}

/// A job and its key in clear.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) created: Created,
    pub(super) key: DataKey,
}

impl Vault {
    pub(super) async fn new() -> Self {
        let shop = Shop::new().await;
        let store = shop.store().await;
        Self { shop, store }
    }

    pub(super) fn args(&self) -> SettingsArgs {
        self.shop.args()
    }

    pub(super) fn room(&self) -> Room {
        Room::open(&self.args()).unwrap()
    }

    pub(super) async fn ring(&self) -> KeyRing {
        self.room().ring().await.unwrap()
    }

    /// The ring as a daemon holds it that started now.
    pub(super) async fn live(&self) -> LiveRing {
        let room = self.room();
        let file = Arc::new(RingFile::at(&self.shop.settings.keys.ring));
        LiveRing::new(room.ring().await.unwrap(), room.roots, file)
    }

    pub(super) async fn rotate(&self) -> String {
        let args = KeysRotateArgs { rewrap: false, settings: self.args() };
        assert_eq!(rotate::rotate(&args).await.unwrap(), Exit::Done);
        self.ring().await.active_id().to_owned()
    }

    pub(super) async fn retire(&self, key: &str) -> anyhow::Result<Exit> {
        let key = Some(key.to_owned());
        retire::retire(&KeysRetireArgs { key, unused: false, settings: self.args() }).await
    }

    pub(super) async fn retire_unused(&self) -> anyhow::Result<Exit> {
        let args = KeysRetireArgs { key: None, unused: true, settings: self.args() };
        retire::retire(&args).await
    }

    pub(super) async fn rewrap(&self) -> Rewrapped {
        self.rewrap_seen(&mut Blind).await.unwrap()
    }

    /// Rewraps while somebody looks on, who may do things meanwhile.
    pub(super) async fn rewrap_seen(&self, seen: &mut dyn Seen) -> anyhow::Result<Rewrapped> {
        let stop = tokio_util::sync::CancellationToken::new();
        rewrapping::run(&self.room(), &self.store, seen, &stop).await
    }

    /// Opens the store's file as no code of ours does.
    pub(super) fn sql(&self) -> rusqlite::Connection {
        let path = self.room().store_path();
        rusqlite::Connection::open(path).unwrap()
    }

    /// Lets nothing about keys into the audit log from now on.
    pub(super) fn stop_audit(&self) {
        let trigger = "create trigger full before insert on audit when new.action like 'key.%' \
                       begin select raise(abort, 'the disk is full'); end;";
        self.sql().execute_batch(trigger).unwrap();
    }

    /// Records jobs as a daemon would that holds this ring.
    pub(super) async fn jobs(&self, live: &LiveRing, number: usize) -> Vec<Known> {
        let mut jobs = Vec::new();
        for _ in 0..number {
            jobs.push(self.job(live, |bytes| bytes).await.unwrap());
        }
        jobs
    }

    /// Records a job whose wrapped key is as `harm` left it.
    pub(super) async fn job(
        &self,
        live: &LiveRing,
        harm: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> Result<Known, StoreError> {
        self.job_named(JobId::generate(), live, harm).await
    }

    /// Records a job with this id.
    pub(super) async fn job_named(
        &self,
        id: JobId,
        live: &LiveRing,
        harm: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> Result<Known, StoreError> {
        let tenant = TenantId::new("default").unwrap();
        let key = DataKey::generate().unwrap();
        let wrapped = live.wrap(&key, &data_key_context(&tenant, id)).await.unwrap();
        let wrapped_key = harm(wrapped.bytes);
        let job = NewJob { id, wrapped_key, key_id: wrapped.key_id, held: false };
        let request = Selection::of_nobody(tenant, ScopeKind::DataSubject).to_record(Vec::new());
        let created = self.store.create_request(request, job).await?;
        Ok(Known { created, key })
    }

    /// Panics unless every key is what it was, unwrapped with the ring as it is now.
    pub(super) async fn must_read(&self, live: &LiveRing, jobs: &[Known]) {
        for known in jobs {
            let job = self.store.job(known.created.job.id).await.unwrap();
            let wrapped = job.wrapped_key.unwrap();
            let key = live.unwrap(&wrapped, &data_key_context(&job.tenant, job.id)).await.unwrap();
            assert_eq!(key.secret().expose(), known.key.secret().expose());
        }
    }

    /// Which keys jobs need, and how many.
    pub(super) async fn used(&self) -> Vec<(String, u64)> {
        let used = self.store.key_use().await.unwrap();
        used.into_iter().map(|used| (used.key_id, used.jobs)).collect()
    }

    /// The newest audit entries of this action, newest first.
    pub(super) async fn audited(&self, action: &str) -> Vec<AuditEntry> {
        let mut entries = self.store.audit_entries(1000).await.unwrap();
        entries.retain(|entry| entry.action == action);
        entries
    }

    pub(super) fn ring_text(&self) -> String {
        std::fs::read_to_string(&self.shop.settings.keys.ring).unwrap()
    }
}

/// Waits for something in a place that cannot; of a test on several threads.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

/// Runs a command of which only the exit code matters.
pub(super) async fn run(command: crate::cli::args::KeysCommand) -> anyhow::Result<Exit> {
    keys::run(command).await
}

/// Looks at nothing.
pub(super) struct Blind;

impl Seen for Blind {
    fn expect(&mut self, _keys: u64) {}

    fn step(&mut self) {}
}
