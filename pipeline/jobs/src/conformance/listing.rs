//! A tenant's requests, page by page.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::fixtures::{
    actions, caller, new_job, new_request, next_job, packaging, planned, ready, start, tenant,
};
use crate::{
    Clock as _, Family, JobState, JobStore, ListQuery, Listing, NewRequest, RequestId, StoreError,
    TestClock,
};

/// The newest first, whole pages, nothing twice and nothing left out.
pub async fn lists_are_read_page_by_page(store: &dyn JobStore, clock: &TestClock) {
    let mut made = Vec::new();
    for number in 0..23_u8 {
        let family = if number % 3 == 0 { Family::Sombra } else { Family::Compliance };
        let request =
            NewRequest { family, ..new_request("acme", &format!("p{number}@example.com")) };
        made.push((family, request.id));
        store.create_request(request, new_job()).await.expect("recorded");
        // Some are of the same moment.
        if number % 4 == 0 {
            clock.advance(SignedDuration::from_secs(1));
        }
    }
    start_foreign(store).await;
    for (family, size) in
        [(None, 5), (None, 100), (Some(Family::Compliance), 4), (Some(Family::Sombra), 1)]
    {
        let mut expected: Vec<RequestId> = made
            .iter()
            .filter(|(of, _)| family.is_none_or(|family| family == *of))
            .map(|(_, id)| *id)
            .collect();
        expected.reverse();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let query = ListQuery { family, state: None, limit: size, after };
            let page = store.list(&tenant("acme"), query).await.expect("readable");
            assert_eq!((page.total, page.filtered), (count(expected.len()), count(expected.len())));
            let Some((last, _)) = page.entries.last() else { break };
            after = Some(last.id);
            let rest = expected.len() - found.len();
            assert_eq!(page.entries.len(), rest.min(usize::try_from(size).expect("small")));
            for (request, job) in &page.entries {
                assert_eq!(job.request, request.id);
                assert!(request.details.email.is_some(), "details are opened");
                found.push(request.id);
            }
        }
        assert_eq!(found, expected, "{family:?} by {size}");
    }
}

/// Counts and the filter speak of latest jobs, of one contract and tenant.
pub async fn lists_count_latest_jobs(store: &dyn JobStore, clock: &TestClock) {
    let all = |state| ListQuery { family: Some(Family::Sombra), state, limit: 10, after: None };
    let list = async |query| store.list(&tenant("acme"), query).await.expect("readable");
    let empty = list(all(None)).await;
    assert_eq!((empty.total, empty.filtered, empty.active), (0, 0, 0));
    assert_eq!(empty.counts, counted(&[]), "every state is there");

    let (collecting, _) = planned(store, "a@example.com").await;
    let (packing, _) = packaging(store, "b@example.com").await;
    let (over, lease) = planned(store, "c@example.com").await;
    store.fail(&lease, "test", "").await.expect("held");
    let (again, _) = ready(store, clock.now(), "d@example.com").await;
    let next = store.create_job(&again.tenant, again.request, next_job()).await;
    let next = next.expect("READY");
    let (stays, _) = {
        // The job made again is the older one and would be leased first.
        store.cancel(&again.tenant, again.request, &caller()).await.expect("active");
        ready(store, clock.now(), "e@example.com").await
    };
    let requested = start(store, "f@example.com").await;
    start_foreign(store).await;
    let other = NewRequest { family: Family::Compliance, ..new_request("acme", "g@example.com") };
    store.create_request(other, new_job()).await.expect("recorded");

    let expected = counted(&[
        JobState::Requested,
        JobState::Collecting,
        JobState::Packaging,
        JobState::Ready,
        JobState::Failed,
        JobState::Cancelled,
    ]);
    for (state, request, job) in [
        (JobState::Requested, requested.request, requested.job),
        (JobState::Collecting, collecting.request, collecting.job),
        (JobState::Packaging, packing.request, packing.job),
        (JobState::Failed, over.request, over.job),
        (JobState::Cancelled, again.request, next.job),
        (JobState::Ready, stays.request, stays.job),
    ] {
        let listing = list(all(Some(state))).await;
        assert_eq!((listing.total, listing.filtered, listing.active), (6, 1, 3));
        assert_eq!(listing.counts, expected);
        assert_eq!(ids(&listing), [(request, job)], "{state}");
        assert_eq!(listing.entries[0].1.state, state);
    }
    assert_eq!(list(all(Some(JobState::Expired))).await.filtered, 0);
    let none = ListQuery { limit: 0, ..all(None) };
    let none = list(none).await;
    assert_eq!((none.total, none.entries.len()), (6, 0));
    let both = list(ListQuery { family: None, ..all(Some(JobState::Requested)) }).await;
    assert_eq!((both.total, both.filtered, both.active, both.entries.len()), (7, 2, 4, 2));
}

/// A list shows no bundle as READY whose time is over.
pub async fn lists_expire_what_is_due(store: &dyn JobStore, clock: &TestClock) {
    let (due, _) = ready(store, clock.now(), "a@example.com").await;
    let query = |state| ListQuery { family: None, state, limit: 10, after: None };
    clock.advance(SignedDuration::from_secs(3599));
    let listing = store.list(&due.tenant, query(Some(JobState::Ready))).await.expect("readable");
    assert_eq!(listing.filtered, 1);
    clock.advance(SignedDuration::from_secs(1));
    // Another tenant's list leaves it alone.
    store.list(&tenant("globex"), query(None)).await.expect("readable");
    assert_eq!(store.job(due.job).await.expect("the job exists").state, JobState::Ready);
    for _ in 0..2 {
        let listing = store.list(&due.tenant, query(None)).await.expect("readable");
        assert_eq!(listing.counts, counted(&[JobState::Expired]));
        assert_eq!(listing.entries[0].1.state, JobState::Expired);
    }
    let expired = actions(store).await.into_iter().filter(|action| action == "job.expired");
    assert_eq!(expired.count(), 1);
}

/// Another tenant's list is empty, and its requests are no place to go on from.
pub async fn lists_show_one_tenant(store: &dyn JobStore, _clock: &TestClock) {
    let started = start(store, "a@example.com").await;
    let query = |after| ListQuery { family: None, state: None, limit: 10, after };
    let listing = store.list(&tenant("globex"), query(None)).await.expect("readable");
    assert_eq!((listing.total, listing.active, listing.entries.len()), (0, 0, 0));
    for after in [started.request, RequestId::generate()] {
        let refused = store.list(&tenant("globex"), query(Some(after))).await;
        assert!(matches!(refused, Err(StoreError::NotFound { what: "request" })), "{refused:?}");
    }
    let end = store.list(&started.tenant, query(Some(started.request))).await.expect("readable");
    assert_eq!((end.total, end.entries.len()), (1, 0));
}

async fn start_foreign(store: &dyn JobStore) {
    let foreign = new_request("globex", "foreign@example.com");
    store.create_request(foreign, new_job()).await.expect("recorded");
}

/// Every state with how often it is in `states`.
fn counted(states: &[JobState]) -> BTreeMap<JobState, u64> {
    let count_of = |state| count(states.iter().filter(|found| **found == state).count());
    JobState::ALL.into_iter().map(|state| (state, count_of(state))).collect()
}

fn ids(listing: &Listing) -> Vec<(RequestId, crate::JobId)> {
    listing.entries.iter().map(|(request, job)| (request.id, job.id)).collect()
}

fn count(len: usize) -> u64 {
    u64::try_from(len).expect("small")
}
