//! Jobs that wait for their start, caps, and second attempts.

use jiff::SignedDuration;

use super::fixtures::{
    HOUR, Snapshot, TTL, actions, caller, lease, new_job, new_request, next_job, packaging,
    planned, published, ready, start, start_held, tenant,
};
use crate::{
    Actor, Clock as _, Created, Download, Family, FenceToken, GRANT_BUNDLE, IllegalMove, JobId,
    JobState, JobStore, Move, NewGrant, NewRequest, RequestId, RequestStatus, StoreError,
    TestClock, WorkerId,
};

/// A held job is given to nobody but who asks for it by name; then it is like any other.
pub async fn a_held_job_waits_for_its_start(store: &dyn JobStore, clock: &TestClock) {
    let held = start_held(store, "ada@example.com").await;
    assert!(store.job(held.job).await.expect("the job exists").held);
    let (worker, other) = (WorkerId::generate(), WorkerId::generate());
    assert!(store.lease(&worker, TTL).await.expect("readable").is_none());
    let free = start(store, "grace@example.com").await;
    assert_eq!(lease(store, &worker).await.job, free.job, "it holds up nobody");

    let taken = store.lease_job(held.job, &worker, TTL).await.expect("readable").expect("free");
    assert_eq!((taken.job, &taken.tenant, &taken.worker), (held.job, &held.tenant, &worker));
    assert_eq!(taken.fence, FenceToken(1));
    assert_eq!(taken.until, clock.now().checked_add(TTL).expect("in range"));
    let job = store.job(held.job).await.expect("the job exists");
    assert!(!job.held);
    assert_eq!(job.progress.worker.as_ref(), Some(&worker));
    assert_eq!(
        job.timeline.last().map(|line| line.notes.clone()),
        Some(format!("leased by {worker}"))
    );
    assert!(store.lease_job(held.job, &other, TTL).await.expect("readable").is_none());
    store.release(&taken).await.expect("held");
    assert_eq!(lease(store, &other).await.job, held.job, "whoever is free goes on");
}

/// Only a REQUESTED job that nobody holds can be started by name.
pub async fn only_a_free_requested_job_is_started(store: &dyn JobStore, clock: &TestClock) {
    let worker = WorkerId::generate();
    let refused = async |job| {
        let before = Snapshot::of(store, job).await;
        let got = store.lease_job(job, &worker, TTL).await.expect("readable");
        assert!(got.is_none(), "{got:?}");
        assert!(before == Snapshot::of(store, job).await);
    };
    let started = start(store, "ada@example.com").await;
    let first = lease(store, &WorkerId::generate()).await;
    refused(started.job).await;
    clock.advance(SignedDuration::from_secs(30));
    let second = store.lease_job(started.job, &worker, TTL).await.expect("readable");
    let second = second.expect("the first lease is over");
    assert_eq!(second.fence, FenceToken(2));
    let lost = store.heartbeat(&first, TTL).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost { .. })));
    store.fail(&second, "test", "").await.expect("held");
    refused(started.job).await;

    let (collecting, lease) = planned(store, "b@example.com").await;
    store.release(&lease).await.expect("held");
    refused(collecting.job).await;
    store.cancel(&collecting.tenant, collecting.request, &caller()).await.expect("active");
    refused(collecting.job).await;
    let (packing, lease) = packaging(store, "c@example.com").await;
    store.release(&lease).await.expect("held");
    refused(packing.job).await;
    store.cancel(&packing.tenant, packing.request, &caller()).await.expect("active");
    let (ready, _) = ready(store, clock.now(), "d@example.com").await;
    refused(ready.job).await;
    let unknown = store.lease_job(JobId::generate(), &worker, TTL).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "job" })));
}

/// Of two that start the same job one gets it; of a starter and a worker too.
pub async fn two_starts_have_one_winner(store: &dyn JobStore, _clock: &TestClock) {
    let (one, two) = (WorkerId::generate(), WorkerId::generate());
    for round in 0..8 {
        let held = start_held(store, &format!("held{round}@example.com")).await;
        let (first, second) = tokio::join!(
            store.lease_job(held.job, &one, TTL),
            store.lease_job(held.job, &two, TTL)
        );
        let won = [first, second].into_iter().filter_map(|got| got.expect("readable"));
        assert_eq!(won.count(), 1);

        let free = start(store, &format!("free{round}@example.com")).await;
        let (first, second) =
            tokio::join!(store.lease(&one, TTL), store.lease_job(free.job, &two, TTL));
        let won = [first, second].into_iter().filter_map(|got| got.expect("readable"));
        assert_eq!(won.map(|lease| lease.job).collect::<Vec<_>>(), [free.job]);
    }
}

/// A tenant has no more active jobs of a contract than it may have; ended ones make room.
pub async fn a_tenant_has_no_more_active_jobs_than_its_limit(
    store: &dyn JobStore,
    clock: &TestClock,
) {
    let limited = |tenant_name: &str, email: &str| NewRequest {
        family: Family::Compliance,
        active_limit: Some(2),
        ..new_request(tenant_name, email)
    };
    let create = async |request: NewRequest| store.create_request(request, new_job()).await;
    // What came through the other contract, or belongs to another tenant, does not count.
    start(store, "sombra@example.com").await;
    create(limited("globex", "a@example.com")).await.expect("another tenant");
    let first = create(limited("acme", "a@example.com")).await.expect("the first of two");
    create(limited("acme", "b@example.com")).await.expect("the second of two");
    let refused = limited("acme", "c@example.com");
    let before = actions(store).await;
    let answer = create(refused.clone()).await;
    assert!(matches!(answer, Err(StoreError::TooManyActive { limit: 2 })), "{answer:?}");
    assert_eq!(actions(store).await, before, "a refused request is not recorded");
    assert!(store.request(&refused.tenant, refused.id).await.is_err());
    let duplicate = create(limited("acme", "a@example.com")).await;
    assert!(matches!(duplicate, Err(StoreError::Duplicate)), "{duplicate:?}");
    let none = NewRequest { active_limit: Some(0), ..limited("initech", "a@example.com") };
    assert!(matches!(create(none).await, Err(StoreError::TooManyActive { limit: 0 })));
    let any = NewRequest { active_limit: None, ..limited("acme", "c@example.com") };
    let third = create(any).await.expect("no limit was asked for");

    store.cancel(&first.request.tenant, first.request.id, &caller()).await.expect("active");
    assert!(create(limited("acme", "d@example.com")).await.is_err(), "two are still active");
    let taken = store.lease_job(third.job.id, &WorkerId::generate(), TTL).await.expect("readable");
    store
        .save_plan(&taken.clone().expect("free"), b"", &[], &crate::Progress::default())
        .await
        .expect("held");
    let taken = taken.expect("free");
    assert!(create(limited("acme", "d@example.com")).await.is_err(), "COLLECTING is active");
    store.start_packaging(&taken).await.expect("held");
    store.publish(&taken, published(clock.now())).await.expect("held");
    create(limited("acme", "d@example.com")).await.expect("READY is not active");
}

/// Eight callers at once: as many succeed as there is room for.
pub async fn racing_requests_respect_the_limit(store: &dyn JobStore, _clock: &TestClock) {
    let create = async |number: u8| -> Result<Created, StoreError> {
        let request = NewRequest {
            subject_key: None,
            active_limit: Some(3),
            ..new_request("acme", &format!("p{number}@example.com"))
        };
        store.create_request(request, new_job()).await
    };
    let answers: [Result<Created, StoreError>; 8] = tokio::join!(
        create(0),
        create(1),
        create(2),
        create(3),
        create(4),
        create(5),
        create(6),
        create(7)
    )
    .into();
    let refused =
        |answer: &Result<_, _>| matches!(answer, Err(StoreError::TooManyActive { limit: 3 }));
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    assert_eq!(answers.iter().filter(|answer| refused(answer)).count(), 5, "{answers:?}");
    let created = actions(store).await.into_iter().filter(|action| action == "request.created");
    assert_eq!(created.count(), 3);
}

/// A bundle whose objects are lost gets another job; the old one is over, for its grants too.
pub async fn lost_bundles_are_made_again(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    let file = GRANT_BUNDLE.to_owned();
    let (job, actor) = (started.job, caller());
    let download = Download { job, file: file.clone(), actor, start: 0, sent: 1, complete: true };
    store.record_download(download).await.expect("recorded");
    let granted = NewGrant {
        tenant: started.tenant.clone(),
        request: started.request,
        job: started.job,
        files: vec![file],
        ttl: HOUR,
        actor: caller(),
    };
    let grant = store.grants(granted).await.expect("granted").remove(0);
    clock.advance(SignedDuration::from_secs(5));

    let new = crate::NewJob { wrapped_key: vec![4, 5], held: true, ..new_job() };
    let next = crate::NextJob { job: new.clone(), actor: Actor::Operator, ..next_job() };
    let lease = store.create_job(&started.tenant, started.request, next).await.expect("DELIVERED");
    let second = store.job(lease.job).await.expect("the job exists");
    assert_eq!((second.id, second.attempt, second.state), (new.id, 2, JobState::Requested));
    assert_eq!((second.held, second.wrapped_key.as_deref()), (false, Some(&[4, 5][..])));
    assert_eq!((second.request, second.created_at), (started.request, clock.now()));
    let latest = store.latest_job(&started.tenant, started.request).await.expect("found");
    assert_eq!(latest.id, second.id);
    let request = store.request(&started.tenant, started.request).await.expect("found");
    assert_eq!((request.status, request.updated_at), (RequestStatus::RequestMade, clock.now()));
    let first = store.job(started.job).await.expect("the job exists");
    assert_eq!(first.state, JobState::Expired);
    let line = first.timeline.last().expect("it has a timeline");
    assert_eq!(
        (line.actor.as_str(), line.notes.as_str()),
        ("operator", "expired: its objects are lost")
    );
    let grant = store.grant(grant.id).await.expect("still known");
    assert_eq!(grant.revoked_at, Some(clock.now()));
    let newest = store.audit_entries(2).await.expect("readable");
    assert_eq!(
        (newest[1].action.as_str(), newest[0].action.as_str()),
        ("job.expired", "job.requested")
    );
    assert_eq!(newest[0].facts.get("attempt").map(String::as_str), Some("2"));
    assert_eq!(newest[0].job, Some(second.id.to_string()));
    assert!(newest.iter().all(|entry| entry.actor == "operator" && entry.subject.is_some()));

    // It counts as an open request of its subject, and works like a first job.
    let again = store.create_request(new_request("acme", "ada@example.com"), new_job()).await;
    assert!(matches!(again, Err(StoreError::Duplicate)));
    let other = WorkerId::generate();
    assert!(store.lease_job(second.id, &other, TTL).await.expect("readable").is_none());
    store.save_plan(&lease, b"", &[], &crate::Progress::default()).await.expect("held");
    let request = store.request(&started.tenant, started.request).await.expect("found");
    assert_eq!(request.status, RequestStatus::Compiling);
}

/// A job made again counts like a first one, and one too many leaves the old one as it was.
pub async fn jobs_made_again_are_limited_too(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    start(store, "busy@example.com").await;
    let again = async |limit| {
        let next = crate::NextJob { active_limit: Some(limit), ..next_job() };
        store.create_job(&started.tenant, started.request, next).await
    };
    let before = Snapshot::of(store, started.job).await;
    let refused = again(1).await;
    assert!(matches!(refused, Err(StoreError::TooManyActive { limit: 1 })), "{refused:?}");
    assert!(before == Snapshot::of(store, started.job).await);
    let lease = again(2).await.expect("one more fits");
    assert_eq!(store.job(lease.job).await.expect("the job exists").attempt, 2);
}

/// No other job is followed by one, nor another tenant's.
pub async fn only_a_published_job_is_followed_by_another(store: &dyn JobStore, clock: &TestClock) {
    let again = async |request: RequestId, whose: &str| {
        store.create_job(&tenant(whose), request, next_job()).await
    };
    let refused = async |request, job, from| {
        let before = Snapshot::of(store, job).await;
        let answer = again(request, "acme").await;
        let expected = IllegalMove { from, what: Move::Expire };
        assert!(
            matches!(&answer, Err(StoreError::IllegalMove(why)) if *why == expected),
            "{answer:?}"
        );
        assert!(before == Snapshot::of(store, job).await);
    };
    let started = start(store, "a@example.com").await;
    refused(started.request, started.job, JobState::Requested).await;
    store.cancel(&started.tenant, started.request, &caller()).await.expect("active");
    refused(started.request, started.job, JobState::Cancelled).await;
    let (started, lease) = planned(store, "b@example.com").await;
    refused(started.request, started.job, JobState::Collecting).await;
    store.fail(&lease, "test", "").await.expect("held");
    refused(started.request, started.job, JobState::Failed).await;
    let (started, lease) = packaging(store, "c@example.com").await;
    refused(started.request, started.job, JobState::Packaging).await;
    store.publish(&lease, published(clock.now())).await.expect("held");

    let foreign = again(started.request, "globex").await;
    assert!(matches!(foreign, Err(StoreError::NotFound { what: "request" })));
    let unknown = again(RequestId::generate(), "acme").await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "request" })));
    clock.advance(SignedDuration::from_hours(1));
    refused(started.request, started.job, JobState::Expired).await;
    assert_eq!(store.expire_if_due(started.job).await.expect("asked"), JobState::Expired);
    refused(started.request, started.job, JobState::Expired).await;

    let (started, _) = ready(store, clock.now(), "d@example.com").await;
    let (first, second) =
        tokio::join!(again(started.request, "acme"), again(started.request, "acme"));
    assert_eq!([first, second].iter().filter(|answer| answer.is_ok()).count(), 1);
}
