//! Jobs that are cancelled, wherever they stand: CANCELLED, nothing runs on, nothing is left.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use antumbra_jobs::{Actor, Job, JobState, StoreError, TenantId};
use antumbra_pipeline::silo::Silos;
use antumbra_pipeline::{Engine, PipelineError, Worker};
use object_store::local::LocalFileSystem;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::flaky::{Fault, Flaky};
use crate::room::{Room, block_on, request};
use crate::store::{Gate, Later, Trick, Tricky};

const GOOD: &str = "create table t (id integer primary key, email text, body text);
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 200)
    insert into t select i, 'ada@example.com', hex(randomblob(2000)) from n;";

const ONE: &str = "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\nprovides = { id = \"id\" }\n";

/// Generous: what is measured is that nobody waits for a hanging silo or store, which would take for ever.
const PROMPT: Duration = Duration::from_secs(30);

fn tenant() -> TenantId {
    TenantId::new("default").unwrap()
}

/// Lets a worker begin a job, cancels it when `reached` says so, and lets the worker go on to look for more.
async fn cancelled(engine: &Arc<Engine>, reached: impl Future<Output = ()>) -> Job {
    let created = engine.submit(request()).await.unwrap();
    let stop = CancellationToken::new();
    let cancel = async {
        reached.await;
        let begun = Instant::now();
        let job = engine.cancel(&tenant(), created.request.id, &Actor::System).await.unwrap();
        assert!(begun.elapsed() < PROMPT);
        stop.cancel();
        job
    };
    let work = Worker::new(Arc::clone(engine)).run(stop.clone());
    let ((), job) = timeout(PROMPT * 2, futures::future::join(work, cancel)).await.unwrap();
    assert_eq!(job.id, created.job.id);
    let after = engine.store().job(job.id).await.unwrap();
    assert_eq!((job.state, after.state), (JobState::Cancelled, JobState::Cancelled));
    assert!(after.failure.is_none(), "a cancelled job did not fail");
    assert!(matches!(engine.open_bundle(&after).await, Err(PipelineError::NotReady { .. })));
    after
}

#[test]
fn a_job_that_nobody_began_is_cancelled_once() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings("", ONE), Arc::new(Tricky::default()));
        let id = engine.submit(request()).await.unwrap().request.id;
        let cancelled = engine.cancel(&tenant(), id, &Actor::System).await.unwrap();
        assert_eq!(cancelled.state, JobState::Cancelled);
        let again = engine.cancel(&tenant(), id, &Actor::System).await.unwrap_err();
        assert!(matches!(again, PipelineError::Store(StoreError::IllegalMove(_))), "{again}");
        let other = TenantId::new("other").unwrap();
        let theirs = engine.cancel(&other, id, &Actor::System).await.unwrap_err();
        assert!(matches!(theirs, PipelineError::Store(StoreError::NotFound { .. })), "{theirs}");
    });
}

/// While it is planned, the silo never answering.
#[test]
fn a_job_that_is_planned_is_cancelled_and_its_session_ends() {
    let room = Room::with(GOOD);
    let settings = room.settings("", ONE);
    let gate = Gate::new();
    let (flaky, silos) = Flaky::before(&settings, [Fault::Hang(Arc::clone(&gate))]);
    block_on(async {
        let objects = Tricky::default();
        let engine = room.engine_with(settings, Arc::new(objects.clone()), None, silos);
        cancelled(&engine, gate.reached()).await;
        assert_eq!(flaky.open.load(Ordering::SeqCst), 0);
        assert!(objects.paths().await.is_empty());
    });
}

/// While a part is uploaded, while an upload becomes an object, while the bundle is verified: the store never answering.
#[test]
fn a_job_whose_store_hangs_is_cancelled_and_leaves_no_object() {
    for at in 0..3 {
        let room = Room::with(GOOD);
        block_on(async {
            let objects = Tricky::default();
            let engine = room.engine(room.settings("", ONE), Arc::new(objects.clone()));
            let gate = Gate::new();
            objects.play(match at {
                0 => Trick::Hang(1, Arc::clone(&gate)),
                1 => Trick::HangLater(Later::Complete, Arc::clone(&gate)),
                _ => Trick::HangLater(Later::Read, Arc::clone(&gate)),
            });
            cancelled(&engine, gate.reached()).await;
            gate.open.send_replace(true);
            assert!(objects.paths().await.is_empty(), "{:?}", objects.paths().await);
        });
    }
}

/// The same in a directory, where an upload is a file.
#[test]
fn a_cancelled_job_leaves_no_file() {
    for later in [Later::Complete, Later::Read] {
        let room = Room::with(GOOD);
        block_on(async {
            let directory = room.dir.path().join("objects");
            std::fs::create_dir(&directory).unwrap();
            let local = LocalFileSystem::new_with_prefix(&directory).unwrap();
            let objects = Tricky::over(Arc::new(local));
            let settings = room.settings("", ONE);
            let silos = Silos::open(&settings.silos, &[]).unwrap();
            let engine = room.engine_with(
                settings,
                Arc::new(objects.clone()),
                Some(directory.clone()),
                silos,
            );
            let gate = Gate::new();
            objects.play(Trick::HangLater(later, Arc::clone(&gate)));
            let job = cancelled(&engine, gate.reached()).await;
            let left = std::fs::read_dir(directory.join("jobs").join(job.id.to_string())).unwrap();
            assert_eq!(left.count(), 0);
        });
    }
}

/// A statement that would run for ever: the block's end waits for its thread, which only an interrupt ends.
#[test]
fn a_statement_that_runs_for_ever_is_interrupted() {
    let room = Room::with(GOOD);
    let points = "[[silo.datapoint]]\nname = \"t\"\nkey = [\"i\"]\nquery = \"\"\"with recursive n(i) as
        (select 1 union all select i + 1 from n) select i from n where :email <> '' and i < 0\"\"\"\n";
    block_on(async {
        let engine = room.engine(room.settings("", points), Arc::new(Tricky::default()));
        let store = Arc::clone(engine.store());
        let leased = async {
            loop {
                let newest = store.audit_entries(8).await.unwrap();
                let job = newest.iter().find_map(|entry| entry.job.as_ref()?.parse().ok());
                if let Some(job) = job
                    && store.job(job).await.unwrap().fence.0 > 0
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        cancelled(&engine, leased).await;
    });
}

/// Cancelled by another process, which can only write into the store.
#[test]
fn a_job_that_was_cancelled_elsewhere_stops_without_being_told() {
    let room = Room::with(GOOD);
    block_on(async {
        let objects = Tricky::default();
        let head = "[worker]\nlease = \"10m\"\nheartbeat = \"4m\"\n";
        let engine = room.engine(room.settings(head, ONE), Arc::new(objects.clone()));
        let gate = Gate::new();
        objects.play(Trick::HangLater(Later::Read, Arc::clone(&gate)));
        let created = engine.submit(request()).await.unwrap();
        let lease = engine.start(&tenant(), created.request.id, &Actor::System).await.unwrap();
        let elsewhere = async {
            gate.reached().await;
            let store = engine.store();
            store.cancel(&tenant(), created.request.id, &Actor::System).await.unwrap();
        };
        let drive = engine.drive(lease, CancellationToken::new());
        timeout(PROMPT, futures::future::join(drive, elsewhere)).await.unwrap();
        let job = engine.store().job(created.job.id).await.unwrap();
        assert_eq!(job.state, JobState::Cancelled);
        assert!(objects.paths().await.is_empty());
    });
}

/// A pause between two tries of a silo, which is longer than anybody waits.
#[test]
fn a_job_that_waits_for_its_silo_is_cancelled() {
    let room = Room::with(GOOD);
    let settings = room.settings("[export]\nsilo_backoff = \"1000d\"\n", ONE);
    let (flaky, silos) = Flaky::before(&settings, [Fault::Distinct]);
    block_on(async {
        let engine = room.engine_with(settings, Arc::new(Tricky::default()), None, silos);
        let waits = async {
            while !flaky.is_over() || flaky.open.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        cancelled(&engine, waits).await;
    });
}
