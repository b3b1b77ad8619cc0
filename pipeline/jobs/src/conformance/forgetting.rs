//! What the sweeper asks for, and what is left when it was there.

use jiff::{SignedDuration, Timestamp};

use super::fixtures::{
    HOUR, Snapshot, Started, actions, caller, entry, new_job, new_request, next_job, packaging,
    planned, published, ready, start, tenant,
};
use crate::{
    Actor, Clock as _, Delivery, GRANT_BUNDLE, Grant, JobId, JobState, JobStore, NewGrant,
    RequestDetails, RequestStatus, SectionState, StoreError, TestClock,
};

/// All jobs past their time expire with their grants, the longest past first, each once.
pub async fn everything_due_expires(store: &dyn JobStore, clock: &TestClock) {
    let mut due = Vec::new();
    for name in ["a", "b", "c"] {
        let (started, _) = ready(store, clock.now(), &format!("{name}@example.com")).await;
        due.push(started.job);
        clock.advance(SignedDuration::from_secs(1));
    }
    let (later, _) = ready(store, clock.now(), "later@example.com").await;
    let granted = grant(store, &later).await;
    let (working, _) = planned(store, "working@example.com").await;
    clock.advance(SignedDuration::from_secs(3599));
    assert_eq!(store.expire_due(2).await.expect("swept"), due[..2]);
    assert_eq!(store.expire_due(2).await.expect("swept"), due[2..]);
    assert!(store.expire_due(2).await.expect("swept").is_empty());
    for job in due {
        let job = store.job(job).await.expect("the job exists");
        assert_eq!(job.state, JobState::Expired);
        let line = job.timeline.last().expect("it has a timeline");
        assert_eq!((line.actor.as_str(), line.notes.as_str()), ("system", "expired"));
    }
    assert_eq!(store.grant(granted.id).await.expect("found").revoked_at, None);
    clock.advance(SignedDuration::from_secs(1));
    let fresh = grant(store, &later).await;
    assert_eq!(store.expire_due(9).await.expect("swept"), [later.job]);
    let revoked = store.grant(fresh.id).await.expect("still known").revoked_at;
    assert_eq!(revoked, Some(clock.now()));
    let newest = &store.audit_entries(1).await.expect("readable")[0];
    assert_eq!(newest.facts.get("grants_revoked").map(String::as_str), Some("1"));
    let expired = actions(store).await.into_iter().filter(|action| action == "job.expired");
    assert_eq!(expired.count(), 4, "once for each job");
    assert_eq!(store.job(working.job).await.expect("found").state, JobState::Collecting);
}

/// A forgotten job has no key and no data, keeps its story, and is forgotten once.
pub async fn a_forgotten_job_keeps_its_story_only(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    clock.advance(SignedDuration::from_mins(1));
    let grant = grant(store, &started).await;
    clock.advance(SignedDuration::from_mins(59));
    store.expire_if_due(started.job).await.expect("asked");
    let before = store.job(started.job).await.expect("the job exists");
    assert!(!store.objects(started.job).await.expect("readable").is_empty());
    clock.advance(SignedDuration::from_mins(1));
    store.forget_job(started.job).await.expect("it has ended");

    let job = store.job(started.job).await.expect("the job is still known");
    assert_eq!((job.state, job.wrapped_key), (JobState::Expired, None));
    let delivery = before.delivery.map(|delivery| Delivery { content_sha256: None, ..delivery });
    assert_eq!((job.delivery, job.progress), (delivery, before.progress));
    assert_eq!(job.updated_at, before.updated_at, "it ended when it ended");
    let story = &job.timeline[..before.timeline.len()];
    assert_eq!(story, before.timeline);
    assert_eq!(job.timeline.len(), story.len() + 1);
    let line = job.timeline.last().expect("it has a timeline");
    assert_eq!(line.notes, "forgotten: key destroyed, data deleted");
    assert_eq!(store.plan(started.job).await.expect("readable"), None);
    assert!(store.published(started.job).await.expect("readable").is_none());
    assert!(store.files(started.job).await.expect("readable").is_empty());
    assert!(store.objects(started.job).await.expect("readable").is_empty());
    for section in store.sections(started.job).await.expect("readable") {
        assert_eq!((section.state, section.outcome), (SectionState::Done, None));
        let slices =
            store.slices(started.job, section.ordinal, 0, u32::MAX).await.expect("readable");
        let segments = store.segments(started.job, &entry(section.ordinal)).await;
        assert!(slices.is_empty() && segments.expect("readable").is_empty());
    }
    let report = store.segments(started.job, "report/index.html").await.expect("readable");
    assert!(report.is_empty());
    assert!(store.grant(grant.id).await.expect("still known").revoked_at.is_some());
    assert_eq!(actions(store).await.last().map(String::as_str), Some("job.forgotten"));

    let once = Snapshot::of(store, started.job).await;
    store.forget_job(started.job).await.expect("nothing is left to forget");
    assert!(once == Snapshot::of(store, started.job).await);
}

/// Ended jobs wait for being forgotten in the order they ended; others cannot be.
pub async fn only_ended_jobs_are_forgotten(store: &dyn JobStore, clock: &TestClock) {
    let tick = || clock.advance(SignedDuration::from_secs(1));
    let refused = async |job| {
        let before = Snapshot::of(store, job).await;
        let answer = store.forget_job(job).await;
        assert!(matches!(answer, Err(StoreError::OutOfOrder { .. })), "{answer:?}");
        assert!(before == Snapshot::of(store, job).await);
    };
    let (expiring, _) = ready(store, clock.now(), "a@example.com").await;
    refused(expiring.job).await;
    let (packing, lease) = packaging(store, "b@example.com").await;
    refused(packing.job).await;
    tick();
    let waiting = start(store, "c@example.com").await;
    refused(waiting.job).await;
    store.cancel(&waiting.tenant, waiting.request, &caller()).await.expect("active");
    tick();
    let (failing, of_failing) = planned(store, "d@example.com").await;
    refused(failing.job).await;
    store.fail(&of_failing, "silo_down", "why").await.expect("held");
    clock.advance(SignedDuration::from_hours(1));
    store.expire_if_due(expiring.job).await.expect("asked");
    store.publish(&lease, published(clock.now())).await.expect("still held");
    let unknown = store.forget_job(JobId::generate()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "job" })));

    let waiting_jobs = async |limit| -> Vec<JobId> {
        let jobs = store.forgettable(limit).await.expect("readable");
        jobs.into_iter().map(|job| job.id).collect()
    };
    let ended = [waiting.job, failing.job, expiring.job];
    assert_eq!(waiting_jobs(2).await, ended[..2]);
    assert_eq!(waiting_jobs(9).await, ended);
    store.forget_job(failing.job).await.expect("it has ended");
    assert_eq!(waiting_jobs(9).await, [waiting.job, expiring.job]);
    let failure = store.job(failing.job).await.expect("found").failure.expect("it failed");
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("silo_down", "why"));
}

/// Grants are deleted a day after their time, revoked or not, with one entry for each tenant.
pub async fn grants_are_forgotten_a_day_after_their_end(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "a@example.com").await;
    let old = [grant_of(store, &started, "a").await, grant_of(store, &started, "b").await];
    assert_eq!(store.revoke_grants(started.job, &caller()).await.expect("revoked"), 2);
    let foreign = store
        .create_request(new_request("globex", "a@example.com"), new_job())
        .await
        .expect("recorded");
    let foreign =
        Started { tenant: tenant("globex"), request: foreign.request.id, job: foreign.job.id };
    let others = grant_of(store, &foreign, "a").await;
    clock.advance(SignedDuration::from_secs(1));
    let young = grant_of(store, &started, "a").await;
    assert_ne!(young.id, old[0].id);

    clock.advance(SignedDuration::from_hours(25) - SignedDuration::from_secs(2));
    assert_eq!(store.forget_grants(9).await.expect("swept"), 0);
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(store.forget_grants(2).await.expect("swept"), 2);
    assert_eq!(store.forget_grants(9).await.expect("swept"), 1);
    assert_eq!(store.forget_grants(9).await.expect("swept"), 0);
    for gone in [&old[0], &old[1], &others] {
        let found = store.grant(gone.id).await;
        assert!(matches!(found, Err(StoreError::NotFound { what: "grant" })));
    }
    assert_eq!(store.grant(young.id).await.expect("its day is not over"), young);
    let entries = store.audit_entries(1000).await.expect("readable");
    let mut counted: Vec<(String, u64)> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.action == "download_keys.forgotten") {
        assert_eq!(entry.actor, "system");
        let count = entry.facts.get("count").expect("it says how many");
        counted.push((entry.tenant.clone(), count.parse().expect("a number")));
    }
    let of = |name: &str| counted.iter().filter(|(tenant, _)| tenant == name).map(|(_, n)| n).sum();
    assert_eq!((of("acme"), of("globex")), (2_u64, 1_u64), "{counted:?}");
}

/// Revoking ends the grants that live, once, and others keep theirs.
pub async fn grants_are_revoked_together(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "a@example.com").await;
    let (other, _) = ready(store, clock.now(), "b@example.com").await;
    let kept = grant(store, &other).await;
    assert_eq!(store.revoke_grants(started.job, &caller()).await.expect("revoked"), 0);
    assert!(!actions(store).await.contains(&"download_keys.revoked".to_owned()));
    let over = grant_of(store, &started, "over").await;
    clock.advance(SignedDuration::from_mins(60));
    let live = [grant_of(store, &started, "a").await, grant_of(store, &started, "b").await];
    for revoked in [2, 0] {
        let answer = store.revoke_grants(started.job, &Actor::Operator).await;
        assert_eq!(answer.expect("revoked"), revoked);
        clock.advance(SignedDuration::from_secs(1));
    }
    let at = clock.now().checked_sub(SignedDuration::from_secs(2)).expect("in range");
    for grant in live {
        let found = store.grant(grant.id).await.expect("found");
        assert_eq!(found, Grant { revoked_at: Some(at), ..grant });
    }
    for grant in [over, kept] {
        assert_eq!(store.grant(grant.id).await.expect("found").revoked_at, None);
    }
    let newest = &store.audit_entries(1).await.expect("readable")[0];
    assert_eq!(newest.action, "download_keys.revoked");
    assert_eq!((newest.actor.as_str(), newest.facts["count"].as_str()), ("operator", "2"));
    let unknown = store.revoke_grants(JobId::generate(), &caller()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "job" })));
}

/// When retention is over, a request whose jobs are all forgotten says nothing of its subject any more.
pub async fn requests_are_forgotten_after_their_jobs(store: &dyn JobStore, clock: &TestClock) {
    let (twice, _) = ready(store, clock.now(), "twice@example.com").await;
    let second = store.create_job(&twice.tenant, twice.request, next_job()).await;
    let second = second.expect("READY");
    store.cancel(&twice.tenant, twice.request, &caller()).await.expect("active");
    let (young, lease) = planned(store, "young@example.com").await;
    let waiting = start(store, "waiting@example.com").await;
    clock.advance(SignedDuration::from_secs(1));
    let end = clock.now();
    store.fail(&lease, "silo_down", "no route to young@example.com").await.expect("held");
    let before = store.request(&twice.tenant, twice.request).await.expect("found");

    let forget = async |ended_before| store.forget_requests(ended_before, 9).await.expect("swept");
    assert_eq!(forget(Timestamp::MAX).await, 0, "no job is forgotten yet");
    store.forget_job(second.job).await.expect("it has ended");
    store.forget_job(young.job).await.expect("it has ended");
    assert_eq!(
        forget(end).await,
        0,
        "one job of the first is not forgotten, the other ended at that time"
    );
    store.forget_job(twice.job).await.expect("it has ended");
    assert_eq!(forget(end).await, 1);
    assert_eq!(forget(end).await, 0, "once");

    let empty = store.request(&twice.tenant, twice.request).await.expect("still known");
    assert_eq!(
        (empty.status, &empty.details),
        (RequestStatus::Archived, &RequestDetails::default())
    );
    assert_eq!((empty.created_at, empty.formats), (before.created_at, before.formats));
    let job = store.latest_job(&twice.tenant, twice.request).await.expect("still known");
    assert_eq!((job.id, job.state), (second.job, JobState::Cancelled));
    let entry = &store.audit_entries(1).await.expect("readable")[0];
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("request.forgotten", "system"));
    assert_eq!(entry.request, Some(twice.request.to_string()));
    let untouched = store.request(&young.tenant, young.request).await.expect("found");
    assert_eq!(untouched.details.email.as_deref(), Some("young@example.com"));
    assert_eq!(untouched.status, RequestStatus::Canceled);

    assert_eq!(forget(Timestamp::MAX).await, 1, "not the one that is waiting");
    let failure = store.job(young.job).await.expect("found").failure.expect("it failed");
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("silo_down", ""));
    let alive = store.request(&waiting.tenant, waiting.request).await.expect("found");
    assert_eq!(alive.details.email.as_deref(), Some("waiting@example.com"));
    start(store, "twice@example.com").await;
}

async fn grant(store: &dyn JobStore, started: &Started) -> Grant {
    grant_of(store, started, GRANT_BUNDLE).await
}

async fn grant_of(store: &dyn JobStore, started: &Started, file: &str) -> Grant {
    let asked = NewGrant {
        tenant: started.tenant.clone(),
        request: started.request,
        job: started.job,
        files: vec![file.to_owned()],
        ttl: HOUR,
        actor: caller(),
    };
    store.grants(asked).await.expect("granted").remove(0)
}
