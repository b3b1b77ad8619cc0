//! An operator stops a job.

use super::fixtures::{
    Snapshot, TTL, actions, caller, lease, new_job, new_request, packaging, planned, published,
    ready, start, start_held, tenant,
};
use super::leases::try_everything;
use crate::{
    Actor, Clock as _, IllegalMove, JobState, JobStore, Move, RequestId, RequestStatus, StoreError,
    TestClock, WorkerId,
};

/// Whatever an active job is at, it ends, and nothing that it collected is left but the names of its objects.
pub async fn a_cancelled_job_ends_at_once(store: &dyn JobStore, clock: &TestClock) {
    let waiting = start_held(store, "held@example.com").await;
    let job = store.cancel(&waiting.tenant, waiting.request, &caller()).await.expect("active");
    assert_eq!((job.id, job.state), (waiting.job, JobState::Cancelled));
    let left = store.lease_job(waiting.job, &WorkerId::generate(), TTL).await.expect("readable");
    assert!(left.is_none());

    let requested = start(store, "a@example.com").await;
    let of_requested = lease(store, &WorkerId::generate()).await;
    let (collecting, of_collecting) = planned(store, "b@example.com").await;
    let commit = crate::Commit { slices: vec![super::fixtures::slice(0, 0)], ..Default::default() };
    store.commit(&of_collecting, commit).await.expect("held");
    let (packing, of_packing) = packaging(store, "c@example.com").await;
    for (started, held) in
        [(requested, of_requested), (collecting, of_collecting), (packing, of_packing)]
    {
        let objects = store.objects(started.job).await.expect("readable");
        clock.advance(jiff::SignedDuration::from_secs(1));
        let (tenant, request) = (&started.tenant, started.request);
        let job = store.cancel(tenant, request, &Actor::Operator).await.expect("active");
        assert_eq!((job.id, job.state), (started.job, JobState::Cancelled));
        assert_eq!((job.updated_at, job.failure.is_none()), (clock.now(), true));
        let line = job.timeline.last().expect("it has a timeline");
        assert_eq!((line.actor.as_str(), line.notes.as_str()), ("operator", "cancelled"));
        let status = store.request(tenant, request).await.expect("found").status;
        assert_eq!(status, RequestStatus::Canceled);
        let newest = &store.audit_entries(1).await.expect("readable")[0];
        assert_eq!((newest.action.as_str(), newest.actor.as_str()), ("job.cancelled", "operator"));
        assert_eq!(newest.job, Some(job.id.to_string()));

        assert!(store.files(job.id).await.expect("readable").is_empty());
        for section in 0..2 {
            assert!(store.slices(job.id, section, 0, u32::MAX).await.expect("readable").is_empty());
            let entry = super::fixtures::entry(section);
            assert!(store.segments(job.id, &entry).await.expect("readable").is_empty());
        }
        assert_eq!(store.objects(job.id).await.expect("readable"), objects, "for the sweeper");
        try_everything(store, clock, job.id, &held).await;
        assert!(store.lease(&held.worker, TTL).await.expect("readable").is_none());
    }
    // The subject may ask again.
    start(store, "a@example.com").await;
}

/// What is not active, unknown or another tenant's is not cancelled.
pub async fn only_active_jobs_are_cancelled(store: &dyn JobStore, clock: &TestClock) {
    let refused = async |request, job, from| {
        let before = Snapshot::of(store, job).await;
        let answer = store.cancel(&tenant("acme"), request, &caller()).await;
        let expected = IllegalMove { from, what: Move::Cancel };
        assert!(
            matches!(&answer, Err(StoreError::IllegalMove(why)) if *why == expected),
            "{answer:?}"
        );
        assert!(before == Snapshot::of(store, job).await);
    };
    let (started, _) = ready(store, clock.now(), "a@example.com").await;
    refused(started.request, started.job, JobState::Ready).await;
    clock.advance(jiff::SignedDuration::from_hours(1));
    store.expire_if_due(started.job).await.expect("asked");
    refused(started.request, started.job, JobState::Expired).await;
    let (started, lease) = planned(store, "b@example.com").await;
    store.fail(&lease, "test", "").await.expect("held");
    refused(started.request, started.job, JobState::Failed).await;

    let active = store
        .create_request(new_request("globex", "a@example.com"), new_job())
        .await
        .expect("recorded");
    let (foreign, unknown) = (active.request.id, RequestId::generate());
    let before = Snapshot::of(store, active.job.id).await;
    for request in [foreign, unknown] {
        let answer = store.cancel(&tenant("acme"), request, &caller()).await;
        assert!(matches!(answer, Err(StoreError::NotFound { what: "request" })), "{answer:?}");
    }
    assert!(before == Snapshot::of(store, active.job.id).await);
}

/// Of two that cancel one does, and of a canceller and the worker that publishes one is too late.
pub async fn a_cancel_races_one_winner(store: &dyn JobStore, clock: &TestClock) {
    for round in 0..8 {
        let started = start(store, &format!("twice{round}@example.com")).await;
        let cancel = async || store.cancel(&started.tenant, started.request, &caller()).await;
        let (first, second) = tokio::join!(cancel(), cancel());
        let late = [first, second].into_iter().filter_map(Result::err).collect::<Vec<_>>();
        assert!(matches!(late[..], [StoreError::IllegalMove(_)]), "{late:?}");

        let (started, lease) = packaging(store, &format!("late{round}@example.com")).await;
        let cancel = store.cancel(&started.tenant, started.request, &Actor::Operator);
        let (cancelled, publication) =
            tokio::join!(cancel, store.publish(&lease, published(clock.now())));
        let state = store.job(started.job).await.expect("the job exists").state;
        let bundle = store.published(started.job).await.expect("readable");
        let won = match (&cancelled, &publication) {
            (Ok(_), Err(StoreError::LeaseLost { .. })) => Some((JobState::Cancelled, false)),
            (Err(StoreError::IllegalMove(_)), Ok(())) => Some((JobState::Ready, true)),
            _ => None,
        };
        assert_eq!(Some((state, bundle.is_some())), won, "{cancelled:?} {publication:?}");
    }
    let cancelled = actions(store).await.into_iter().filter(|action| action == "job.cancelled");
    let ready = actions(store).await.into_iter().filter(|action| action == "job.ready");
    assert_eq!(cancelled.count() + ready.count(), 16, "each job ended once");
}
