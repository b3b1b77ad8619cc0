//! Every state at every endpoint: what the contract answers, and what stays as it was.

use std::time::Duration;

use antumbra_jobs::{Lease, NewSection, Progress, RequestId, TenantId, WorkerId};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use super::compliance_support::{DSAR, Walk, refused};

const STATES: [&str; 8] = [
    "REQUESTED",
    "COLLECTING",
    "PACKAGING",
    "READY",
    "DELIVERED",
    "EXPIRED",
    "FAILED",
    "CANCELLED",
];

/// The statuses of: look, run, download, cancel; each on a job of its own.
const fn expected(state: &str) -> [u16; 4] {
    match state.as_bytes() {
        b"REQUESTED" => [200, 200, 409, 200],
        b"COLLECTING" | b"PACKAGING" => [200, 409, 409, 200],
        b"READY" | b"DELIVERED" => [200, 409, 200, 409],
        _ => [200, 409, 409, 409],
    }
}

#[tokio::test]
async fn every_endpoint_answers_by_the_state_of_the_job() {
    let walk = Walk::new().await;
    for state in STATES {
        for (call, expected) in ["", "run", "download", "cancel"].into_iter().zip(expected(state)) {
            let id = in_state(&walk, state).await;
            let method = if matches!(call, "" | "download") { Method::GET } else { Method::POST };
            let path = format!("{DSAR}/{id}/{call}");
            let answer = walk.ask(method, path.trim_end_matches('/'), "").await;
            assert_eq!(answer.status.as_u16(), expected, "{state} {call}");
            walk.recorded().await;
            let after = walk.job(&id).await.state;
            if expected == 409 {
                let fault = refused(&answer, StatusCode::CONFLICT, "INVALID_STATE");
                assert_eq!(fault.context, json!({ "state": state }), "{state} {call}");
                assert_eq!(after, state, "{call} changed the job");
            } else {
                let moved = match (state, call) {
                    (_, "run") => "READY",
                    (_, "cancel") => "CANCELLED",
                    ("READY", "download") => "DELIVERED",
                    _ => state,
                };
                assert_eq!(after, moved, "{state} {call}");
            }
        }
    }
}

/// Makes a job and brings it to a state.
async fn in_state(walk: &Walk, state: &str) -> String {
    let id = walk.person().await.id;
    match state {
        "REQUESTED" => {}
        "COLLECTING" => drop(collecting(walk, &id).await),
        "PACKAGING" => {
            let lease = collecting(walk, &id).await;
            walk.rig.store().start_packaging(&lease).await.unwrap();
        }
        "FAILED" => {
            let lease = leased(walk, &id).await;
            walk.rig.store().fail(&lease, "silo_failed", "p-1 is broken").await.unwrap();
        }
        "CANCELLED" => assert_eq!(walk.cancel(&id).await.status, StatusCode::OK),
        _ => {
            assert_eq!(walk.run(&id).await.status, StatusCode::OK);
            if state == "DELIVERED" {
                assert_eq!(walk.download(&id).await.status, StatusCode::OK);
                walk.recorded().await;
            }
            if state == "EXPIRED" {
                walk.rig.clock.advance(SignedDuration::from_hours(8 * 24));
            }
        }
    }
    assert_eq!(walk.job(&id).await.state, state);
    id
}

async fn leased(walk: &Walk, id: &str) -> Lease {
    let request: RequestId = id.trim_start_matches("dsar:").parse().unwrap();
    let store = walk.rig.store();
    let job = store.latest_job(&TenantId::new("acme").unwrap(), request).await.unwrap();
    let hour = Duration::from_secs(3600);
    store.lease_job(job.id, &WorkerId::generate(), hour).await.unwrap().unwrap()
}

/// A job without sections: nothing is left to collect.
async fn collecting(walk: &Walk, id: &str) -> Lease {
    let lease = leased(walk, id).await;
    let sections: [NewSection; 0] = [];
    walk.rig.store().save_plan(&lease, b"{}", &sections, &Progress::default()).await.unwrap();
    lease
}

#[tokio::test]
async fn a_failure_is_told_in_names_and_fixed_words() {
    let walk = Walk::new().await;
    let id = in_state(&walk, "FAILED").await;
    let job = walk.job(&id).await;
    let failure = job.failure.unwrap();
    assert!(failure.message.starts_with("silo_failed: "), "{}", failure.message);
    assert!(!failure.message.contains("p-1"), "what a silo said may be personal");
    assert_eq!(failure.failed_at, job.updated_at);
    assert_eq!(failure.worker_id, job.progress.map(|progress| progress.worker_id));
}

#[tokio::test]
async fn a_lost_artifact_is_412_until_another_run_made_it_again() {
    for delivered in [false, true] {
        let walk = Walk::new().await;
        let state = if delivered { "DELIVERED" } else { "READY" };
        let id = in_state(&walk, state).await;
        let before = walk.job(&id).await.delivery.unwrap();
        walk.lose_objects().await;
        for method in [Method::GET, Method::HEAD] {
            let answer = walk.ask(method, &format!("{DSAR}/{id}/download"), "").await;
            assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED);
        }
        let fault =
            refused(&walk.download(&id).await, StatusCode::PRECONDITION_FAILED, "ARTIFACT_GONE");
        assert!(fault.message.contains("run the job again"), "{}", fault.message);
        assert_eq!(walk.job(&id).await.state, state, "being asked changes nothing");

        assert_eq!(walk.run(&id).await.status, StatusCode::OK);
        let again = walk.job(&id).await;
        assert_eq!((again.state.as_str(), again.id.as_str()), ("READY", id.as_str()));
        let delivery = again.delivery.unwrap();
        assert_ne!(delivery.bundle_r2_key, before.bundle_r2_key);
        assert_eq!(delivery.downloaded_at, None);
        assert_eq!(walk.download(&id).await.status, StatusCode::OK);
        walk.recorded().await;
        assert_eq!(walk.job(&id).await.state, "DELIVERED");
        // Nobody needs a third.
        refused(&walk.run(&id).await, StatusCode::CONFLICT, "INVALID_STATE");
    }
}

#[tokio::test]
async fn a_bundle_ends_seven_days_after_it_was_ready_and_its_link_with_it() {
    let walk = Walk::new().await;
    let job = walk.ready().await;
    let end = job.delivery.as_ref().unwrap().expires_at;
    let left = end.duration_since(walk.rig.shared.now());
    walk.rig.clock.advance(left - SignedDuration::from_secs(1));
    assert_eq!(walk.job(&job.id).await.state, "READY");
    walk.rig.clock.advance(SignedDuration::from_secs(1));
    let ended = walk.job(&job.id).await;
    assert_eq!(ended.state, "EXPIRED");
    let delivery = ended.delivery.unwrap();
    assert_eq!((delivery.bundle_url, delivery.expires_at), (None, end));
    assert!(ended.timeline.len() > job.timeline.len());
    // Also when nobody looked at it before, and when it was downloaded.
    for state in ["READY", "DELIVERED"] {
        let fresh = Walk::new().await;
        let id = in_state(&fresh, state).await;
        fresh.rig.clock.advance(SignedDuration::from_hours(8 * 24));
        let fault = refused(&fresh.download(&id).await, StatusCode::CONFLICT, "INVALID_STATE");
        assert_eq!(fault.context, json!({ "state": "EXPIRED" }));
        assert_eq!(fresh.job(&id).await.state, "EXPIRED");
    }
}
