//! One synchronous walk: races, clients that leave, daemons that stop, storages and silos that fail.

use std::sync::Arc;

use antumbra_jobs::WorkerId;
use http::StatusCode;
use object_store::local::LocalFileSystem;
use serde_json::json;

use super::compliance_jobs::golden;
use super::compliance_support::{DSAR, Done, Walk, decode, refused};

#[tokio::test]
async fn a_run_walks_to_ready_and_reports_what_was_found() {
    let walk = Walk::new().await;
    let id = walk.person().await.id;
    // The body is ignored, whatever it is.
    let answer = walk.ask(http::Method::POST, &format!("{DSAR}/{id}/run"), "{oops").await;
    let Done { job, audit_report: report } = decode(&answer);
    golden(&answer.json(), include_str!("../../../golden/compliance_run.json"), &job);
    assert_eq!((job.state.as_str(), job.id.as_str()), ("READY", id.as_str()));
    assert_eq!((report.job_id.as_str(), report.org_id.as_str()), (id.as_str(), "acme"));
    assert_eq!((report.requested_by, report.requested_at), (job.requested_by, job.created_at));
    let counts: Vec<_> =
        report.section_counts.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
    assert_eq!(counts, ["shop/orders 3", "shop/returns 0", "shop/tickets 2"]);
    assert_eq!(report.total_records, 5);
    let expected = [
        "shop/orders: column card dropped (2 values)",
        "shop/rates: left out: it is configuration, not data of a person",
        "shop/calls: unreachable: no value of phone is known",
    ];
    assert_eq!(report.redaction_notes, expected);
}

#[tokio::test]
async fn a_tenants_export_has_everybody_and_its_configuration() {
    let walk = Walk::new().await;
    let id = walk.create(&json!({ "scope": { "kind": "TENANT_FULL" } })).await.id;
    let report = decode::<Done>(&walk.run(&id).await).audit_report;
    let counts: Vec<_> =
        report.section_counts.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
    let expected =
        ["shop/calls 0", "shop/orders 4", "shop/rates 1", "shop/returns 1", "shop/tickets 3"];
    assert_eq!(counts, expected);
    assert_eq!(report.total_records, 9);
}

#[tokio::test]
async fn of_two_runs_one_wins_and_the_other_is_told_the_state() {
    let walk = Walk::new().await;
    for _ in 0..5 {
        let id = walk.person().await.id;
        let (one, other) = tokio::join!(walk.run(&id), walk.run(&id));
        let (won, lost) = if one.status == StatusCode::OK { (one, other) } else { (other, one) };
        assert_eq!(decode::<Done>(&won).job.state, "READY");
        let fault = refused(&lost, StatusCode::CONFLICT, "INVALID_STATE");
        let state = fault.context["state"].as_str().unwrap();
        assert!(["REQUESTED", "COLLECTING", "PACKAGING", "READY"].contains(&state), "{state}");
        assert_eq!(walk.job(&id).await.state, "READY");
    }
}

#[tokio::test]
async fn a_run_that_loses_to_a_worker_is_told_so() {
    let walk = Walk::with(|settings| settings.compliance.autostart = true).await;
    let id = walk.person().await.id;
    let worker = WorkerId::generate();
    let minute = std::time::Duration::from_secs(60);
    let lease = walk.rig.store().lease(&worker, minute).await.unwrap().unwrap();
    refused(&walk.run(&id).await, StatusCode::CONFLICT, "INVALID_STATE");
    let progress = walk.job(&id).await.progress.unwrap();
    assert_eq!(progress.worker_id, worker.as_str());
    assert_eq!(progress.last_heartbeat_at, walk.rig.shared.now());
    walk.rig.clock.advance(jiff::SignedDuration::from_secs(5));
    walk.rig.store().heartbeat(&lease, minute).await.unwrap();
    let beat = walk.job(&id).await.progress.unwrap().last_heartbeat_at;
    assert_eq!(beat, walk.rig.shared.now());
}

#[tokio::test]
async fn a_job_waits_for_its_run_unless_jobs_start_by_themselves() {
    let minute = std::time::Duration::from_secs(60);
    for autostart in [false, true] {
        let walk = Walk::with(|settings| settings.compliance.autostart = autostart).await;
        walk.person().await;
        let lease = walk.rig.store().lease(&WorkerId::generate(), minute).await.unwrap();
        assert_eq!(lease.is_some(), autostart);
    }
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_run() {
    let walk = Walk::new().await;
    let id = walk.person().await.id;
    {
        let mut run = Box::pin(walk.run(&id));
        loop {
            tokio::select! {
                biased;
                answer = &mut run => {
                    assert_eq!(answer.status, StatusCode::OK);
                    break;
                }
                () = tokio::task::yield_now() => {}
            }
            if walk.job(&id).await.progress.is_some() {
                break;
            }
        }
    }
    walk.recorded().await;
    assert_eq!(walk.job(&id).await.state, "READY");
}

#[tokio::test]
async fn a_daemon_that_stops_puts_the_run_down_and_a_worker_can_go_on() {
    let walk = Walk::new().await;
    let id = walk.person().await.id;
    walk.rig.shutdown.cancel();
    let fault = refused(&walk.run(&id).await, StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE");
    let state = fault.context["job"]["state"].as_str().unwrap();
    assert!(["REQUESTED", "COLLECTING", "PACKAGING"].contains(&state), "{state}");
    assert_eq!(fault.context["job"]["id"], id);
    let minute = std::time::Duration::from_secs(60);
    let lease = walk.rig.store().lease(&WorkerId::generate(), minute).await.unwrap();
    assert!(lease.is_some(), "the lease was not given back");
}

#[tokio::test]
async fn a_storage_that_fails_is_500_with_the_failed_job() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("objects");
    std::fs::create_dir(&place).unwrap();
    let objects = LocalFileSystem::new_with_prefix(&place).unwrap();
    let walk = Walk::with_objects(|_| {}, Some(Arc::new(objects))).await;
    let id = walk.person().await.id;
    std::fs::remove_dir(&place).unwrap();
    std::fs::write(&place, "in the way").unwrap();
    let answer = walk.run(&id).await;
    let fault = refused(&answer, StatusCode::INTERNAL_SERVER_ERROR, "PACKAGE_WRITE_FAILED");
    let job = walk.job(&id).await;
    assert_eq!(job.state, "FAILED");
    assert_eq!(fault.context["job"], walk.get(&format!("{DSAR}/{id}")).await.json()["data"]["job"]);
    assert!(job.failure.as_ref().unwrap().message.starts_with("package_write_failed"));
    golden(&answer.json(), include_str!("../../../golden/compliance_error.json"), &job);
}

#[tokio::test]
async fn a_silo_that_fails_is_500_with_the_failed_job() {
    let walk = Walk::new().await;
    let id = walk.person().await.id;
    walk.shop().execute_batch("drop table tickets").unwrap();
    let fault = refused(&walk.run(&id).await, StatusCode::INTERNAL_SERVER_ERROR, "RUN_FAILED");
    assert_eq!(fault.context["job"]["state"], "FAILED");
    let failure = walk.job(&id).await.failure.unwrap();
    assert!(failure.message.starts_with("silo_failed"), "{}", failure.message);
}

#[tokio::test]
async fn a_cancelled_job_is_left_as_it_is_and_its_objects_are_gone() {
    let walk = Walk::new().await;
    let id = walk.person().await.id;
    let (run, cancel) = tokio::join!(walk.run(&id), async {
        while walk.job(&id).await.progress.is_none() {
            tokio::task::yield_now().await;
        }
        walk.cancel(&id).await
    });
    // Either of them may have been quicker, but not both.
    let state = walk.job(&id).await.state;
    if cancel.status == StatusCode::OK {
        assert_eq!(state, "CANCELLED");
        let fault = refused(&run, StatusCode::CONFLICT, "INVALID_STATE");
        assert_eq!(fault.context["state"], "CANCELLED");
        use futures::TryStreamExt as _;
        use object_store::ObjectStore as _;
        let left: Vec<_> = walk.rig.objects.list(None).try_collect().await.unwrap();
        assert_eq!(left.len(), 0);
    } else {
        assert_eq!((run.status, state.as_str()), (StatusCode::OK, "READY"));
        refused(&cancel, StatusCode::CONFLICT, "INVALID_STATE");
    }
}
