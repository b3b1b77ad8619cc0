//! What is forgotten is in no file any more.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antumbra_crypto::WrappedKey;
use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::room::{Room, fill, new_job, request};
use crate::{
    Actor, JobId, JobState, JobStore as _, NewJob, Progress, Published, RequestDetails,
    RequestStatus, SqliteStore, TenantId, WorkerId,
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

#[tokio::test]
async fn destroyed_and_replaced_keys_leave_the_files() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    // Every third job is kept; of the others' keys half were replaced before.
    let mut jobs = Vec::new();
    for number in 0..36_u32 {
        let (job, key) = if number % 2 == 0 {
            ready(&store, number).await
        } else {
            cancelled(&store, number).await
        };
        let mut keys = vec![key];
        if number % 4 < 2 {
            let bytes = random_key();
            let new = WrappedKey { key_id: "k2".to_owned(), bytes: bytes.clone() };
            assert!(store.replace_key(job, &keys[0], &new).await.unwrap());
            keys.push(bytes);
        }
        jobs.push((number % 3 == 0, job, keys));
    }
    let bytes = Bytes::in_files_of(room.dir.path());
    let there = |(_, _, keys): &(bool, JobId, Vec<Vec<u8>>)| bytes.hold(keys.last().unwrap());
    assert!(jobs.iter().all(there), "a key that is there is found");
    for (kept, job, _) in &jobs {
        if !kept {
            store.destroy_key(*job, &Actor::Operator).await.unwrap();
        }
    }
    let check = |when| {
        let bytes = Bytes::in_files_of(room.dir.path());
        for (number, (kept, _, keys)) in jobs.iter().enumerate() {
            let (last, replaced) = keys.split_last().unwrap();
            assert_eq!(bytes.hold(last), *kept, "key {number} {when}");
            assert!(!replaced.iter().any(|key| bytes.hold(key)), "replaced key {number} {when}");
        }
    };
    check("while the store is open");
    store.verify_audit().await.unwrap();
    drop(store);
    check("after closing");
    room.open().unwrap().verify_audit().await.unwrap();
}

#[tokio::test]
async fn readers_beside_a_destruction_delay_only_the_cleaning() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let mut jobs = Vec::new();
    for number in 0..12_u32 {
        jobs.push(ready(&store, number).await);
    }
    // Readers that begin before, between and after the destructions, on connections of their own and on the store's.
    let stop = Arc::new(AtomicBool::new(false));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (path, stop) = (room.path.clone(), Arc::clone(&stop));
        readers.spawn_blocking(move || {
            let connection = Connection::open(path).unwrap();
            connection.busy_timeout(Duration::from_secs(5)).unwrap();
            while !stop.load(Ordering::Relaxed) {
                let sql = "SELECT count(wrapped_key) FROM jobs";
                let count: u32 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
                assert!(count <= 12);
            }
        });
    }
    for (job, key) in &jobs {
        let destroy = store.destroy_key(*job, &Actor::Operator);
        let (destroyed, read) = tokio::join!(destroy, store.job(*job));
        assert_eq!((destroyed.unwrap().job.state, read.unwrap().id), (JobState::Expired, *job));
        assert!(
            store.keys_not_under("", None, 99).await.unwrap().iter().all(|k| &k.wrapped_key != key)
        );
    }
    stop.store(true, Ordering::Relaxed);
    readers.join_all().await;
    // What was still read then goes with the next call.
    assert!(store.destroy_key(jobs[0].0, &Actor::Operator).await.unwrap().is_scrubbed);
    let bytes = Bytes::in_files_of(room.dir.path());
    assert!(jobs.iter().all(|(_, key)| !bytes.hold(key)));
    store.verify_audit().await.unwrap();
}

#[tokio::test]
async fn a_reader_that_stays_keeps_a_destroyed_key_only_as_long_as_it_reads() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let (job, key) = ready(&store, 0).await;
    let reader = Connection::open(&room.path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM jobs").unwrap();
    assert!(!store.destroy_key(job, &Actor::Operator).await.unwrap().is_scrubbed);
    assert_eq!(store.job(job).await.unwrap().wrapped_key, None);
    assert!(Bytes::in_files_of(room.dir.path()).hold(&key), "the reader may still need it");
    assert!(!store.destroy_key(job, &Actor::Operator).await.unwrap().is_scrubbed);
    assert!(Bytes::in_files_of(room.dir.path()).hold(&key));
    reader.execute_batch("COMMIT").unwrap();
    assert!(store.destroy_key(job, &Actor::Operator).await.unwrap().is_scrubbed);
    assert!(!Bytes::in_files_of(room.dir.path()).hold(&key));
}

#[tokio::test]
async fn a_crash_before_the_cleaning_is_made_up_for_by_the_next_owner() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let (job, key) = ready(&store, 0).await;
    let reader = Connection::open(&room.path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM jobs").unwrap();
    store.destroy_key(job, &Actor::Operator).await.unwrap();
    // The files as a power cut would leave them.
    let after = Room { dir: tempfile::tempdir().unwrap(), ..Room::new().await };
    for file in ["jobs.db", "jobs.db-wal"] {
        std::fs::copy(room.dir.path().join(file), after.dir.path().join(file)).unwrap();
    }
    assert!(Bytes::in_files_of(after.dir.path()).hold(&key), "the log was not emptied");
    let path = after.dir.path().join("jobs.db");
    let opened =
        SqliteStore::open(&path, room.sealing.clone(), Arc::clone(&room.clock) as _).unwrap();
    assert!(!Bytes::in_files_of(after.dir.path()).hold(&key));
    assert_eq!(opened.job(job).await.unwrap().state, JobState::Expired);
    opened.verify_audit().await.unwrap();
}

/// Every sealed column that says something of a request.
const SEALED: [&str; 10] = [
    "SELECT details FROM requests",
    "SELECT failure_message FROM jobs WHERE failure_message NOT NULL",
    "SELECT plan FROM plans",
    "SELECT outcome FROM sections WHERE outcome NOT NULL",
    "SELECT cursor FROM slices",
    "SELECT state FROM slices",
    "SELECT kept FROM slices",
    "SELECT manifest FROM published",
    "SELECT signature FROM published",
    "SELECT content_sha256 FROM published",
];

/// Records a job with a key of its own, lets a worker plan it, and cancels it.
async fn cancelled(store: &SqliteStore, number: u32) -> (JobId, Vec<u8>) {
    let key = random_key();
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

/// Records a job with a key of its own, and publishes an empty bundle.
async fn ready(store: &SqliteStore, number: u32) -> (JobId, Vec<u8>) {
    let key = random_key();
    let job = NewJob { wrapped_key: key.clone(), held: true, ..new_job() };
    let made = store.create_request(request(&format!("r{number}")), job).await.unwrap();
    let worker = WorkerId::generate();
    let lease = store.lease_job(made.job.id, &worker, Duration::from_secs(30)).await.unwrap();
    let lease = lease.unwrap();
    store.save_plan(&lease, &[7; 400], &[], &Progress::default()).await.unwrap();
    store.start_packaging(&lease).await.unwrap();
    let published = Published {
        manifest: vec![7; 900],
        signature: vec![8; 128],
        content_sha256: [0; 32],
        bundle_len: 1,
        bundle_sha256: [0; 32],
        bundle_time: Timestamp::UNIX_EPOCH,
        files: Vec::new(),
        segments: Vec::new(),
        partial: false,
        expires_at: Timestamp::MAX,
    };
    store.publish(&lease, published).await.unwrap();
    (made.job.id, key)
}

fn random_key() -> Vec<u8> {
    (0..4).flat_map(|_| Uuid::new_v4().into_bytes()).collect()
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
