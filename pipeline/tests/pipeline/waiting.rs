//! A root of the keys that does not answer: jobs wait where they are, nothing is written, and what comes of them is the same.

use std::sync::Arc;
use std::time::Duration;

use antumbra_crypto::{Error as CryptoError, Retry};
use antumbra_jobs::{Actor, Job, JobId, JobState, ListQuery, TenantId, WorkerId};
use antumbra_pipeline::{Engine, PipelineError, Worker};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::resuming::{POINTS, source_room};
use crate::room::{PARTIAL, Room, block_on, finish, outcome, request};
use crate::store::{Gate, Later, Trick, Tricky};

/// Generous: only a job that waits for ever takes longer.
const PATIENCE: Duration = Duration::from_secs(100);

/// A job that fits into one slice.
const SMALL: &str = "create table events (id integer primary key, email text, note text, body text);
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 200)
    insert into events select i, 'ada@example.com', nullif(i % 7, 0), hex(randomblob(2000)) from n;";

/// A room with heartbeats that a test sees.
struct Waiting {
    room: Room,
    engine: Arc<Engine>,
    objects: Tricky,
}

impl Waiting {
    fn new() -> Self {
        Self::over(Room::with(SMALL))
    }

    /// The same with rows of several slices.
    fn large() -> Self {
        Self::over(source_room())
    }

    fn over(room: Room) -> Self {
        let objects = Tricky::default();
        let head = format!("{PARTIAL}[worker]\nheartbeat = \"50ms\"\n");
        let engine = room.engine(room.settings(&head, POINTS), Arc::new(objects.clone()));
        Self { room, engine, objects }
    }

    async fn undisturbed(&self) -> String {
        let job = self.engine.submit(request()).await.unwrap().job.id;
        let out = finish(&self.engine, &self.room.clock, job).await;
        out.manifest().content_sha256.clone()
    }

    async fn job(&self, id: JobId) -> Job {
        self.engine.store().job(id).await.unwrap()
    }

    /// Works, while `story` looks on, until it ends.
    async fn beside<T>(&self, story: impl Future<Output = T>) -> T {
        let stop = CancellationToken::new();
        let story = async {
            let told = story.await;
            stop.cancel();
            told
        };
        let work = Worker::new(Arc::clone(&self.engine)).run(stop.clone());
        timeout(PATIENCE, futures::future::join(work, story)).await.unwrap().1
    }

    async fn reaches(&self, id: JobId, state: JobState) {
        while self.job(id).await.state != state {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sees a job that waits: it keeps its lease, says why it stands still, and nothing is written.
    async fn stands_still(&self, id: JobId, state: JobState, fence: u64) {
        self.room.root.refused(1).await;
        let (before, objects) = (self.job(id).await, self.objects.paths().await);
        self.room.root.refused(3).await;
        self.room.clock.advance(jiff::SignedDuration::from_secs(1));
        // A sign of life after the clock moved.
        while self.job(id).await.progress.heartbeat_at == before.progress.heartbeat_at {
            sleep(Duration::from_millis(5)).await;
        }
        let now = self.job(id).await;
        assert_eq!((now.state, now.fence.0), (state, fence), "one lease for the whole outage");
        assert_eq!(now.progress.rows_collected, before.progress.rows_collected);
        assert!(self.engine.live_progress(id).unwrap().waits_for_root);
        assert_eq!(self.objects.paths().await, objects, "written without a key");
    }
}

#[test]
fn a_job_waits_for_the_root_and_then_finds_what_it_would_have_found() {
    let waiting = Waiting::new();
    block_on(async {
        let undisturbed = waiting.undisturbed().await;
        let job = waiting.engine.submit(request()).await.unwrap().job.id;
        waiting.room.root.switch_off(Retry::Later);
        waiting
            .beside(async {
                waiting.stands_still(job, JobState::Requested, 1).await;
                waiting.room.root.switch_on();
                waiting.reaches(job, JobState::Ready).await;
            })
            .await;
        let out = outcome(&waiting.engine, job).await;
        assert_eq!(out.job.fence.0, 1);
        assert_eq!(out.manifest().content_sha256, undisturbed);
        assert!(!out.manifest().run.resumed);
        assert!(waiting.engine.live_progress(job).is_none());
    });
}

/// Stopped while it collects, and while it is verified; the root is down when it is taken up again.
#[test]
fn a_job_that_is_taken_up_again_waits_where_it_stands() {
    let waiting = Waiting::large();
    block_on(async {
        let undisturbed = waiting.undisturbed().await;
        for state in [JobState::Collecting, JobState::Packaging] {
            let job = waiting.engine.submit(request()).await.unwrap().job.id;
            let gate = Gate::new();
            waiting.objects.play(match state {
                JobState::Collecting => Trick::Hang(52, Arc::clone(&gate)),
                _ => Trick::HangLater(Later::Read, Arc::clone(&gate)),
            });
            // The worker is asked to stop while the object store keeps it.
            let stop = CancellationToken::new();
            let stopped = async {
                gate.reached().await;
                stop.cancel();
                gate.open.send_replace(true);
            };
            let work = Worker::new(Arc::clone(&waiting.engine)).run(stop.clone());
            timeout(PATIENCE, futures::future::join(work, stopped)).await.unwrap();
            waiting.objects.play(Trick::None);
            assert_eq!(waiting.job(job).await.state, state);

            waiting.room.root.switch_off(Retry::Later);
            waiting
                .beside(async {
                    waiting.stands_still(job, state, 2).await;
                    waiting.room.root.switch_on();
                    waiting.reaches(job, JobState::Ready).await;
                })
                .await;
            let out = outcome(&waiting.engine, job).await;
            assert_eq!(out.job.fence.0, 2);
            assert_eq!(out.manifest().content_sha256, undisturbed, "{state}");
        }
    });
}

#[test]
fn a_job_that_runs_needs_the_root_once() {
    let waiting = Waiting::new();
    block_on(async {
        let job = waiting.engine.submit(request()).await.unwrap().job.id;
        let asked = waiting.room.root.asked();
        let gate = Gate::new();
        waiting.objects.play(Trick::Hang(1, Arc::clone(&gate)));
        waiting
            .beside(async {
                gate.reached().await;
                assert_eq!(waiting.room.root.asked(), asked + 1);
                waiting.room.root.switch_off(Retry::Later);
                gate.open.send_replace(true);
                waiting.reaches(job, JobState::Ready).await;
            })
            .await;
        // To read what it made is another matter.
        let now = waiting.job(job).await;
        is_of_root(&waiting.engine.open_bundle(&now).await.unwrap_err());
        waiting.room.root.switch_on();
        assert_eq!(outcome(&waiting.engine, job).await.job.fence.0, 1);
    });
}

#[test]
fn a_job_that_waits_is_put_down_by_a_shutdown_and_cancelled_by_a_cancel() {
    let waiting = Waiting::new();
    block_on(async {
        let created = waiting.engine.submit(request()).await.unwrap();
        let (job, root) = (created.job.id, &waiting.room.root);
        root.switch_off(Retry::Later);
        waiting.beside(root.refused(2)).await;
        assert!(waiting.engine.live_progress(job).is_none());
        let ttl = Duration::from_secs(30);
        let lease = waiting.engine.store().lease(&WorkerId::generate(), ttl).await.unwrap();
        let lease = lease.expect("its lease was given back");
        assert_eq!((lease.job, lease.fence.0), (job, 2));
        waiting.engine.store().release(&lease).await.unwrap();

        root.switch_off(Retry::Later);
        waiting
            .beside(async {
                root.refused(2).await;
                let (tenant, request) = (TenantId::new("default").unwrap(), created.request.id);
                waiting.engine.cancel(&tenant, request, &Actor::System).await.unwrap();
            })
            .await;
        let now = waiting.job(job).await;
        assert_eq!((now.state, now.failure), (JobState::Cancelled, None));
        assert!(waiting.objects.paths().await.is_empty());
    });
}

#[test]
fn a_root_that_refuses_fails_the_job_and_says_so() {
    let waiting = Waiting::new();
    block_on(async {
        let job = waiting.engine.submit(request()).await.unwrap().job.id;
        waiting.room.root.switch_off(Retry::Operator);
        let out = finish(&waiting.engine, &waiting.room.clock, job).await;
        assert_eq!(out.job.state, JobState::Failed);
        assert_eq!(out.failure().0, "root_key_unusable");
        assert!(waiting.objects.paths().await.is_empty());
    });
}

#[test]
fn nothing_is_recorded_that_has_no_key() {
    let waiting = Waiting::new();
    block_on(async {
        for advice in [Retry::Later, Retry::Operator] {
            waiting.room.root.switch_off(advice);
            let refused = waiting.engine.submit(request()).await.unwrap_err();
            assert_eq!((refused.code(), refused.retry()), ("root_key_unusable", advice));
        }
        let query = ListQuery { family: None, state: None, limit: 10, after: None };
        let tenant = TenantId::new("default").unwrap();
        let listed = waiting.engine.store().list(&tenant, query).await.unwrap();
        assert_eq!(listed.total, 0);
        assert!(waiting.engine.store().audit_entries(10).await.unwrap().is_empty());
        waiting.room.root.switch_on();
        waiting.engine.submit(request()).await.unwrap();
    });
}

fn is_of_root(error: &PipelineError) {
    let is = matches!(error, PipelineError::Crypto(CryptoError::Root { retry: Retry::Later, .. }));
    assert!(is, "{error}");
    assert_eq!(error.retry(), Retry::Later);
}
