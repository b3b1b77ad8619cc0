//! Silos and stores that fail: named, retried or given up, and never a bundle with something missing.

use std::sync::Arc;

use antumbra_jobs::JobState;

use crate::room::{Outcome, PARTIAL, Room, block_on, outcome, request, work};
use crate::store::{Gate, Later, Trick, Tricky};

const TWO: &str = "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n
    [[silo.datapoint]]\nname = \"u\"\ntable = \"u\"\nmatch = { email = \"email\" }\n";

const GOOD: &str = "create table t (id integer primary key, email text);
    insert into t values (1, 'ada@example.com'), (2, 'ada@example.com');
    create table u (id integer primary key, email text); insert into u values (1, 'ada@example.com');";

#[test]
fn a_table_that_is_missing_fails_its_section_only() {
    let room =
        Room::with(&GOOD.replace("create table u", "create table v").replace("into u", "into v"));
    let out = room.export(TWO);
    assert_eq!(out.fault("u").0, "silo_missing");
    assert_eq!(out.rows("t").len(), 2);
    assert_eq!(out.content().outcome, "partial");
    let report = String::from_utf8(out.file("report/index.html").to_vec()).unwrap();
    assert!(report.contains("not complete") && report.contains("shop/u"));
    // The same under the policy that wants all or nothing.
    let out = room.run("", TWO, request());
    let (code, message) = out.failure();
    assert_eq!(code, "silo_failed");
    assert!(message.contains("shop/u") && message.contains("silo_missing"), "{message}");
}

#[test]
fn a_file_that_is_missing_corrupt_or_a_directory_fails_every_section_of_its_silo() {
    let room = Room::new();
    let fault = |room: &Room| {
        let out = room.export(TWO);
        let codes = [out.fault("t").0.to_owned(), out.fault("u").0.to_owned()];
        assert_eq!(codes[0], codes[1]);
        codes[0].clone()
    };
    assert_eq!(fault(&room), "silo_missing");
    assert!(!room.silo_path().try_exists().unwrap(), "looking must not make a database");
    std::fs::write(room.silo_path(), [b'x'; 8_192]).unwrap();
    assert_eq!(fault(&room), "silo_corrupt");
    std::fs::remove_file(room.silo_path()).unwrap();
    std::fs::create_dir(room.silo_path()).unwrap();
    assert_eq!(fault(&room), "silo_unavailable");
}

#[test]
fn a_page_that_is_damaged_fails_the_section_and_not_with_fewer_rows() {
    let room = Room::with(
        "create table t (id integer primary key, email text, body text);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
         insert into t select i, 'ada@example.com', hex(randomblob(100)) from n;
         create table u (id integer primary key, email text); insert into u values (1, 'ada@example.com');",
    );
    let mut bytes = std::fs::read(room.silo_path()).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(room.silo_path(), bytes).unwrap();
    let out = room.export(TWO);
    assert_eq!(out.fault("t").0, "silo_corrupt");
    assert_eq!(out.content().outcome, "partial");
}

#[test]
fn a_silo_error_quotes_no_value() {
    let room = Room::with(
        "create table t (id integer primary key, email text, at text);
         insert into t values (1, 'ada@example.com', 'CANARY-time');
         create table u (id integer primary key, email text, x text);
         insert into u values (1, 'ada@example.com', cast(x'43414e4152592dff' as text));",
    );
    let mut request = request();
    request.details.window_start = Some("2026-01-01T00:00:00Z".parse().unwrap());
    let points = TWO.replacen("match =", "time_column = \"at\"\nmatch =", 1);
    let out = room.run(PARTIAL, &points, request);
    for name in ["t", "u"] {
        let (_, reason) = out.fault(name);
        assert!(!reason.contains("CANARY") && !reason.contains("ada@"), "{reason}");
    }
}

/// Runs the same small job with a trick played on it; the flag says whether its turn came.
fn with(trick: Trick) -> (Outcome, bool) {
    let room = Room::with(GOOD);
    let objects = Tricky::default();
    block_on(async {
        let engine = room.engine(room.settings(PARTIAL, TWO), Arc::new(objects.clone()));
        let job = engine.submit(request()).await.unwrap().job.id;
        objects.play(trick);
        work(&engine, &room.clock, job).await;
        let played = objects.played();
        objects.play(Trick::None);
        let out = outcome(&engine, job).await;
        assert!(out.job.state == JobState::Ready || out.job.delivery.is_none());
        (out, played)
    })
}

#[test]
fn whichever_call_of_the_object_store_fails_the_job_ends_whole() {
    let calls = 40;
    let ends = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for at in 1..=calls {
            let ends = &ends;
            scope.spawn(move || {
                let (out, failed) = with(Trick::Fail(at));
                ends.lock().unwrap().push((at, out, failed));
            });
        }
    });
    let mut retried = 0;
    for (at, out, failed) in ends.into_inner().unwrap() {
        assert_eq!(out.job.state, JobState::Ready, "call {at}: {:?}", out.job.failure);
        assert_eq!(out.rows("t").len(), 2, "call {at}");
        assert_eq!(out.rows("u").len(), 1, "call {at}");
        assert_eq!(out.job.fence.0, 1, "call {at}: tried again in place, no lease runs out");
        retried += u64::from(failed);
    }
    assert!(
        (5..calls).contains(&retried),
        "{retried} of {calls}: the count must reach beyond the job's calls"
    );
}

#[test]
fn an_object_store_that_takes_nothing_fails_the_job_after_a_few_tries() {
    let room = Room::with(GOOD);
    let objects = Tricky::default();
    block_on(async {
        let engine = room.engine(room.settings(PARTIAL, TWO), Arc::new(objects.clone()));
        let job = engine.submit(request()).await.unwrap().job.id;
        objects.play(Trick::FailAlways);
        work(&engine, &room.clock, job).await;
        let out = outcome(&engine, job).await;
        assert_eq!(out.failure().0, "package_write_failed");
        assert_eq!(out.job.fence.0, 1, "storage that refuses is no matter of leases");
        assert_eq!(objects.failed(), 4, "the first try and three more");
        assert!(objects.paths().await.is_empty());
    });
}

#[test]
fn objects_that_cannot_be_read_back_are_tried_by_several_leases_and_then_deleted() {
    let room = Room::with(GOOD);
    let objects = Tricky::default();
    block_on(async {
        let engine = room.engine(room.settings(PARTIAL, TWO), Arc::new(objects.clone()));
        let job = engine.submit(request()).await.unwrap().job.id;
        let gate = Gate::new();
        // Everything is stored by then; what fails is the reading that verifies it.
        objects.play(Trick::HangLater(Later::Read, Arc::clone(&gate)));
        let fail = async {
            gate.reached().await;
            assert!(!objects.paths().await.is_empty());
            objects.play(Trick::FailReads);
            gate.open.send_replace(true);
        };
        futures::future::join(work(&engine, &room.clock, job), fail).await;
        let out = outcome(&engine, job).await;
        assert_eq!(out.failure().0, "object_store");
        assert!(out.job.fence.0 > 1, "what cannot be read now is read by a later lease");
        assert!(objects.paths().await.is_empty());
    });
}

#[test]
fn an_object_that_vanished_is_never_published() {
    for at in [1, 2, 3] {
        let (out, forgot) = with(Trick::Forget(at));
        assert!(forgot);
        assert_eq!(out.failure().0, "object_lost", "object {at}");
    }
}
