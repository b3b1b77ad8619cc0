//! A whole gateway in a test: real store, real keys, real stack, a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use antumbra_config::Settings;
use antumbra_crypto::{InternalKeys, KeyRing, LiveRing, Roots, api_key};
use antumbra_jobs::{
    Clock, Commit, FileRecord, JobId, JobStore, NewApiKey, NewSection, Progress, Published, Scope,
    Sealing, SectionEnd, SectionOutcome, SqliteStore, TenantId, TestClock, WorkerId,
};
use antumbra_pipeline::silo::Silos;
use antumbra_pipeline::{Engine, EngineParts};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::stack::{Stack, stack};
use super::testing_root::SwitchedRoot;
use super::{Shared, full};

/// A gateway without sockets.
pub(crate) struct Rig {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) gateway_key: String,
    pub(crate) stack: Stack,
    pub(crate) objects: Arc<InMemory>,
    /// What wraps the keys.
    pub(crate) root: Arc<SwitchedRoot>,
    pub(crate) shutdown: CancellationToken,
    _directory: TempDir,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) bytes: Bytes,
    /// The body ended with an error: a server cuts the connection there.
    pub(crate) cut: bool,
}

impl Answer {
    /// Returns the body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// Returns the error's message.
    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Makes a gateway with other settings; the gateway key's hash is listed before they are changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_objects(change, None).await
    }

    /// Makes a gateway that keeps its sealed objects elsewhere than in `Rig::objects`.
    pub(crate) async fn with_objects(
        change: impl FnOnce(&mut Settings),
        elsewhere: Option<Arc<dyn ObjectStore>>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::new("2026-03-04T05:06:07Z".parse().unwrap()));
        let root = Arc::new(SwitchedRoot::new());
        let roots = Roots::new(Arc::<SwitchedRoot>::clone(&root));
        let (ring, _) = KeyRing::create(&roots, "2026-03-04T05:06:07Z").await.unwrap();
        let sealing =
            Sealing { fields: ring.fields(), index: ring.index(), pseudonyms: ring.pseudonyms() };
        let path = directory.path().join("antumbra.db");
        let for_store: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
        let store = SqliteStore::open(&path, sealing, for_store).unwrap();

        let (gateway_key, hash) = InternalKeys::generate().unwrap();
        let mut settings = Settings::default();
        settings.gateway.internal_key_hashes = vec![hash.parse().unwrap()];
        change(&mut settings);
        let objects = Arc::new(InMemory::new());
        let silos = Silos::open(&settings.silos, &[]).unwrap();
        let engine = Engine::new(EngineParts {
            store: Arc::new(store),
            objects: elsewhere.unwrap_or_else(|| Arc::<InMemory>::clone(&objects)),
            objects_dir: None,
            silos,
            ring: Arc::new(LiveRing::fixed(ring)),
            settings: Arc::new(settings),
            clock: Arc::<TestClock>::clone(&clock),
        });
        let url = "http://127.0.0.1:5039".to_owned();
        let shutdown = CancellationToken::new();
        let shared =
            Arc::new(Shared::new(Arc::new(engine), url, TaskTracker::new(), shutdown.clone()));
        let stack = stack(Arc::clone(&shared));
        Self { shared, clock, gateway_key, stack, objects, root, shutdown, _directory: directory }
    }

    pub(crate) fn store(&self) -> &Arc<dyn JobStore> {
        self.shared.store()
    }

    /// Records an API key and returns its text.
    pub(crate) async fn api_key(&self, tenant: &str, scopes: &[Scope]) -> String {
        self.api_key_until(tenant, scopes, None).await
    }

    pub(crate) async fn api_key_until(
        &self,
        tenant: &str,
        scopes: &[Scope],
        expires_at: Option<Timestamp>,
    ) -> String {
        let text = api_key::generate().unwrap();
        let key = NewApiKey {
            tenant: TenantId::new(tenant).unwrap(),
            name: "test".to_owned(),
            scopes: scopes.to_vec(),
            hash: text.hash(),
            prefix: text.prefix().to_owned(),
            expires_at,
        };
        self.store().create_api_key(key).await.unwrap();
        text.expose().to_owned()
    }

    /// Builds a request with both keys.
    pub(crate) fn request(&self, method: Method, path: &str, key: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header("x-sombra-authorization", format!("Bearer {}", self.gateway_key))
    }

    /// Sends a request through the whole stack and reads the answer to its end.
    pub(crate) async fn send(&self, request: Request<impl Into<Bytes> + Send>) -> Answer {
        let request = request.map(|body| full(body.into()));
        let answer = self.stack.clone().oneshot(request).await.unwrap();
        let (head, mut body) = answer.into_parts();
        let (mut bytes, mut cut) = (Vec::new(), false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Err(_) => {
                    cut = true;
                    break;
                }
            }
        }
        Answer { status: head.status, headers: head.headers, bytes: bytes.into(), cut }
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.send(self.request(Method::GET, path, key).body("").unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path, key).body(body.to_string()).unwrap()).await
    }

    /// Submits a request for somebody and returns its id.
    pub(crate) async fn submit(&self, key: &str, email: &str) -> String {
        let body = json!({
            "type": "ACCESS", "subjectType": "customer", "subject": { "email": email },
        });
        let answer = self.post("/v1/data-subject-request", key, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.message());
        answer.json()["request"]["id"].as_str().unwrap().to_owned()
    }

    /// Does a worker's part without a worker: publishes `files` for the oldest waiting job, for a day.
    pub(crate) async fn publish(&self, files: Vec<FileRecord>) -> JobId {
        let store = self.store();
        let worker = WorkerId::from_stored("worker-1".to_owned());
        let ttl = Duration::from_secs(60);
        let lease = store.lease(&worker, ttl).await.unwrap().expect("a job waits");
        let section = NewSection { ordinal: 0, silo: "shop".into(), datapoint: "orders".into() };
        let progress =
            Progress { sections_total: 1, rows_expected: Some(3), ..Progress::default() };
        store.save_plan(&lease, b"{}", &[section], &progress).await.unwrap();
        let of_section = files.iter().filter(|file| !file.silo.is_empty()).cloned().collect();
        let end = SectionEnd {
            section: 0,
            rows: 3,
            outcome: SectionOutcome::Done { files: of_section, segments: Vec::new() },
            document: br#"{"outcome":"complete","rows":3}"#.to_vec(),
        };
        let progress = Progress { rows_collected: 3, sections_done: 1, ..progress };
        let commit = Commit { ends: vec![end], progress, ..Commit::default() };
        store.commit(&lease, commit).await.unwrap();
        store.start_packaging(&lease).await.unwrap();
        let now = self.clock.now();
        let published = Published {
            manifest: b"{}".to_vec(),
            signature: b"e..s".to_vec(),
            content_sha256: [1; 32],
            bundle_len: 5_000_000_000,
            bundle_sha256: [2; 32],
            bundle_time: now,
            files,
            segments: Vec::new(),
            partial: false,
            expires_at: now + SignedDuration::from_hours(48),
        };
        store.publish(&lease, published).await.unwrap();
        lease.job
    }
}

/// Describes a file of the datapoint `shop/orders`, or of no datapoint.
pub(crate) fn file(entry: &str, format: &str, media_type: &str, plain_len: u64) -> FileRecord {
    let datapoint = entry.split_once('/').filter(|(silo, _)| *silo != "report");
    FileRecord {
        entry: entry.to_owned(),
        silo: datapoint.map_or_else(String::new, |(silo, _)| silo.to_owned()),
        datapoint: datapoint.map_or_else(String::new, |_| "orders".to_owned()),
        format: format.to_owned(),
        media_type: media_type.to_owned(),
        rows: datapoint.map(|_| 3),
        deflated: true,
        plain_len,
        stored_len: 7,
        crc32: 0,
        sha256: [3; 32],
    }
}
