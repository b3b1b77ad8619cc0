//! What is forgotten is in no file any more.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::room::{Room, fill, new_job, request};
use crate::{
    Actor, JobId, JobState, JobStore as _, NewJob, Progress, RequestDetails, RequestStatus,
    SqliteStore, TenantId, WorkerId,
};

#[tokio::test]
async fn forgotten_keys_leave_the_files() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    // Enough for pages that split, move and merge. Every third job is kept.
    let mut jobs = Vec::new();
    for number in 0..120_u32 {
        jobs.push((number % 3 == 0, cancelled(&store, number).await));
    }
    let bytes = Bytes::in_files_of(room.dir.path());
    assert!(jobs.iter().all(|(_, (_, key))| bytes.hold(key)), "a key that is there is found");
    for (kept, (job, _)) in &jobs {
        if !kept {
            store.forget_job(*job).await.unwrap();
        }
    }
    for (kept, (job, key)) in &jobs {
        let found = store.job(*job).await.unwrap().wrapped_key;
        assert_eq!(found.as_ref(), kept.then_some(key));
    }
    let check = |when| {
        let bytes = Bytes::in_files_of(room.dir.path());
        for (number, (kept, (_, key))) in jobs.iter().enumerate() {
            assert_eq!(bytes.hold(key), *kept, "key {number} {when}");
        }
    };
    check("while the store is open");
    drop(store);
    check("after closing");
}

#[tokio::test]
async fn a_reader_delays_only_the_cleaning() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let (job, key) = cancelled(&store, 0).await;
    let reader = Connection::open(&room.path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM jobs").unwrap();
    store.forget_job(job).await.unwrap();
    assert_eq!(store.job(job).await.unwrap().wrapped_key, None);
    assert!(Bytes::in_files_of(room.dir.path()).hold(&key), "the reader may still need it");
    reader.execute_batch("COMMIT").unwrap();
    store.forget_requests(Timestamp::MIN, 1).await.unwrap();
    assert!(!Bytes::in_files_of(room.dir.path()).hold(&key));
}

#[tokio::test]
async fn nothing_sealed_is_left_of_a_forgotten_request() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let failed = fill(&store).await;
    // The other job of the room is READY for ever.
    room.sql("UPDATE jobs SET state = 'EXPIRED' WHERE state = 'READY'", []);
    room.sql("UPDATE requests SET job_state = 'EXPIRED' WHERE job_state = 'READY'", []);
    let sealed: Vec<Vec<u8>> = SEALED.iter().flat_map(|sql| room.column(sql)).collect();
    let bytes = Bytes::in_files_of(room.dir.path());
    assert!(sealed.len() > SEALED.len() && sealed.iter().all(|value| bytes.hold(value)));
    let other = store.create_request(request("other"), new_job()).await.unwrap();

    for job in store.forgettable(10).await.unwrap() {
        store.forget_job(job.id).await.unwrap();
    }
    let message = store.job(failed).await.unwrap().failure.unwrap().message;
    assert!(message.contains(super::room::CANARY), "an operator can read it until retention ends");
    assert_eq!(store.forget_requests(Timestamp::MAX, 10).await.unwrap(), 2);
    let bytes = Bytes::in_files_of(room.dir.path());
    assert!(sealed.iter().all(|value| !bytes.hold(value)));

    let failure = store.job(failed).await.unwrap().failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("silo_down", ""));
    let empty = store.request_of(failed).await.unwrap();
    assert_eq!((empty.status, empty.details), (RequestStatus::Archived, RequestDetails::default()));
    let lookups = room.column("SELECT subject_lookup FROM requests WHERE subject_lookup NOT NULL");
    assert_eq!(lookups.len(), 1, "the other request can still be found by its subject");
    let lives = store.request(&other.request.tenant, other.request.id).await.unwrap();
    assert_eq!(lives.details, other.request.details);
    store.verify_audit().await.unwrap();
}

/// Every sealed column that says something of a request.
const SEALED: [&str; 8] = [
    "SELECT details FROM requests",
    "SELECT failure_message FROM jobs WHERE failure_message NOT NULL",
    "SELECT plan FROM plans",
    "SELECT outcome FROM sections WHERE outcome NOT NULL",
    "SELECT cursor FROM slices",
    "SELECT state FROM slices",
    "SELECT kept FROM slices",
    "SELECT manifest FROM published",
];

/// Records a job with a key of its own, lets a worker plan it, and cancels it.
async fn cancelled(store: &SqliteStore, number: u32) -> (JobId, Vec<u8>) {
    let key: Vec<u8> = (0..4).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
    let job = NewJob { wrapped_key: key.clone(), ..new_job() };
    let made = store.create_request(request(&format!("p{number}")), job).await.unwrap();
    let worker = WorkerId::generate();
    let lease = store.lease(&worker, Duration::from_secs(30)).await.unwrap().unwrap();
    store.save_plan(&lease, &[7; 400], &[], &Progress::default()).await.unwrap();
    let tenant = TenantId::new("acme").unwrap();
    let job = store.cancel(&tenant, made.request.id, &Actor::Operator).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    (job.id, key)
}

/// Every run of eight bytes in the files of a directory.
struct Bytes(HashSet<[u8; 8]>);

impl Bytes {
    fn in_files_of(directory: &Path) -> Self {
        let mut runs = HashSet::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let content = std::fs::read(entry.unwrap().path()).unwrap();
            runs.extend(content.windows(8).map(|run| <[u8; 8]>::try_from(run).unwrap()));
        }
        Self(runs)
    }

    /// Says whether any aligned run of the value's last 32 bytes is there: they are random, its head may not be.
    fn hold(&self, value: &[u8]) -> bool {
        let tail = &value[value.len() - 32..];
        tail.chunks_exact(8).any(|run| self.0.contains(run))
    }
}
