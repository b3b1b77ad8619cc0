//! From a request to its end.

use super::fixtures::{
    Snapshot, actions, caller, lease, new_job, new_request, packaging, planned, published, ready,
    start, tenant,
};
use crate::{
    Clock as _, Commit, Download, FenceToken, GRANT_BUNDLE, JobId, JobState, JobStore, RequestId,
    RequestStatus, StoreError, TestClock, WorkerId,
};

/// A request comes back as it was given.
pub async fn a_request_is_read_back_exactly(store: &dyn JobStore, clock: &TestClock) {
    let new = new_request("acme", "ada@example.com");
    let created = store.create_request(new.clone(), new_job()).await.expect("recorded");
    let read = store.request(&new.tenant, new.id).await.expect("found");
    assert_eq!(format!("{:?}", created.request), format!("{read:?}"));
    assert_eq!(read.details, new.details);
    assert_eq!(read.formats, new.formats);
    assert_eq!((read.family, read.scope), (new.family, new.scope));
    assert_eq!((read.is_test, read.is_silent), (new.is_test, new.is_silent));
    assert_eq!((read.action, read.subject_type), (new.action, new.subject_type));
    assert_eq!(read.status, RequestStatus::RequestMade);
    assert_eq!((read.created_at, read.updated_at), (clock.now(), clock.now()));
    let of_job = store.request_of(created.job.id).await.expect("found by its job");
    assert_eq!((of_job.id, of_job.details), (new.id, new.details));
    let job = store.latest_job(&new.tenant, new.id).await.expect("found");
    assert_eq!(job.id, created.job.id);
    assert_eq!((job.state, job.attempt, job.fence), (JobState::Requested, 1, FenceToken(0)));
    assert_eq!(job.wrapped_key, Some(vec![1, 2, 3]));
}

/// Status, timeline and audit log follow a job all the way.
pub async fn a_job_lives_to_its_delivery(store: &dyn JobStore, clock: &TestClock) {
    let started = start(store, "ada@example.com").await;
    let worker = WorkerId::generate();
    let lease = lease(store, &worker).await;
    let status = async || {
        let job = store.job(started.job).await.expect("the job exists");
        let request = store.request(&started.tenant, started.request).await.expect("found");
        (job.state, request.status)
    };
    assert_eq!(status().await, (JobState::Requested, RequestStatus::RequestMade));
    store.save_plan(&lease, b"plan", &[], &crate::Progress::default()).await.expect("planned");
    assert_eq!(status().await, (JobState::Collecting, RequestStatus::Compiling));
    store.start_packaging(&lease).await.expect("no section is open");
    assert_eq!(status().await, (JobState::Packaging, RequestStatus::Compiling));
    store.publish(&lease, published(clock.now())).await.expect("published");
    assert_eq!(status().await, (JobState::Ready, RequestStatus::Downloadable));
    let file = GRANT_BUNDLE.to_owned();
    let download = Download {
        job: started.job,
        file,
        actor: caller(),
        start: 0,
        sent: 12_345,
        complete: true,
    };
    store.record_download(download).await.expect("recorded");
    assert_eq!(status().await, (JobState::Delivered, RequestStatus::Completed));

    let job = store.job(started.job).await.expect("the job exists");
    let notes: Vec<&str> = job.timeline.iter().map(|line| line.notes.as_str()).collect();
    let leased = format!("leased by {worker}");
    assert_eq!(
        notes,
        ["recorded", &leased, "plan stored: 0 sections", "packaging", "ready", "downloaded"]
    );
    assert_eq!(job.progress.worker, Some(worker));
    assert_eq!(
        actions(store).await,
        [
            "request.created",
            "job.collecting",
            "job.packaging",
            "job.ready",
            "job.delivered",
            "bundle.downloaded"
        ]
    );
}

/// While a subject's job is active, the same tenant cannot ask the same again.
pub async fn a_second_open_request_is_a_duplicate(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "grace@example.com").await;
    // Its job is not active any more, so the subject may ask again.
    let again = start(store, "grace@example.com").await;
    assert_ne!(again.request, started.request);
    let twice = new_request("acme", " Grace@Example.com ");
    let refused = store.create_request(twice.clone(), new_job()).await;
    assert!(matches!(refused, Err(StoreError::Duplicate)), "the same person, spelt otherwise");
    assert!(store.request(&twice.tenant, twice.id).await.is_err(), "a duplicate is not recorded");
    for other in [
        new_request("globex", "grace@example.com"),
        new_request("acme", "hopper@example.com"),
        crate::NewRequest {
            action: "ERASURE".to_owned(),
            ..new_request("acme", "grace@example.com")
        },
        crate::NewRequest { subject_key: None, ..new_request("acme", "grace@example.com") },
    ] {
        store.create_request(other, new_job()).await.expect("not the same request");
    }
}

/// Another tenant's request does not exist.
pub async fn tenants_do_not_see_each_other(store: &dyn JobStore, _clock: &TestClock) {
    let started = start(store, "ada@example.com").await;
    let other = tenant("globex");
    let request = store.request(&other, started.request).await;
    assert!(matches!(request, Err(StoreError::NotFound { what: "request" })));
    let job = store.latest_job(&other, started.request).await;
    assert!(matches!(job, Err(StoreError::NotFound { what: "request" })));
}

/// What was never made is not found.
pub async fn unknown_ids_are_not_found(store: &dyn JobStore, _clock: &TestClock) {
    let (job, request) = (JobId::generate(), RequestId::generate());
    let acme = tenant("acme");
    assert!(matches!(store.job(job).await, Err(StoreError::NotFound { what: "job" })));
    assert!(matches!(store.request_of(job).await, Err(StoreError::NotFound { what: "job" })));
    assert!(matches!(store.expire_if_due(job).await, Err(StoreError::NotFound { what: "job" })));
    assert!(matches!(store.request(&acme, request).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.latest_job(&acme, request).await, Err(StoreError::NotFound { .. })));
    let grant = store.grant(crate::GrantId(uuid::Uuid::new_v4())).await;
    assert!(matches!(grant, Err(StoreError::NotFound { what: "grant" })));
    let key = store.revoke_api_key(crate::ApiKeyId(uuid::Uuid::new_v4())).await;
    assert!(matches!(key, Err(StoreError::NotFound { what: "API key" })));
    assert!(store.plan(job).await.expect("readable").is_none());
    assert!(store.published(job).await.expect("readable").is_none());
}

/// A worker that holds its job still cannot skip or repeat a step.
pub async fn illegal_moves_change_nothing(store: &dyn JobStore, clock: &TestClock) {
    let started = start(store, "ada@example.com").await;
    let requested = lease(store, &WorkerId::generate()).await;
    let before = Snapshot::of(store, started.job).await;
    let refused = [
        store.start_packaging(&requested).await,
        store.publish(&requested, published(clock.now())).await,
    ];
    assert!(refused.iter().all(|result| matches!(result, Err(StoreError::IllegalMove(_)))));
    assert!(before == Snapshot::of(store, started.job).await, "a REQUESTED job stays as it is");
    store.fail(&requested, "test", "").await.expect("a REQUESTED job can fail");

    let (started, collecting) = planned(store, "ada@example.com").await;
    let before = Snapshot::of(store, started.job).await;
    let refused = [
        store.publish(&collecting, published(clock.now())).await,
        store.start_packaging(&collecting).await,
        store.save_plan(&collecting, b"other", &[], &crate::Progress::default()).await,
    ];
    assert!(matches!(refused[0], Err(StoreError::IllegalMove(_))));
    assert!(matches!(refused[1], Err(StoreError::OutOfOrder { .. })), "sections are open");
    assert!(matches!(refused[2], Err(StoreError::OutOfOrder { .. })), "there is a plan");
    assert!(before == Snapshot::of(store, started.job).await, "a COLLECTING job stays as it is");
    store.fail(&collecting, "test", "").await.expect("a COLLECTING job can fail");

    let (started, packing) = packaging(store, "ada@example.com").await;
    let before = Snapshot::of(store, started.job).await;
    let refused = [
        store.save_plan(&packing, b"other", &[], &crate::Progress::default()).await,
        store.commit(&packing, Commit::default()).await,
        store.restart_section(&packing, 0).await,
    ];
    assert!(refused.iter().all(|result| matches!(result, Err(StoreError::IllegalMove(_)))));
    store.start_packaging(&packing).await.expect("packaging again is resuming");
    assert!(before == Snapshot::of(store, started.job).await, "a PACKAGING job stays as it is");
}

/// A failed job has a reason and nothing to download.
pub async fn a_failed_job_keeps_its_reason_only(store: &dyn JobStore, clock: &TestClock) {
    let (started, lease) = packaging(store, "ada@example.com").await;
    let objects = store.objects(started.job).await.expect("readable");
    store.fail(&lease, "silo_down", "no route to ada's row").await.expect("failed");
    let job = store.job(started.job).await.expect("the job exists");
    assert_eq!(job.state, JobState::Failed);
    let failure = job.failure.expect("a failed job says why");
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("silo_down", "no route to ada's row")
    );
    assert_eq!((failure.at, failure.worker.as_ref()), (clock.now(), Some(&lease.worker)));
    assert_eq!(job.timeline.last().map(|line| line.notes.as_str()), Some("failed: silo_down"));
    let request = store.request(&started.tenant, started.request).await.expect("found");
    assert_eq!(request.status, RequestStatus::Canceled);
    assert!(store.files(started.job).await.expect("readable").is_empty());
    for section in 0..2 {
        assert!(
            store.slices(started.job, section, 0, u32::MAX).await.expect("readable").is_empty()
        );
        let entry = super::fixtures::entry(section);
        assert!(store.segments(started.job, &entry).await.expect("readable").is_empty());
    }
    assert_eq!(store.objects(started.job).await.expect("readable"), objects, "for the sweeper");
    assert!(!objects.is_empty());
    assert!(store.lease(&lease.worker, super::fixtures::TTL).await.expect("readable").is_none());
}
