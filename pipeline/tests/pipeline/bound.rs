//! A request that is bound to a plan: what is read is what the plan says, or nothing is.

use std::sync::Arc;

use antumbra_jobs::{ExpectedPlan, NewRequest};
use antumbra_pipeline::Engine;

use crate::flaky::{Fault, Flaky};
use crate::room::{Outcome, Room, block_on, finish, request};
use crate::store::{Gate, Tricky};

const TABLE: &str = "create table t (id integer primary key, email text, customer integer);
    insert into t values (1, 'ada@example.com', 7), (2, 'ada@example.com', 7);";
const POINT: &str =
    "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n";
/// A section that fails does not fail the job; a plan that changed does.
const QUICK: &str =
    "[export]\non_silo_error = \"partial\"\nsilo_backoff = \"1ms\"\nsilo_attempts = 3\n";

async fn bound(engine: &Engine) -> NewRequest {
    let mut request = request();
    let outline = engine.preview(&request).await.unwrap();
    let hash = outline.plan_hash.unwrap();
    request.details.expected_plan = Some(ExpectedPlan { hash, parts: outline.plan_parts });
    request
}

/// Runs a job whose silo is lost at its first row and comes back with another column.
fn changed_meanwhile(is_bound: bool) -> Outcome {
    let room = Room::with(TABLE);
    let settings = room.settings(QUICK, POINT);
    let gate = Gate::new();
    let faults = [Fault::Read("t", 0), Fault::HangConnect(Arc::clone(&gate))];
    let (_, silos) = Flaky::before(&settings, faults);
    block_on(async {
        let engine = room.engine_with(settings, Arc::new(Tricky::default()), None, silos);
        let request = if is_bound { bound(&engine).await } else { request() };
        let job = engine.submit(request).await.unwrap().job.id;
        let change = async {
            gate.reached().await;
            room.silo().execute_batch("alter table t add column more text").unwrap();
            gate.open.send_replace(true);
        };
        let work = finish(&engine, &room.clock, job);
        futures::future::join(work, change).await.0
    })
}

#[test]
fn a_section_that_changed_while_its_silo_was_away_is_not_read() {
    let (code, message) = changed_meanwhile(true).failure();
    assert_eq!(code, "plan_changed");
    assert!(message.contains("shop/t changed"), "{message}");
    // Nobody said what an unbound request may read.
    assert_eq!(changed_meanwhile(false).section("t").columns.len(), 4);
}

#[test]
fn a_silo_that_is_away_for_a_moment_changes_no_plan() {
    for (faults, expected) in [(2, None), (3, Some("silo_failed"))] {
        let room = Room::with(TABLE);
        let settings = room.settings(QUICK, POINT);
        let (flaky, silos) = Flaky::before(&settings, []);
        let out = block_on(async {
            let engine = room.engine_with(settings, Arc::new(Tricky::default()), None, silos);
            let request = bound(&engine).await;
            flaky.fail((0..faults).map(|_| Fault::Describe));
            let job = engine.submit(request).await.unwrap().job.id;
            finish(&engine, &room.clock, job).await
        });
        assert!(flaky.is_over());
        let failed = out.job.failure.as_ref().map(|failure| failure.code.as_str());
        assert_eq!(failed, expected, "{faults}");
    }
}
