//! Jobs that are started by name: one caller gets them, and works them to their end.

use std::sync::Arc;
use std::time::Duration;

use antumbra_jobs::{Actor, Family, JobState, NewRequest, RequestId, TenantId, WorkerId};
use antumbra_pipeline::{Engine, PipelineError};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::room::{Room, block_on, finish, outcome, request};
use crate::store::{Trick, Tricky};

const GOOD: &str = "create table t (id integer primary key, email text);
    insert into t values (1, 'ada@example.com'), (2, 'ada@example.com');";
const ONE: &str =
    "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n";
/// Jobs of the compliance contract wait to be started.
const HELD: &str = "[compliance]\nautostart = false\nmax_active = 2\n";

fn tenant() -> TenantId {
    TenantId::new("default").unwrap()
}

fn compliance() -> NewRequest {
    NewRequest { family: Family::Compliance, ..request() }
}

async fn start(engine: &Engine, request: RequestId) -> Result<antumbra_jobs::Lease, PipelineError> {
    engine.start(&tenant(), request, &Actor::System).await
}

/// The state of a job that could not be started.
async fn refused(engine: &Engine, request: RequestId) -> JobState {
    match start(engine, request).await {
        Err(PipelineError::NotStartable { state }) => state,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_held_job_waits_for_its_start_and_is_then_worked_to_its_end() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings(HELD, ONE), Arc::new(Tricky::default()));
        let created = engine.submit(compliance()).await.unwrap();
        let ttl = Duration::from_secs(30);
        assert!(engine.store().lease(&WorkerId::generate(), ttl).await.unwrap().is_none());
        let lease = start(&engine, created.request.id).await.unwrap();
        engine.drive(lease, CancellationToken::new()).await;
        let out = outcome(&engine, created.job.id).await;
        assert_eq!(out.rows("t").len(), 2);
        assert_eq!(refused(&engine, created.request.id).await, JobState::Ready);
        // The other contract knows no starting.
        let sombra = engine.submit(request()).await.unwrap();
        assert!(!sombra.job.held);
        let other =
            engine.submit(NewRequest { tenant: TenantId::new("other").unwrap(), ..request() });
        let theirs = start(&engine, other.await.unwrap().request.id).await.unwrap_err();
        assert_eq!(theirs.code(), "not_found");
    });
}

#[test]
fn of_many_starts_one_gets_the_job() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings(HELD, ONE), Arc::new(Tricky::default()));
        let created = engine.submit(compliance()).await.unwrap();
        let starts = (0..8).map(|_| start(&engine, created.request.id));
        let ends = futures::future::join_all(starts).await;
        let (won, lost): (Vec<_>, Vec<_>) = ends.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        for error in lost.into_iter().filter_map(Result::err) {
            assert!(matches!(error, PipelineError::NotStartable { .. }), "{error:?}");
        }
    });
}

#[test]
fn the_cap_counts_jobs_of_its_contract_only() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings(HELD, ONE), Arc::new(Tricky::default()));
        for _ in 0..3 {
            engine.submit(request()).await.unwrap();
        }
        let first = engine.submit(compliance()).await.unwrap();
        engine.submit(compliance()).await.unwrap();
        let third = engine.submit(compliance()).await.unwrap_err();
        assert_eq!(third.code(), "too_many_active");
        engine.cancel(&tenant(), first.request.id, &Actor::System).await.unwrap();
        engine.submit(compliance()).await.unwrap();
    });
}

#[test]
fn a_bundle_whose_objects_are_lost_is_made_again_and_others_are_not() {
    let room = Room::with(GOOD);
    block_on(async {
        let objects = Tricky::default();
        let engine = room.engine(room.settings("", ONE), Arc::new(objects.clone()));
        let created = engine.submit(compliance()).await.unwrap();
        let first = finish(&engine, &room.clock, created.job.id).await;
        let job = engine.store().job(created.job.id).await.unwrap();
        assert!(engine.bundle_is_intact(&job).await.unwrap());
        assert_eq!(refused(&engine, created.request.id).await, JobState::Ready);
        objects.lose(|path| path.contains("json")).await;
        assert!(!engine.bundle_is_intact(&job).await.unwrap());
        // Of two that find it lost, one makes it again.
        let both = futures::future::join(
            start(&engine, created.request.id),
            start(&engine, created.request.id),
        );
        let (one, two) = both.await;
        let (lease, error) = match (one, two) {
            (Ok(lease), Err(error)) | (Err(error), Ok(lease)) => (lease, error),
            other => unreachable!("{other:?}"),
        };
        assert!(matches!(error, PipelineError::NotStartable { .. }), "{error:?}");
        assert_ne!(lease.job, job.id);
        engine.drive(lease.clone(), CancellationToken::new()).await;
        let again = outcome(&engine, lease.job).await;
        assert_eq!(again.job.attempt, 2);
        assert_eq!(again.manifest().content_sha256, first.manifest().content_sha256);
        assert_eq!(engine.store().job(job.id).await.unwrap().state, JobState::Expired);
        // A bundle whose time is over is not made again, lost or not.
        room.clock.advance(SignedDuration::from_hours(24 * 8));
        objects.lose(|_| true).await;
        assert_eq!(refused(&engine, created.request.id).await, JobState::Expired);
    });
}

#[test]
fn a_job_that_was_never_published_has_no_intact_bundle() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings("", ONE), Arc::new(Tricky::default()));
        let job = engine.submit(request()).await.unwrap().job;
        assert!(!engine.bundle_is_intact(&job).await.unwrap());
    });
}

#[test]
fn a_driven_job_ends_whatever_fails() {
    for (trick, code) in
        [(Trick::FailAlways, "package_write_failed"), (Trick::FailReads, "object_store")]
    {
        let room = Room::with(GOOD);
        block_on(async {
            let objects = Tricky::default();
            let engine = room.engine(room.settings(HELD, ONE), Arc::new(objects.clone()));
            let created = engine.submit(compliance()).await.unwrap();
            let lease = start(&engine, created.request.id).await.unwrap();
            objects.play(trick);
            engine.drive(lease, CancellationToken::new()).await;
            let out = outcome(&engine, created.job.id).await;
            assert_eq!(out.failure().0, code);
            assert!(objects.paths().await.is_empty());
            assert_eq!(refused(&engine, created.request.id).await, JobState::Failed);
        });
    }
}

#[test]
fn a_driven_job_is_put_down_at_shutdown_and_goes_on_with_another_worker() {
    let room = Room::with(GOOD);
    block_on(async {
        let objects = Tricky::default();
        let engine = room.engine(room.settings(HELD, ONE), Arc::new(objects.clone()));
        let created = engine.submit(compliance()).await.unwrap();
        let lease = start(&engine, created.request.id).await.unwrap();
        let shutdown = CancellationToken::new();
        objects.play(Trick::Cancel(1, shutdown.clone()));
        engine.drive(lease, shutdown).await;
        let job = engine.store().job(created.job.id).await.unwrap();
        assert!(job.state.is_active(), "{}", job.state);
        let out = finish(&engine, &room.clock, created.job.id).await;
        assert_eq!(out.rows("t").len(), 2);
        assert_eq!(out.job.fence.0, 2);
    });
}
