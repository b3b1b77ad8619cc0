//! A key is retired by one process while another makes jobs under it.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::room::{KEY, Room, new_job, request};
use crate::{Actor, Job, JobStore as _, KeyUse, NewJob, SqliteStore, StoreError, TenantId};

/// Who comes first in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Creators,
    Retirer,
    Whoever,
}

/// Two processes are two stores: each has a connection of its own, and only the file's lock between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_interleaving_leaves_a_job_under_a_retired_key() {
    let room = Room::new().await;
    let owner = room.open().unwrap();
    for round in 0..24 {
        let first = [First::Creators, First::Retirer, First::Whoever, First::Whoever][round % 4];
        let (made, retired) = play(&room, &format!("kek_{round:016x}"), first);
        match first {
            First::Creators => assert!((made, retired) == (2, false), "{made} {retired}"),
            First::Retirer => assert!((made, retired) == (0, true), "{made} {retired}"),
            First::Whoever => assert_eq!(made == 0, retired),
        }
        let counted = owner.key_use().await.unwrap();
        let under = |used: &&KeyUse| used.key_id == format!("kek_{round:016x}");
        assert_eq!(counted.iter().find(under).map_or(0, |used| used.jobs), made);
    }
    owner.verify_audit().await.unwrap();
}

/// Lets two make jobs under a key and one retire it; answers how many jobs there are, and whether it was retired.
fn play(room: &Room, key_id: &str, first: First) -> (u64, bool) {
    let create = |at: u8| {
        let (store, request) = (beside(room), request(&format!("{key_id}-{at}")));
        let job = NewJob { key_id: key_id.to_owned(), ..new_job() };
        async move { store.create_request(request, job).await.map(|made| made.job) }
    };
    let retire = || {
        let (store, key_id) = (beside(room), key_id.to_owned());
        async move { retire(&store, &key_id).await }
    };
    let now = Arc::new(Barrier::new(1));
    let (created, retired) = match first {
        First::Creators => {
            let created = [0, 1].map(|at| on_a_thread(&now, create(at)).join().unwrap());
            (created, on_a_thread(&now, retire()).join().unwrap())
        }
        First::Retirer => {
            let retired = on_a_thread(&now, retire()).join().unwrap();
            ([0, 1].map(|at| on_a_thread(&now, create(at)).join().unwrap()), retired)
        }
        First::Whoever => {
            let start = Arc::new(Barrier::new(3));
            let creators = [0, 1].map(|at| on_a_thread(&start, create(at)));
            let retired = on_a_thread(&start, retire()).join().unwrap();
            (creators.map(|creator| creator.join().unwrap()), retired)
        }
    };
    let made = created.into_iter().filter(|made| is_made(made, key_id)).count() as u64;
    match retired {
        Ok(()) => (made, true),
        Err(StoreError::KeyNeeded { jobs, .. }) => {
            assert!((1..=2).contains(&jobs) && jobs <= made);
            (made, false)
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn is_made(made: &Result<Job, StoreError>, key_id: &str) -> bool {
    match made {
        Ok(job) => job.key_id.as_deref() == Some(key_id) || panic!("{job:?}"),
        Err(StoreError::KeyRetired { key_id: which }) if which == key_id => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// Whoever begins while another process is in the middle waits for its end, and sees what it did.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_open_transaction_decides_binds_the_next() {
    let room = Room::new().await;
    let owner = room.open().unwrap();
    let now = Arc::new(Barrier::new(1));

    let store = beside(&room);
    let waits = busy(&store);
    let retiring = begin(&room);
    retiring
        .execute("INSERT INTO retired_keys (key_id, retired_at) VALUES (?1, 0)", [KEY])
        .unwrap();
    let creator =
        on_a_thread(&now, async move { store.create_request(request("one"), new_job()).await });
    waits.recv_timeout(LIMIT).expect("nobody waits for the open transaction");
    assert!(!creator.is_finished(), "it cannot decide yet");
    retiring.execute_batch("COMMIT").unwrap();
    let refused = creator.join().unwrap();
    assert!(matches!(refused, Err(StoreError::KeyRetired { .. })), "{refused:?}");

    let [second, third] = ["kek_2", "kek_3"];
    let other = NewJob { key_id: second.to_owned(), ..new_job() };
    let made = owner.create_request(request("two"), other).await.unwrap();
    let store = beside(&room);
    let waits = busy(&store);
    let moving = begin(&room);
    moving.execute("UPDATE jobs SET key_id = ?2 WHERE id = ?1", (made.job.id, third)).unwrap();
    let retirer = on_a_thread(&now, async move { retire(&store, third).await });
    waits.recv_timeout(LIMIT).expect("nobody waits for the open transaction");
    assert!(!retirer.is_finished(), "it cannot decide yet");
    moving.execute_batch("COMMIT").unwrap();
    let refused = retirer.join().unwrap();
    assert!(matches!(refused, Err(StoreError::KeyNeeded { jobs: 1, .. })), "{refused:?}");
}

async fn retire(store: &SqliteStore, key_id: &str) -> Result<(), StoreError> {
    store.retire_key(key_id, &Actor::Operator, &TenantId::new("acme").unwrap()).await
}

fn beside(room: &Room) -> SqliteStore {
    SqliteStore::open_shared(&room.path, room.sealing.clone(), Arc::clone(&room.clock) as _)
        .unwrap()
}

fn begin(room: &Room) -> Connection {
    let connection = Connection::open(&room.path).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

fn on_a_thread<T: Send + 'static>(
    start: &Arc<Barrier>,
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let (start, runtime) = (Arc::clone(start), tokio::runtime::Handle::current());
    std::thread::spawn(move || {
        start.wait();
        runtime.block_on(work)
    })
}

/// Tells when a write of the store finds another process's transaction in its way; it tries again until that ends.
fn busy(store: &SqliteStore) -> Receiver<()> {
    let (tell, told) = mpsc::channel();
    store.when_busy(move |tries| {
        // Nobody listens any more when it has been told once.
        let _told = (tries == 0).then(|| tell.send(()));
        std::thread::yield_now();
        true
    });
    told
}

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);
