//! What do the tests of the embedded store need? A directory, keys, a clock, and something to write.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antumbra_crypto::{Context, KeyRing, Root, Roots, SecretBytes};
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{
    Actor, Commit, Family, FileRecord, Flush, Identifier, JobId, JobStore as _, Lease, NewJob,
    NewRequest, NewSection, Progress, Published, RequestDetails, RequestId, ScopeKind, Sealing,
    SectionEnd, SectionOutcome, SegmentRecord, SliceCommit, SqliteStore, StoreError, TenantId,
    TestClock, WorkerId,
};

/// A directory with a store in it, its keys and its clock.
pub(in crate::sqlite) struct Room {
    pub(in crate::sqlite) dir: TempDir,
    pub(in crate::sqlite) path: PathBuf,
    pub(in crate::sqlite) sealing: Sealing,
    pub(in crate::sqlite) clock: Arc<TestClock>,
}

impl Room {
    pub(in crate::sqlite) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::new(Arc::new(PlainRoot));
        let (ring, _) = KeyRing::create(&roots, "2026-03-01T12:00:00Z").await.unwrap();
        let sealing =
            Sealing { fields: ring.fields(), index: ring.index(), pseudonyms: ring.pseudonyms() };
        let start: Timestamp = "2026-03-01T12:00:00.123456Z".parse().unwrap();
        Self {
            path: dir.path().join("jobs.db"),
            dir,
            sealing,
            clock: Arc::new(TestClock::new(start)),
        }
    }

    pub(in crate::sqlite) fn open(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(&self.path, self.sealing.clone(), Arc::clone(&self.clock) as _)
    }

    /// Does what somebody with the file could do.
    pub(in crate::sqlite) fn sql(&self, sql: &str, params: impl rusqlite::Params) {
        Connection::open(&self.path).unwrap().execute(sql, params).unwrap();
    }

    pub(in crate::sqlite) fn column(&self, sql: &str) -> Vec<Vec<u8>> {
        let connection = Connection::open(&self.path).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub(in crate::sqlite) fn assert_no_canary(&self, when: &str) {
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let hit = bytes
                .windows(CANARY.len())
                .any(|window| window.eq_ignore_ascii_case(CANARY.as_bytes()));
            assert!(!hit, "{} {when}", path.display());
        }
    }
}

/// A word that every personal value of the tests holds.
pub(in crate::sqlite) const CANARY: &str = "Canary7f3aXq";

/// Writes the canary into every column that may hold a personal value, and lets the job fail.
pub(in crate::sqlite) async fn fill(store: &SqliteStore) -> JobId {
    let (delivered, lease) = collect(store).await;
    let end = |section| SectionEnd {
        section,
        rows: 2,
        outcome: SectionOutcome::Done {
            files: vec![FileRecord {
                entry: format!("shop/{section}.json"),
                silo: "shop".to_owned(),
                datapoint: "orders".to_owned(),
                format: "JSON".to_owned(),
                media_type: "application/json".to_owned(),
                rows: Some(2),
                deflated: true,
                plain_len: 1,
                stored_len: 1,
                crc32: 1,
                sha256: [0; 32],
            }],
            segments: Vec::new(),
        },
        document: canary("outcome"),
    };
    store.commit(&lease, Commit { ends: vec![end(0)], ..Commit::default() }).await.unwrap();
    store.start_packaging(&lease).await.unwrap();
    let published = Published {
        manifest: canary("manifest"),
        signature: b"signature".to_vec(),
        content_sha256: [0; 32],
        bundle_len: 1,
        bundle_sha256: [0; 32],
        bundle_time: Timestamp::UNIX_EPOCH,
        files: Vec::new(),
        segments: Vec::new(),
        partial: false,
        expires_at: Timestamp::MAX,
    };
    store.publish(&lease, published).await.unwrap();
    assert_eq!(store.published(delivered).await.unwrap().unwrap().manifest, canary("manifest"));
    let (failed, lease) = collect(store).await;
    let message = String::from_utf8(canary("failure")).unwrap();
    store.fail(&lease, "silo_down", &message).await.unwrap();
    failed
}

/// Records a request and commits two slices of its one section.
pub(in crate::sqlite) async fn collect(store: &SqliteStore) -> (JobId, Lease) {
    let made = store.create_request(request(CANARY), new_job()).await.unwrap();
    let worker = WorkerId::generate();
    let lease = store.lease(&worker, Duration::from_secs(30)).await.unwrap().unwrap();
    let section =
        NewSection { ordinal: 0, silo: "shop".to_owned(), datapoint: "orders".to_owned() };
    store.save_plan(&lease, &canary("plan"), &[section], &Progress::default()).await.unwrap();
    let slice = |ordinal| SliceCommit {
        section: 0,
        ordinal,
        rows: 1,
        cursor: canary("cursor"),
        state: canary("state"),
        kept: canary("kept"),
        segments: vec![SegmentRecord {
            entry: "shop/0.json".to_owned(),
            ordinal,
            object: "pack".to_owned(),
            offset: 0,
            stored_len: 1,
            plain_len: 1,
            crc32: 1,
            flushes: vec![Flush { plain: 1, stored: 1 }],
        }],
    };
    let commit = Commit { slices: vec![slice(0), slice(1)], ..Commit::default() };
    store.commit(&lease, commit).await.unwrap();
    (made.job.id, lease)
}

/// The key of the ring that wraps what [`new_job`] records; an id as rings make them.
pub(in crate::sqlite) const KEY: &str = "kek_0123456789abcdef";

/// Bytes that name the key that wrapped them, as a ring's do.
pub(in crate::sqlite) fn envelope(key_id: &str) -> Vec<u8> {
    let length = u8::try_from(key_id.len()).unwrap();
    [&[1, length], key_id.as_bytes(), &[9; 60]].concat()
}

fn canary(what: &str) -> Vec<u8> {
    format!("{what} of {CANARY}").into_bytes()
}

pub(in crate::sqlite) fn new_job() -> NewJob {
    NewJob {
        id: JobId::generate(),
        wrapped_key: envelope(KEY),
        key_id: KEY.to_owned(),
        held: false,
    }
}

pub(in crate::sqlite) fn request(name: &str) -> NewRequest {
    let email = format!("{name}@example.com");
    let key = Identifier { name: "email".to_owned(), value: email.clone() };
    NewRequest {
        id: RequestId::generate(),
        tenant: TenantId::new("acme").unwrap(),
        family: Family::Compliance,
        action: "ACCESS".to_owned(),
        subject_type: "customer".to_owned(),
        scope: ScopeKind::DataSubject,
        formats: vec!["JSON".to_owned()],
        is_test: true,
        is_silent: false,
        details: RequestDetails {
            core_identifier: Some(name.to_owned()),
            email: Some(email),
            identifiers: vec![key.clone()],
            details: Some(format!("I am {name}")),
            requested_by: Some(name.to_owned()),
            notes: Some(format!("{name} called")),
            ..RequestDetails::default()
        },
        subject_key: Some(key),
        active_limit: None,
        actor: Actor::Operator,
    }
}

/// Wraps nothing: the tests' key rings never leave memory.
#[derive(Debug)]
struct PlainRoot;

#[async_trait::async_trait]
impl Root for PlainRoot {
    fn id(&self) -> &str {
        "plain"
    }

    async fn wrap(
        &self,
        secret: &SecretBytes,
        _: &Context,
    ) -> Result<Vec<u8>, antumbra_crypto::Error> {
        Ok(secret.expose().to_vec())
    }

    async fn unwrap(
        &self,
        wrapped: &[u8],
        _: &Context,
    ) -> Result<SecretBytes, antumbra_crypto::Error> {
        Ok(SecretBytes::from_slice(wrapped))
    }
}
