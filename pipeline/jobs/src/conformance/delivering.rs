//! Bundles, grants, downloads.

use jiff::SignedDuration;

use super::fixtures::{
    HOUR, Snapshot, Started, actions, caller, entry, packaging, planned, published, ready, segment,
    start, tenant,
};
use crate::{
    Actor, Clock as _, Download, GRANT_BUNDLE, GrantId, JobState, JobStore, NewGrant,
    RequestStatus, StoreError, TestClock,
};

/// Only PACKAGING leads to READY, and only once.
pub async fn publishing_wants_a_packaging_job(store: &dyn JobStore, clock: &TestClock) {
    let (started, lease) = planned(store, "ada@example.com").await;
    let early = store.publish(&lease, published(clock.now())).await;
    assert!(matches!(early, Err(StoreError::IllegalMove(_))));
    assert!(store.published(started.job).await.expect("readable").is_none());
    assert!(store.job(started.job).await.expect("the job exists").delivery.is_none());
    store.fail(&lease, "test", "").await.expect("held");

    let (started, lease) = packaging(store, "ada@example.com").await;
    store.publish(&lease, published(clock.now())).await.expect("published");
    let before = Snapshot::of(store, started.job).await;
    let again = store.publish(&lease, published(clock.now())).await;
    assert!(matches!(again, Err(StoreError::LeaseLost { .. })), "a READY job is nobody's");
    assert!(before == Snapshot::of(store, started.job).await, "a bundle never changes");
}

/// Manifest, signature, files in order and segments of the report come back byte for byte.
pub async fn what_was_published_is_read_back_exactly(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    let read = store.published(started.job).await.expect("readable").expect("published");
    let written = published(clock.now());
    assert_eq!(read.files, written.files);
    assert_eq!(read.segments, written.segments);
    assert!(read == written);
    let report = store.segments(started.job, "report/index.html").await.expect("readable");
    assert_eq!(report, written.segments);
    assert_eq!(
        store.segments(started.job, &entry(0)).await.expect("readable")[0],
        segment(&entry(0), 0)
    );
    let mut of_sections: Vec<String> = store
        .files(started.job)
        .await
        .expect("readable")
        .into_iter()
        .map(|file| file.entry)
        .collect();
    of_sections.sort();
    assert_eq!(of_sections, [entry(0), entry(1)]);
    let delivery =
        store.job(started.job).await.expect("the job exists").delivery.expect("published");
    assert_eq!((delivery.bundle_len, delivery.bundle_sha256), (12_345, [2; 32]));
    assert_eq!((delivery.content_sha256, delivery.partial), (Some([1; 32]), false));
    assert_eq!((delivery.expires_at, delivery.downloaded_at), (written.expires_at, None));
}

/// A grant is used again until its time, then a new one is made.
pub async fn grants_live_until_their_time(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    let ask = |files: &[&str]| asked(&started, files);
    let first = store.grants(ask(&["b.json", GRANT_BUNDLE, "b.json"])).await.expect("granted");
    let files: Vec<&str> = first.iter().map(|grant| grant.file.as_str()).collect();
    assert_eq!(files, ["b.json", GRANT_BUNDLE, "b.json"], "one for each file, in the order asked");
    assert_eq!(first[0], first[2]);
    assert_ne!(first[0].id, first[1].id);
    assert_eq!(first[0].created_at, clock.now());
    // Tokens count whole seconds, so grants end on one: never later than asked, and less than a second earlier.
    let end = clock.now().checked_add(HOUR).expect("in range");
    assert_eq!(first[0].expires_at.as_second(), end.as_second());
    assert_eq!(first[0].expires_at.subsec_nanosecond(), 0);
    assert_eq!(store.grant(first[1].id).await.expect("found"), first[1]);

    clock.advance(SignedDuration::from_mins(59));
    let again = store.grants(ask(&[GRANT_BUNDLE, "a.json"])).await.expect("granted");
    assert_eq!(again[0], first[1]);
    assert_ne!(again[1].id, first[0].id);
    clock.advance(SignedDuration::from_mins(1));
    let later = store.grants(ask(&[GRANT_BUNDLE, "a.json"])).await.expect("granted");
    assert_ne!(later[0].id, first[1].id, "an expired grant is not used again");
    assert_eq!(later[1], again[1]);
    assert_eq!(store.grant(first[1].id).await.expect("an expired grant is still known"), first[1]);

    let issued = actions(store).await.into_iter().filter(|action| action == "download_keys.issued");
    assert_eq!(issued.count(), 3, "once for each call");
    let newest = &store.audit_entries(1).await.expect("readable")[0];
    assert_eq!(newest.facts.get("count").map(String::as_str), Some("2"));
}

/// A grant names a job of its request and a request of its tenant.
pub async fn grants_belong_to_their_request(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    let other = start(store, "grace@example.com").await;
    for wrong in [
        NewGrant { tenant: tenant("globex"), ..asked(&started, &["a.json"]) },
        NewGrant { request: other.request, ..asked(&started, &["a.json"]) },
    ] {
        let refused = store.grants(wrong).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    }
    assert!(!actions(store).await.contains(&"download_keys.issued".to_owned()));
}

/// Partial downloads are remembered and deliver nothing; the first complete one delivers, later ones change nothing.
pub async fn only_a_complete_download_delivers(store: &dyn JobStore, clock: &TestClock) {
    let (started, _) = ready(store, clock.now(), "ada@example.com").await;
    let state = async || store.job(started.job).await.expect("the job exists").state;
    let download = |complete| Download {
        job: started.job,
        file: entry(0),
        actor: Actor::Grant(GrantId(uuid::Uuid::nil())),
        start: 100,
        sent: 17,
        complete,
    };
    for _ in 0..2 {
        store.record_download(download(false)).await.expect("recorded");
        assert_eq!(state().await, JobState::Ready);
    }
    clock.advance(SignedDuration::from_secs(5));
    let at = clock.now();
    store.record_download(download(true)).await.expect("recorded");
    assert_eq!(state().await, JobState::Delivered);
    let request = store.request(&started.tenant, started.request).await.expect("found");
    assert_eq!(request.status, RequestStatus::Completed);
    clock.advance(SignedDuration::from_secs(5));
    let again = Download { actor: caller(), ..download(true) };
    store.record_download(again).await.expect("recorded");
    let job = store.job(started.job).await.expect("the job exists");
    let delivery = job.delivery.expect("published");
    assert_eq!(delivery.downloaded_at, Some(at), "the first one stays");
    assert_eq!(delivery.downloaded_by, Some(Actor::Grant(GrantId(uuid::Uuid::nil())).to_string()));
    assert_eq!(job.timeline.iter().filter(|line| line.notes == "downloaded").count(), 1);
    let downloads = actions(store).await.into_iter().filter(|action| action == "bundle.downloaded");
    assert_eq!(downloads.count(), 4);
    let newest = &store.audit_entries(1).await.expect("readable")[0];
    let facts: Vec<(&str, &str)> =
        newest.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        facts,
        [("complete", "true"), ("file", entry(0).as_str()), ("sent", "17"), ("start", "100")]
    );
}

/// READY and DELIVERED jobs expire at their time, not before; others never do.
pub async fn bundles_expire_when_their_time_is_over(store: &dyn JobStore, clock: &TestClock) {
    let (unread, _) = ready(store, clock.now(), "ada@example.com").await;
    let (read, _) = ready(store, clock.now(), "grace@example.com").await;
    let download = Download {
        job: read.job,
        file: GRANT_BUNDLE.to_owned(),
        actor: caller(),
        start: 0,
        sent: 12_345,
        complete: true,
    };
    store.record_download(download.clone()).await.expect("recorded");
    let (working, _) = planned(store, "hopper@example.com").await;
    clock.advance(SignedDuration::from_secs(3599));
    assert_eq!(store.expire_if_due(unread.job).await.expect("asked"), JobState::Ready);
    assert_eq!(store.expire_if_due(read.job).await.expect("asked"), JobState::Delivered);
    clock.advance(SignedDuration::from_secs(1));
    for job in [unread.job, read.job, read.job] {
        assert_eq!(store.expire_if_due(job).await.expect("asked"), JobState::Expired);
    }
    assert_eq!(store.expire_if_due(working.job).await.expect("asked"), JobState::Collecting);
    let request = store.request(&read.tenant, read.request).await.expect("found");
    assert_eq!(request.status, RequestStatus::Archived);
    let expired = actions(store).await.into_iter().filter(|action| action == "job.expired");
    assert_eq!(expired.count(), 2, "once for each job");

    // A download that began in time may end after it.
    store.record_download(Download { job: unread.job, ..download }).await.expect("recorded");
    assert_eq!(store.job(unread.job).await.expect("the job exists").state, JobState::Expired);
    assert_eq!(actions(store).await.last().map(String::as_str), Some("bundle.downloaded"));
}

fn asked(started: &Started, files: &[&str]) -> NewGrant {
    NewGrant {
        tenant: started.tenant.clone(),
        request: started.request,
        job: started.job,
        files: files.iter().map(|&file| file.to_owned()).collect(),
        ttl: HOUR,
        actor: caller(),
    }
}
