//! One job, one worker.

use jiff::SignedDuration;

use super::fixtures::{
    Snapshot, TTL, done, lease, packaging, planned, published, sections, slice, start,
};
use crate::{
    Clock as _, Commit, FenceToken, JobStore, Lease, Progress, StoreError, TestClock, WorkerId,
};

/// A leased job is offered to nobody else.
pub async fn a_job_has_one_worker(store: &dyn JobStore, clock: &TestClock) {
    let started = start(store, "ada@example.com").await;
    let (first, second) = (WorkerId::generate(), WorkerId::generate());
    let held = lease(store, &first).await;
    assert_eq!((held.job, &held.tenant, &held.worker), (started.job, &started.tenant, &first));
    assert_eq!(held.fence, FenceToken(1));
    assert_eq!(held.until, clock.now().checked_add(TTL).expect("in range"));
    assert!(store.lease(&second, TTL).await.expect("readable").is_none());
    assert!(store.lease(&first, TTL).await.expect("readable").is_none(), "not even to its worker");
}

/// Nobody waits behind a newer job.
pub async fn oldest_jobs_come_first(store: &dyn JobStore, clock: &TestClock) {
    let mut expected = Vec::new();
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        expected.push(start(store, email).await.job);
        clock.advance(SignedDuration::from_secs(1));
    }
    let worker = WorkerId::generate();
    let mut leased = Vec::new();
    for _ in &expected {
        leased.push(lease(store, &worker).await.job);
    }
    assert_eq!(leased, expected);
    assert!(store.lease(&worker, TTL).await.expect("readable").is_none());
}

/// A lease ends at its time, and a heartbeat moves that time.
pub async fn leases_end_with_the_clock(store: &dyn JobStore, clock: &TestClock) {
    let (first, second) = (WorkerId::generate(), WorkerId::generate());
    let started = start(store, "ada@example.com").await;
    let held = lease(store, &first).await;
    clock.advance(SignedDuration::from_secs(29));
    let held = store.heartbeat(&held, TTL).await.expect("held");
    assert_eq!(held.until, clock.now().checked_add(TTL).expect("in range"));
    let job = store.job(started.job).await.expect("the job exists");
    assert_eq!(job.progress.heartbeat_at, Some(clock.now()));
    clock.advance(SignedDuration::from_secs(29));
    assert!(store.lease(&second, TTL).await.expect("readable").is_none());
    clock.advance(SignedDuration::from_secs(1));
    // Over, but nobody took the job: its worker is late, not lost.
    store.commit(&held, Commit::default()).await.expect_err("there is no plan yet");
    let held = store.heartbeat(&held, TTL).await.expect("still the newest lease");
    clock.advance(SignedDuration::from_secs(30));
    let taken = lease(store, &second).await;
    assert_eq!((taken.job, taken.fence), (held.job, FenceToken(2)));
    let lost = store.heartbeat(&held, TTL).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost { job }) if job == held.job));
    let job = store.job(started.job).await.expect("the job exists");
    assert_eq!(
        job.timeline.last().map(|line| line.notes.clone()),
        Some(format!("resumed by {second}"))
    );
    assert_eq!(job.progress.worker, Some(second));
}

/// Whatever a worker that lost its job tries, nothing happens; in every active state.
pub async fn a_stale_worker_changes_nothing(store: &dyn JobStore, clock: &TestClock) {
    let started = start(store, "a@example.com").await;
    let stale = lease(store, &WorkerId::generate()).await;
    take_over_and_try(store, clock, started.job, stale).await;

    let (started, stale) = planned(store, "b@example.com").await;
    take_over_and_try(store, clock, started.job, stale).await;

    let (started, stale) = packaging(store, "c@example.com").await;
    take_over_and_try(store, clock, started.job, stale).await;

    let (started, ended) = packaging(store, "d@example.com").await;
    store.publish(&ended, published(clock.now())).await.expect("published");
    try_everything(store, clock, started.job, &ended).await;
}

/// Giving back a job lets another worker go on at once, and takes the right to write.
pub async fn released_jobs_go_on_at_once(store: &dyn JobStore, clock: &TestClock) {
    let (started, released) = planned(store, "ada@example.com").await;
    store.release(&released).await.expect("held");
    try_everything(store, clock, started.job, &released).await;
    let (worker, next) = (WorkerId::generate(), WorkerId::generate());
    let taken = lease(store, &worker).await;
    assert_eq!(taken.fence, FenceToken(2));

    let other = start(store, "grace@example.com").await;
    let held = lease(store, &worker).await;
    assert_eq!(held.job, other.job);
    assert_eq!(store.release_all().await.expect("ended"), 2);
    assert_eq!(store.release_all().await.expect("ended"), 0);
    try_everything(store, clock, taken.job, &taken).await;
    try_everything(store, clock, held.job, &held).await;
    assert_eq!(lease(store, &next).await.job, started.job);
    assert_eq!(lease(store, &next).await.job, other.job);
}

/// What got a job further than ever before makes the leases before it count for nothing; the same way twice does not.
pub async fn leases_that_got_no_further_are_counted(store: &dyn JobStore, _clock: &TestClock) {
    let worker = WorkerId::generate();
    start(store, "ada@example.com").await;
    let mut held = lease(store, &worker).await;
    assert_eq!(held.fruitless, 1);
    store.release(&held).await.expect("held");
    held = lease(store, &worker).await;
    assert_eq!((held.fence, held.fruitless), (FenceToken(2), 2));
    store.save_plan(&held, b"plan", &sections(2), &Progress::default()).await.expect("held");
    let again = async |held: &Lease, expected| {
        store.release(held).await.expect("held");
        let next = lease(store, &worker).await;
        assert_eq!(next.fruitless, expected);
        next
    };
    held = again(&held, 1).await;
    let one = || Commit { slices: vec![slice(0, 0)], ..Commit::default() };
    store.commit(&held, one()).await.expect("in order");
    held = again(&held, 1).await;
    store.restart_section(&held, 0).await.expect("open");
    store.commit(&held, one()).await.expect("in order");
    held = again(&held, 2).await;
    let further = Commit { slices: vec![slice(0, 1)], ..Commit::default() };
    store.commit(&held, further).await.expect("in order");
    held = again(&held, 1).await;
    let ends = Commit { ends: vec![done(0, 6), done(1, 0)], ..Commit::default() };
    store.commit(&held, ends).await.expect("in order");
    held = again(&held, 1).await;
    store.start_packaging(&held).await.expect("all ended");
    held = again(&held, 1).await;
    store.start_packaging(&held).await.expect("it is there");
    again(&held, 2).await;
}

/// A job that eight leases in a row brought no further stands behind younger ones until it gets further.
pub async fn a_job_that_gets_nowhere_holds_up_nobody(store: &dyn JobStore, clock: &TestClock) {
    let worker = WorkerId::generate();
    let old = start(store, "ada@example.com").await.job;
    for _ in 0..8 {
        let held = lease(store, &worker).await;
        assert_eq!(held.job, old);
        store.release(&held).await.expect("held");
    }
    clock.advance(SignedDuration::from_secs(1));
    let young = start(store, "grace@example.com").await.job;
    let held = lease(store, &worker).await;
    assert_eq!(held.job, young);
    let last = lease(store, &worker).await;
    assert_eq!((last.job, last.fruitless), (old, 9));
    store.save_plan(&last, b"plan", &sections(1), &Progress::default()).await.expect("held");
    store.release(&last).await.expect("held");
    store.release(&held).await.expect("held");
    assert_eq!(lease(store, &worker).await.job, old, "it got further: the oldest is first again");
}

async fn take_over_and_try(
    store: &dyn JobStore,
    clock: &TestClock,
    job: crate::JobId,
    stale: Lease,
) {
    clock.advance(SignedDuration::from_secs(30));
    let taken = lease(store, &WorkerId::generate()).await;
    assert_eq!(taken.job, job);
    try_everything(store, clock, job, &stale).await;
    // A worker that guesses the fence is not its holder either.
    let forged = Lease { fence: taken.fence, ..stale };
    try_everything(store, clock, job, &forged).await;
    store.fail(&taken, "test", "").await.expect("the holder still can");
}

/// Tries every write with a lease that is worth nothing.
pub(super) async fn try_everything(
    store: &dyn JobStore,
    clock: &TestClock,
    job: crate::JobId,
    stale: &Lease,
) {
    let before = Snapshot::of(store, job).await;
    let commit = Commit { slices: vec![slice(0, 0)], ends: vec![done(0, 3)], ..Commit::default() };
    let tries = [
        store.heartbeat(stale, TTL).await.map(drop),
        store.save_plan(stale, b"other", &sections(1), &Progress::default()).await,
        store.commit(stale, commit).await,
        store.restart_section(stale, 0).await,
        store.start_packaging(stale).await,
        store.publish(stale, published(clock.now())).await,
        store.fail(stale, "test", "").await,
        store.release(stale).await,
    ];
    for (number, result) in tries.iter().enumerate() {
        assert!(matches!(result, Err(StoreError::LeaseLost { .. })), "try {number}: {result:?}");
    }
    assert!(before == Snapshot::of(store, job).await, "a stale worker changed something");
}
