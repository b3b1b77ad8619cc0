//! Silos that fail for a while: sections go on after a pause, and what cannot be had is named, never left out in silence.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use antumbra_jobs::{JobState, SectionState};
use antumbra_pipeline::{Engine, Worker};
use tokio_util::sync::CancellationToken;

use crate::flaky::{Fault, Flaky};
use crate::resuming::{POINTS, source_room};
use crate::room::{Outcome, Room, block_on, finish, request};
use crate::store::Tricky;

/// Tries follow each other quickly.
const QUICK: &str = "silo_backoff = \"1ms\"\nsilo_attempts = 3\n";

const SMALL: &str = "create table t (id integer primary key, email text, customer integer);
    insert into t values (1, 'ada@example.com', 7), (2, 'ada@example.com', 7);
    create table u (id integer primary key, customer integer); insert into u values (1, 7);";

/// `u` needs what `t` provides.
const TWO: &str = "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n
    provides = { customer = \"customer\" }\n
    [[silo.datapoint]]\nname = \"u\"\ntable = \"u\"\nmatch = { customer = \"customer\" }\n";

fn head(policy: &str) -> String {
    format!("[export]\non_silo_error = \"{policy}\"\n{QUICK}")
}

/// Runs a job over a silo with faults before it.
fn run(
    room: &Room,
    policy: &str,
    points: &str,
    faults: impl IntoIterator<Item = Fault>,
) -> (Outcome, Arc<Flaky>) {
    run_with(room, &head(policy), points, faults)
}

fn run_with(
    room: &Room,
    head: &str,
    points: &str,
    faults: impl IntoIterator<Item = Fault>,
) -> (Outcome, Arc<Flaky>) {
    let settings = room.settings(head, points);
    let (flaky, silos) = Flaky::before(&settings, faults);
    block_on(async {
        let engine = room.engine_with(settings, Arc::new(Tricky::default()), None, silos);
        let job = engine.submit(request()).await.unwrap().job.id;
        let out = finish(&engine, &room.clock, job).await;
        assert_eq!(flaky.open.load(Ordering::SeqCst), 0, "a session outlived its job");
        (out, flaky)
    })
}

#[test]
fn a_section_goes_on_after_its_last_slice_whenever_its_silo_comes_back() {
    let room = source_room();
    let (undisturbed, _) = run(&room, "fail", POINTS, []);
    assert!(!undisturbed.manifest().run.resumed);
    // More faults than tries: those after a slice was completed begin a new count. A slice is about 16 batches, of 36.
    let faults = [
        Fault::Read("events", 1),
        Fault::Read("events", 20),
        Fault::Connect,
        Fault::Describe,
        Fault::Read("events", 18),
        Fault::Read("events", 1),
        Fault::Read("loose", 0),
    ];
    let (out, flaky) = run(&room, "fail", POINTS, faults);
    assert!(flaky.is_over());
    assert_eq!(out.job.fence.0, 1, "no lease was needed");
    assert_eq!(out.manifest().content_sha256, undisturbed.manifest().content_sha256);
    assert!(out.manifest().run.resumed, "it read several snapshots, and says so");
    let reads = flaky.reads_of("events");
    assert_eq!(reads, [false, false, true, true, true], "whether each went on behind a cursor");
    // Without a key it begins again.
    assert_eq!(flaky.reads_of("loose"), [false, false]);
}

#[test]
fn a_silo_that_stays_away_fails_its_section_by_policy() {
    let room = Room::with(SMALL);
    let faults = || (0..3).map(|_| Fault::Read("t", 0));
    let (out, flaky) = run(&room, "partial", TWO, faults());
    assert_eq!(out.fault("t").0, "silo_unavailable");
    assert_eq!(out.rows("u").len(), 1);
    assert_eq!(out.content().outcome, "partial");
    assert_eq!(flaky.reads_of("t").len(), 3, "as often as settings say");
    let report = String::from_utf8(out.file("report/index.html").to_vec()).unwrap();
    assert!(report.contains("not complete") && report.contains("shop/t"));

    let (out, flaky) = run(&room, "fail", TWO, faults());
    let (code, message) = out.failure();
    assert_eq!(code, "silo_failed");
    assert!(message.contains("shop/t") && message.contains("silo_unavailable"), "{message}");
    assert_eq!(out.job.fence.0, 1, "the job failed at once, not after eight leases");
    assert_eq!(flaky.reads_of("t").len(), 3);
}

#[test]
fn a_silo_that_fails_while_identities_are_looked_for_is_asked_again() {
    let room = Room::with(SMALL);
    let (out, flaky) = run(&room, "fail", TWO, [Fault::Connect, Fault::Distinct]);
    assert!(flaky.is_over());
    assert_eq!(out.rows("u").len(), 1);
    assert_eq!(out.job.fence.0, 1);
    assert!(!out.manifest().run.resumed, "all of it was read in the last snapshot");
    assert_eq!(flaky.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn identities_that_cannot_be_found_fail_what_needs_them() {
    let room = Room::with(SMALL);
    let faults = || (0..3).map(|_| Fault::Distinct);
    let (out, _) = run(&room, "partial", TWO, faults());
    assert_eq!(out.fault("u").0, "silo_provider_failed");
    let (out, _) = run(&room, "fail", TWO, faults());
    assert_eq!(out.failure().0, "silo_failed");
    assert_eq!(out.job.fence.0, 1);
}

#[test]
fn a_silo_may_be_tried_more_or_less_often_than_others() {
    let room = Room::with(SMALL);
    let own = |attempts: u32| {
        format!(
            "[silo.limits]\nattempts = {attempts}\nbackoff = \"1ms\"\ncircuit_failures = 99\n\n{TWO}"
        )
    };
    // While it is planned, and while it is read.
    let faults = || {
        let planning = (0..5).map(|_| Fault::Distinct);
        planning.chain((0..5).map(|_| Fault::Read("t", 1)))
    };
    // What holds for others would have it fail, or wait for years.
    let others =
        "[export]\non_silo_error = \"fail\"\nsilo_backoff = \"1000d\"\nsilo_attempts = 3\n";
    let (out, flaky) = run_with(&room, others, &own(6), faults());
    assert!(flaky.is_over());
    assert_eq!(out.rows("u").len(), 1);
    let (out, flaky) = run_with(&room, others, &own(5), faults());
    assert_eq!(out.failure().0, "silo_failed");
    assert!(!flaky.is_over(), "it was tried once more");
    let (out, _) = run(&room, "fail", &own(1), [Fault::Read("t", 1)]);
    assert_eq!(out.failure().0, "silo_failed");
}

/// A daemon that stops while a section waits for its silo keeps what is complete, and gives the job back at once.
#[test]
fn a_shutdown_ends_the_pause_between_two_tries() {
    let room = source_room();
    let head = "[export]\nsilo_backoff = \"1000d\"\n";
    let settings = room.settings(head, POINTS);
    let (flaky, silos) = Flaky::before(&settings, [Fault::Read("events", 20)]);
    block_on(async {
        let engine = room.engine_with(settings, Arc::new(Tricky::default()), None, silos);
        let job = engine.submit(request()).await.unwrap().job.id;
        let stop = CancellationToken::new();
        let watch = async {
            while engine.store().slices(job, 0, 0, u32::MAX).await.unwrap().is_empty()
                || !flaky.is_over()
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        futures::future::join(worker(&engine, &stop), watch).await;
        assert_eq!(engine.store().job(job).await.unwrap().state, JobState::Collecting);
        let section = engine.store().sections(job).await.unwrap().remove(0);
        assert!(section.rows > 0 && section.state == SectionState::Open);
        let out = finish(&engine, &room.clock, job).await;
        assert_eq!(out.section("events").rows, 9_000);
        assert_eq!(out.job.fence.0, 2);
    });
}

fn worker(engine: &Arc<Engine>, stop: &CancellationToken) -> impl Future<Output = ()> {
    Worker::new(Arc::clone(engine)).run(stop.clone())
}
