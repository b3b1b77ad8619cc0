//! What do the tests need? A silo made of SQL, settings made of TOML, and a job run to its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antumbra_bundle::verify::{EntryBytes, RowCounter as _};
use antumbra_bundle::{Content, MANIFEST_NAME, Manifest, SectionContent};
use antumbra_config::{Format, Settings, Sources};
use antumbra_crypto::{KeyRing, LiveRing, Roots};
use antumbra_jobs::{
    Actor, Clock, Family, Identifier, Job, JobId, JobState, NewRequest, RequestDetails, RequestId,
    ScopeKind, Sealing, SqliteStore, TenantId, TestClock,
};
use antumbra_pipeline::silo::Silos;
use antumbra_pipeline::{ContentEncoding, Engine, EngineParts, FileRowCounter, OpenBundle, Worker};
use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::keys::{PlainRoot, RingFile};

/// A directory with a silo, a job store and keys; objects are kept in memory.
pub(crate) struct Room {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<TestClock>,
    /// What wraps the keys.
    pub(crate) root: Arc<PlainRoot>,
    /// What the key ring is read again from.
    pub(crate) ring_file: Arc<RingFile>,
    pub(crate) ring: Arc<LiveRing>,
}

impl Room {
    pub(crate) fn new() -> Self {
        let root = Arc::new(PlainRoot::default());
        let roots = Roots::new(Arc::<PlainRoot>::clone(&root));
        let (ring, file) = block_on(KeyRing::create(&roots, "2026-03-01T12:00:00Z")).unwrap();
        Self::of(root, roots, ring, file)
    }

    /// A room with the same keys in every run, which decide where slices end: for a table with a key `id` of 1 to 9000, only size does.
    pub(crate) fn of_known_keys() -> Self {
        let root = Arc::new(PlainRoot::default());
        let roots = Roots::new(Arc::<PlainRoot>::clone(&root));
        let file = include_bytes!("ring.json");
        let ring = block_on(KeyRing::open(file, &roots)).unwrap();
        Self::of(root, roots, ring, file.to_vec())
    }

    fn of(root: Arc<PlainRoot>, roots: Roots, ring: KeyRing, file: Vec<u8>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let ring_file = RingFile::of(file);
        let ring = Arc::new(LiveRing::new(ring, roots, Arc::<RingFile>::clone(&ring_file)));
        Self { dir, clock: Arc::new(TestClock::new(start)), root, ring_file, ring }
    }

    /// A room whose silo `shop` holds what `sql` makes.
    pub(crate) fn with(sql: &str) -> Self {
        let room = Self::new();
        room.silo().execute_batch(sql).unwrap();
        room
    }

    /// Opens the silo `shop` to write into it.
    pub(crate) fn silo(&self) -> Connection {
        Connection::open(self.silo_path()).unwrap()
    }

    pub(crate) fn silo_path(&self) -> PathBuf {
        self.dir.path().join("shop.db")
    }

    /// Reads settings: `head` is TOML before the silo, `datapoints` is TOML of the silo `shop`.
    pub(crate) fn settings(&self, head: &str, datapoints: &str) -> Settings {
        let text = format!(
            "{head}\n[[silo]]\nname = \"shop\"\ntype = \"sqlite\"\npath = \"shop.db\"\n{datapoints}"
        );
        std::fs::write(self.dir.path().join("antumbra.toml"), text).unwrap();
        let sources = Sources {
            file: Some("antumbra.toml".into()),
            base: self.dir.path().to_owned(),
            ..Sources::default()
        };
        antumbra_config::load(&sources).unwrap().settings
    }

    /// Opens the job store and makes an engine; at most one at a time.
    pub(crate) fn engine(&self, settings: Settings, objects: Arc<dyn ObjectStore>) -> Arc<Engine> {
        let silos = Silos::open(&settings.silos, &[]).unwrap();
        self.engine_with(settings, objects, None, silos)
    }

    /// As [`engine`](Self::engine), over silos that settings do not make, and objects that may be kept in a directory.
    pub(crate) fn engine_with(
        &self,
        settings: Settings,
        objects: Arc<dyn ObjectStore>,
        objects_dir: Option<PathBuf>,
        silos: Silos,
    ) -> Arc<Engine> {
        let ring = self.ring.current();
        let sealing =
            Sealing { fields: ring.fields(), index: ring.index(), pseudonyms: ring.pseudonyms() };
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let path = self.dir.path().join("jobs.db");
        let store = SqliteStore::open(&path, sealing, Arc::clone(&clock)).unwrap();
        Arc::new(Engine::new(EngineParts {
            store: Arc::new(store),
            objects,
            objects_dir,
            silos,
            ring: Arc::clone(&self.ring),
            settings: Arc::new(settings),
            clock,
        }))
    }

    /// Runs one request to its end and returns what came of it.
    pub(crate) fn run(&self, head: &str, datapoints: &str, request: NewRequest) -> Outcome {
        let settings = self.settings(head, datapoints);
        let objects = Arc::new(InMemory::new());
        block_on(async {
            let engine = self.engine(settings, objects);
            let job = engine.submit(request).await.unwrap().job.id;
            finish(&engine, &self.clock, job).await
        })
    }

    /// As [`run`](Self::run) for `ada@example.com`, every format, faults make the job partial.
    pub(crate) fn export(&self, datapoints: &str) -> Outcome {
        self.run(PARTIAL, datapoints, request())
    }
}

/// Settings under which a section that failed does not fail the job.
pub(crate) const PARTIAL: &str = "[export]\non_silo_error = \"partial\"\n";

/// A request for `ada@example.com`.
pub(crate) fn request() -> NewRequest {
    let email = identifier("email", "ada@example.com");
    NewRequest {
        id: RequestId::generate(),
        tenant: TenantId::new("default").unwrap(),
        family: Family::Sombra,
        action: "ACCESS".to_owned(),
        subject_type: "customer".to_owned(),
        scope: ScopeKind::DataSubject,
        formats: Format::ALL.iter().map(|format| format.to_string()).collect(),
        is_test: false,
        is_silent: true,
        details: RequestDetails {
            email: Some(email.value.clone()),
            identifiers: vec![email],
            ..RequestDetails::default()
        },
        subject_key: None,
        active_limit: None,
        actor: Actor::System,
    }
}

pub(crate) fn identifier(name: &str, value: &str) -> Identifier {
    Identifier { name: name.to_owned(), value: value.to_owned() }
}

/// Works until the job has no more to do, and reads what came of it.
pub(crate) async fn finish(engine: &Arc<Engine>, clock: &TestClock, job: JobId) -> Outcome {
    work(engine, clock, job).await;
    outcome(engine, job).await
}

/// Works until the job has no more to do; a fault that passes is waited out on the test's clock.
pub(crate) async fn work(engine: &Arc<Engine>, clock: &TestClock, job: JobId) {
    let stop = CancellationToken::new();
    let work = Worker::new(Arc::clone(engine)).run(stop.clone());
    let watch = async {
        loop {
            let now = engine.store().job(job).await.unwrap();
            if !matches!(
                now.state,
                JobState::Requested | JobState::Collecting | JobState::Packaging
            ) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            // Nobody else leases here, so a lease that was left to run out may do so at once.
            clock.advance(SignedDuration::from_secs(10));
        }
        stop.cancel();
    };
    futures::future::join(work, watch).await;
}

/// Reads everything that a job that ended has.
pub(crate) async fn outcome(engine: &Arc<Engine>, id: JobId) -> Outcome {
    let job = engine.store().job(id).await.unwrap();
    if job.state == JobState::Failed {
        return Outcome { job, manifest: None, files: BTreeMap::new() };
    }
    let bundle = engine.open_bundle(&job).await.unwrap();
    let mut files = BTreeMap::new();
    let names: Vec<String> = bundle.files().iter().map(|file| file.entry.clone()).collect();
    for name in names {
        files.insert(name.clone(), read(&bundle, &name).await);
    }
    let manifest = read(&bundle, MANIFEST_NAME).await;
    let zip: Vec<Bytes> = bundle.read_bundle(0..u64::MAX).try_collect().await.unwrap();
    assert_eq!(zip.concat().len() as u64, bundle.bundle_len());
    Outcome { job, manifest: Some(serde_json::from_slice(&manifest).unwrap()), files }
}

async fn read(bundle: &OpenBundle, name: &str) -> Vec<u8> {
    let stream = bundle.read_file(name, ContentEncoding::Identity, 0..u64::MAX).unwrap();
    let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
    pieces.concat()
}

/// What came of a job.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) job: Job,
    manifest: Option<Manifest>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Outcome {
    pub(crate) fn manifest(&self) -> &Manifest {
        assert!(self.manifest.is_some(), "no manifest: {:?}", self.failure());
        self.manifest.as_ref().unwrap()
    }

    pub(crate) fn content(&self) -> &Content {
        &self.manifest().content
    }

    /// The code and the message of a job that failed.
    pub(crate) fn failure(&self) -> (String, String) {
        let failure = self.job.failure.clone().unwrap();
        (failure.code, failure.message)
    }

    pub(crate) fn section(&self, datapoint: &str) -> &SectionContent {
        self.content().sections.iter().find(|section| section.datapoint == datapoint).unwrap()
    }

    /// The rows of a section, read by `serde_json`; the files of other formats have as many, and NDJSON the same.
    pub(crate) fn rows(&self, datapoint: &str) -> Vec<Value> {
        let section = self.section(datapoint);
        assert!(
            matches!(section.outcome.as_str(), "complete" | "empty"),
            "{datapoint}: {:?}",
            section.reason
        );
        let rows: Vec<Value> =
            serde_json::from_slice(&self.files[&format!("shop/{datapoint}.json")]).unwrap();
        assert_eq!(section.rows, rows.len() as u64);
        if self.content().formats.iter().any(|format| format == "PARQUET") {
            let parquet: usize = self.parquet(datapoint).iter().map(RecordBatch::num_rows).sum();
            assert_eq!(parquet, rows.len());
        }
        if let Some(lines) = self.files.get(&format!("shop/{datapoint}.ndjson")) {
            let lines = std::str::from_utf8(lines).unwrap().lines();
            assert!(
                lines.map(|line| serde_json::from_str::<Value>(line).unwrap()).eq(rows.clone())
            );
        }
        if let Some(mut csv) = self.files.get(&format!("shop/{datapoint}.csv")).map(Vec::as_slice) {
            let counted = FileRowCounter.rows("CSV", EntryBytes::Stream(&mut csv));
            assert_eq!(counted, Ok(Some(rows.len() as u64)));
        }
        rows
    }

    /// One column of a section.
    pub(crate) fn column(&self, datapoint: &str, column: &str) -> Vec<Value> {
        self.rows(datapoint).iter().map(|row| row[column].clone()).collect()
    }

    pub(crate) fn parquet(&self, datapoint: &str) -> Vec<RecordBatch> {
        let bytes = Bytes::from(self.files[&format!("shop/{datapoint}.parquet")].clone());
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        reader.build().unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn file(&self, name: &str) -> &[u8] {
        &self.files[name]
    }

    /// A section that failed: its code and its reason.
    pub(crate) fn fault(&self, datapoint: &str) -> (&str, &str) {
        let section = self.section(datapoint);
        assert_eq!(section.outcome, "failed", "{section:?}");
        assert!(!self.files.keys().any(|name| name.starts_with(&format!("shop/{datapoint}."))));
        (section.code.as_deref().unwrap(), section.reason.as_deref().unwrap())
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(work)
}
