//! Which keys of the ring jobs need, and what rotating, retiring and destroying do to jobs.

use antumbra_crypto::WrappedKey;
use jiff::SignedDuration;

use super::fixtures::{
    HOUR, Snapshot, TTL, actions, caller, entry, lease, new_job, new_request, next_job, packaging,
    planned, ready, start, start_held, tenant,
};
use super::leases::try_everything;
use crate::{
    Actor, Clock as _, Delivery, GRANT_BUNDLE, IllegalMove, JobId, JobKey, JobState, JobStore,
    KeyUse, Move, NewGrant, NewJob, NextJob, RequestStatus, StoreError, TestClock, WorkerId,
};

/// Each job names the key that wraps its own, and nobody else's data key counts.
pub async fn jobs_name_the_key_that_wraps_theirs(store: &dyn JobStore, clock: &TestClock) {
    assert!(store.key_use().await.expect("readable").is_empty());
    let mut made = Vec::new();
    for (number, key_id) in ["k2", "k1", "k2", "k3", "k1", "k2"].into_iter().enumerate() {
        let bytes = format!("under {key_id}").into_bytes();
        made.push((key_id, record(store, &format!("p{number}@example.com"), key_id, bytes).await));
        clock.advance(SignedDuration::from_secs(1));
    }
    for (key_id, job) in &made {
        let job = store.job(*job).await.expect("the job exists");
        assert_eq!(job.key_id.as_deref(), Some(*key_id));
    }
    assert_eq!(in_use(store).await, [("k1", 2), ("k2", 3), ("k3", 1)].map(of));

    let under = async |key_id: &str, after, limit| {
        store.keys_not_under(key_id, after, limit).await.expect("readable")
    };
    let mut others: Vec<JobKey> = made
        .iter()
        .filter(|(key_id, _)| *key_id != "k2")
        .map(|(key_id, job)| JobKey {
            job: *job,
            tenant: tenant("acme"),
            wrapped_key: format!("under {key_id}").into_bytes(),
        })
        .collect();
    others.sort_by_key(|key| key.job);
    assert_eq!(under("k2", None, 9).await, others, "in the order of their ids, whatever the key");
    assert_eq!(under("k2", None, 2).await, others[..2]);
    assert_eq!(under("k2", Some(others[1].job), 2).await, others[2..]);
    assert_eq!(under("k2", Some(others[2].job), 2).await, []);
    assert_eq!(under("unknown", None, 9).await.len(), 6);
    assert_eq!(under("k2", None, 0).await, []);

    // What was destroyed or forgotten needs no key.
    store.destroy_key(made[3].1, &caller()).await.expect("destroyed");
    store.destroy_key(made[5].1, &caller()).await.expect("destroyed");
    store.forget_job(made[5].1).await.expect("it has ended");
    assert_eq!(in_use(store).await, [("k1", 2), ("k2", 2)].map(of));
}

/// A key is replaced only where the one that was read is still there, and nothing but the key changes.
pub async fn keys_are_compared_and_replaced(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    clock.advance(SignedDuration::from_secs(1));
    let before = store.job(started.job).await.expect("the job exists");
    let old = before.wrapped_key.clone().expect("nobody destroyed it");
    let trail = actions(store).await;
    let replace = async |job, old: &[u8], new: &WrappedKey| {
        store.replace_key(job, old, new).await.expect("the key is not retired")
    };
    let second = wrapped("k2", b"second");
    assert!(!replace(started.job, b"another", &second).await, "somebody was faster");
    assert!(!replace(JobId::generate(), &old, &second).await, "the job is unknown");
    assert!(replace(started.job, &old, &second).await);
    assert!(!replace(started.job, &old, &wrapped("k3", b"third")).await, "it was replaced");

    let after = store.job(started.job).await.expect("the job exists");
    assert_eq!(after.wrapped_key.as_deref(), Some(&b"second"[..]));
    assert_eq!(after.key_id.as_deref(), Some("k2"));
    let same = crate::Job {
        wrapped_key: before.wrapped_key.clone(),
        key_id: before.key_id.clone(),
        ..after
    };
    assert_eq!(format!("{same:?}"), format!("{before:?}"));
    assert_eq!(actions(store).await, trail);
    assert_eq!(in_use(store).await, [("k2", 1)].map(of));
    assert_eq!(store.keys_not_under("k2", None, 9).await.expect("readable"), []);

    store.destroy_key(started.job, &caller()).await.expect("destroyed");
    assert!(!replace(started.job, b"second", &wrapped("k3", b"third")).await);
    assert_eq!(store.job(started.job).await.expect("the job exists").wrapped_key, None);
}

/// A key that a job needs is not retired; under one that is retired no job is made and none is moved.
pub async fn a_retired_key_makes_no_job(store: &dyn JobStore, clock: &TestClock) {
    let retire =
        async |key_id: &str| store.retire_key(key_id, &Actor::Operator, &tenant("acme")).await;
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    let trail = actions(store).await;
    let needed = retire("k1").await;
    assert!(
        matches!(&needed, Err(StoreError::KeyNeeded { key_id, jobs: 1 }) if key_id == "k1"),
        "{needed:?}"
    );
    assert_eq!(actions(store).await, trail, "a refusal is not remembered");
    let job = store.job(started.job).await.expect("the job exists");
    let old = job.wrapped_key.expect("nobody destroyed it");
    let new = wrapped("k2", b"second");
    assert!(store.replace_key(started.job, &old, &new).await.expect("k2 is not retired"));

    retire("k1").await.expect("no job needs it");
    let newest = &store.audit_entries(1).await.expect("readable")[0];
    assert_eq!((newest.action.as_str(), newest.actor.as_str()), ("key.retired", "operator"));
    assert_eq!((newest.tenant.as_str(), newest.facts["key"].as_str()), ("acme", "k1"));
    assert_eq!((&newest.request, &newest.job), (&None, &None));
    retire("k1").await.expect("it is retired");
    let retired = actions(store).await.into_iter().filter(|action| action == "key.retired");
    assert_eq!(retired.count(), 1);
    let needed = retire("k2").await;
    assert!(matches!(needed, Err(StoreError::KeyNeeded { jobs: 1, .. })), "{needed:?}");

    let before = Snapshot::of(store, started.job).await;
    let created = store.create_request(new_request("acme", "b@example.com"), new_job()).await;
    assert!(is_retired(&created, "k1"), "{created:?}");
    let again = store.create_job(&started.tenant, started.request, next_job()).await;
    assert!(is_retired(&again, "k1"), "{again:?}");
    let back = store.replace_key(started.job, b"second", &wrapped("k1", b"first")).await;
    assert!(is_retired(&back, "k1"), "{back:?}");
    assert!(before == Snapshot::of(store, started.job).await);

    let next = NextJob { job: NewJob { key_id: "k2".to_owned(), ..new_job() }, ..next_job() };
    store.create_job(&started.tenant, started.request, next).await.expect("k2 is not retired");
    record(store, "b@example.com", "k3", vec![3]).await;
}

/// Of a caller that makes a job and one that retires its key one is refused.
pub async fn a_key_is_retired_or_needed(store: &dyn JobStore, _clock: &TestClock) {
    for round in 0..8 {
        let key_id = format!("round-{round}");
        let request = new_request("acme", &format!("p{round}@example.com"));
        let job = NewJob { key_id: key_id.clone(), ..new_job() };
        let (id, whose) = (job.id, tenant("acme"));
        let retire = store.retire_key(&key_id, &Actor::Operator, &whose);
        let (created, retired) = tokio::join!(store.create_request(request, job), retire);
        let needed = in_use(store).await.iter().any(|entry| entry.key_id == key_id);
        let won = match (&created, &retired) {
            (Ok(_), Err(StoreError::KeyNeeded { .. })) => Some(true),
            (Err(StoreError::KeyRetired { .. }), Ok(())) => Some(false),
            _ => None,
        };
        assert_eq!(won, Some(needed), "{created:?} {retired:?}");
        assert_eq!(store.job(id).await.is_ok(), needed);
    }
}

/// Whatever a job is at, destroying its key ends it, and nothing that it collected is left but the names of its objects.
pub async fn a_destroyed_key_ends_its_job(store: &dyn JobStore, clock: &TestClock) {
    let held = start_held(store, "held@example.com").await;
    let requested = start(store, "a@example.com").await;
    let of_requested = lease(store, &WorkerId::generate()).await;
    let (collecting, of_collecting) = planned(store, "b@example.com").await;
    let commit = crate::Commit { slices: vec![super::fixtures::slice(0, 0)], ..Default::default() };
    store.commit(&of_collecting, commit).await.expect("held");
    let (packing, of_packing) = packaging(store, "c@example.com").await;
    let (published, of_published) = ready(store, clock.now(), "d@example.com").await;
    let (delivered, of_delivered) = ready(store, clock.now(), "e@example.com").await;
    let download = crate::Download {
        job: delivered.job,
        file: GRANT_BUNDLE.to_owned(),
        actor: caller(),
        start: 0,
        sent: 1,
        complete: true,
    };
    store.record_download(download).await.expect("recorded");
    let (failed, of_failed) = planned(store, "f@example.com").await;
    store.fail(&of_failed, "silo_down", "why").await.expect("held");
    clock.advance(SignedDuration::from_secs(1));

    for (started, held, to) in [
        (held, None, JobState::Cancelled),
        (requested, Some(of_requested), JobState::Cancelled),
        (collecting, Some(of_collecting), JobState::Cancelled),
        (packing, Some(of_packing), JobState::Cancelled),
        (published, Some(of_published), JobState::Expired),
        (delivered, Some(of_delivered), JobState::Expired),
        (failed, Some(of_failed), JobState::Failed),
    ] {
        let before = store.job(started.job).await.expect("the job exists");
        let objects = store.objects(started.job).await.expect("readable");
        let grant = granted(store, &started).await;
        clock.advance(SignedDuration::from_secs(1));
        let destroyed = store.destroy_key(started.job, &Actor::Operator).await.expect("destroyed");
        let job = destroyed.job;
        assert_eq!((job.id, job.state), (started.job, to));
        assert_eq!((&job.wrapped_key, &job.key_id), (&None, &None));
        let moved = before.state != to;
        let at = if moved { clock.now() } else { before.updated_at };
        assert_eq!(job.updated_at, at, "a job that had ended ended when it ended");
        let delivery =
            before.delivery.map(|delivery| Delivery { content_sha256: None, ..delivery });
        assert_eq!((&job.delivery, &job.progress), (&delivery, &before.progress));
        let line = job.timeline.last().expect("it has a timeline");
        assert_eq!((line.actor.as_str(), line.notes.as_str()), ("operator", "key destroyed"));
        let stored = store.job(started.job).await.expect("the job exists");
        assert_eq!(format!("{stored:?}"), format!("{job:?}"), "the answer is what was stored");
        let status = store.request(&started.tenant, started.request).await.expect("found").status;
        assert_eq!(status, RequestStatus::of_job(to));

        let newest = store.audit_entries(2).await.expect("readable");
        let word = if to == JobState::Expired { "job.expired" } else { "job.cancelled" };
        assert!(!moved || newest[1].action == word, "{}", newest[1].action);
        assert_eq!(newest[0].action, "job.key_destroyed");
        assert_eq!(
            (newest[0].actor.as_str(), &newest[0].facts["grants_revoked"][..]),
            ("operator", "1")
        );
        assert_eq!(newest[0].job, Some(job.id.to_string()));
        assert!(newest[0].subject.is_some());

        nothing_is_left(store, started.job).await;
        assert_eq!(store.objects(started.job).await.expect("readable"), objects, "for the sweeper");
        assert_eq!(store.grant(grant).await.expect("known").revoked_at, Some(clock.now()));
        if let Some(held) = held {
            try_everything(store, clock, started.job, &held).await;
        }
        let worker = WorkerId::generate();
        assert!(store.lease_job(started.job, &worker, TTL).await.expect("readable").is_none());
        assert!(store.lease(&worker, TTL).await.expect("readable").is_none());

        let once = Snapshot::of(store, started.job).await;
        let again = store.destroy_key(started.job, &caller()).await.expect("nothing is left");
        assert_eq!(format!("{:?}", again.job), format!("{stored:?}"));
        assert!(once == Snapshot::of(store, started.job).await);
    }
    let unknown = store.destroy_key(JobId::generate(), &caller()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "job" })));
}

/// A job without its key is forgotten like any that ended, is not made again, and its subject may ask again.
pub async fn a_destroyed_job_is_forgotten_like_any_other(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    let other = start(store, "other@example.com").await;
    store.destroy_key(started.job, &caller()).await.expect("destroyed");
    let again = store.create_job(&started.tenant, started.request, next_job()).await;
    let expected = IllegalMove { from: JobState::Expired, what: Move::Expire };
    assert!(matches!(&again, Err(StoreError::IllegalMove(why)) if *why == expected), "{again:?}");
    start(store, "ada@example.com").await;

    clock.advance(SignedDuration::from_hours(2));
    assert!(store.expire_due(9).await.expect("swept").is_empty(), "it has expired");
    let waiting = store.forgettable(9).await.expect("readable");
    assert_eq!(waiting.iter().map(|job| job.id).collect::<Vec<_>>(), [started.job]);
    store.forget_job(started.job).await.expect("it has ended");
    assert!(store.objects(started.job).await.expect("readable").is_empty());
    assert!(store.forgettable(9).await.expect("readable").is_empty());
    assert_eq!(store.forget_requests(jiff::Timestamp::MAX, 9).await.expect("swept"), 1);
    // What had been forgotten before has no key to destroy.
    let once = Snapshot::of(store, started.job).await;
    store.destroy_key(started.job, &caller()).await.expect("nothing is left");
    assert!(once == Snapshot::of(store, started.job).await);
    let other = store.job(other.job).await.expect("the job exists");
    assert!(other.state == JobState::Requested && other.wrapped_key.is_some());
}

async fn nothing_is_left(store: &dyn JobStore, job: JobId) {
    assert_eq!(store.plan(job).await.expect("readable"), None);
    assert!(store.published(job).await.expect("readable").is_none());
    assert!(store.files(job).await.expect("readable").is_empty());
    for section in store.sections(job).await.expect("readable") {
        assert_eq!(section.outcome, None);
        let slices = store.slices(job, section.ordinal, 0, u32::MAX).await.expect("readable");
        let segments = store.segments(job, &entry(section.ordinal)).await.expect("readable");
        assert!(slices.is_empty() && segments.is_empty());
    }
    let report = store.segments(job, "report/index.html").await.expect("readable");
    assert!(report.is_empty());
}

async fn granted(store: &dyn JobStore, started: &super::fixtures::Started) -> crate::GrantId {
    let asked = NewGrant {
        tenant: started.tenant.clone(),
        request: started.request,
        job: started.job,
        files: vec![GRANT_BUNDLE.to_owned()],
        ttl: HOUR,
        actor: caller(),
    };
    store.grants(asked).await.expect("granted").remove(0).id
}

/// Records a request whose job's key is wrapped by that key of the ring.
async fn record(store: &dyn JobStore, email: &str, key_id: &str, wrapped_key: Vec<u8>) -> JobId {
    let job = NewJob { wrapped_key, key_id: key_id.to_owned(), ..new_job() };
    let made = store.create_request(new_request("acme", email), job).await;
    made.expect("a new subject's request is recorded").job.id
}

async fn in_use(store: &dyn JobStore) -> Vec<KeyUse> {
    store.key_use().await.expect("readable")
}

fn of((key_id, jobs): (&str, u64)) -> KeyUse {
    KeyUse { key_id: key_id.to_owned(), jobs }
}

fn wrapped(key_id: &str, bytes: &[u8]) -> WrappedKey {
    WrappedKey { key_id: key_id.to_owned(), bytes: bytes.to_vec() }
}

fn is_retired<T>(answer: &Result<T, StoreError>, which: &str) -> bool {
    matches!(answer, Err(StoreError::KeyRetired { key_id }) if key_id == which)
}
