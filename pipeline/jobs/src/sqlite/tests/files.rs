//! The file, its lock, its connections.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rusqlite::Connection;

use super::room::{Room, new_job, request};
use crate::sqlite::work::Work;
use crate::sqlite::{delivery, forget, grants, keys, leases, listing, requests};
use crate::{JobStore as _, SqliteStore, StoreError};

#[tokio::test]
async fn a_store_of_a_later_version_is_too_new() {
    let room = Room::new().await;
    drop(room.open().unwrap());
    room.sql("PRAGMA user_version = 99", []);
    assert!(matches!(room.open(), Err(StoreError::TooNew { found: 99, known: 4 })));
}

#[tokio::test]
async fn one_owner_at_a_time() {
    let room = Room::new().await;
    let owner = room.open().unwrap();
    let second = room.open();
    assert!(matches!(&second, Err(StoreError::InUse { path }) if *path == room.path), "{second:?}");
    // A command beside the owner is allowed, and both see what the other wrote.
    let beside =
        SqliteStore::open_shared(&room.path, room.sealing.clone(), Arc::clone(&room.clock) as _)
            .unwrap();
    let made = beside.create_request(request("one"), new_job()).await.unwrap();
    assert_eq!(owner.job(made.job.id).await.unwrap().id, made.job.id);
    owner.create_request(request("two"), new_job()).await.unwrap();
    assert_eq!(beside.verify_audit().await.unwrap(), 2);
    drop((owner, beside));
    room.open().unwrap();
}

#[tokio::test]
async fn only_the_owner_of_the_files_can_read_them() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    store.create_request(request("one"), new_job()).await.unwrap();
    let mut found = 0;
    for entry in std::fs::read_dir(room.dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        found += 1;
    }
    assert_eq!(found, 4, "the store, its log, its shared memory, its lock");
}

#[tokio::test]
async fn connections_are_as_careful_as_promised() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let settings = |work: &Work<'_>| {
        let ask = |name| {
            Ok::<i64, StoreError>(work.sql.pragma_query_value(None, name, |row| row.get(0))?)
        };
        Ok([
            ask("synchronous")?,
            ask("secure_delete")?,
            ask("foreign_keys")?,
            ask("trusted_schema")?,
            ask("temp_store")?,
            ask("busy_timeout")?,
        ])
    };
    assert_eq!(store.read(settings).await.unwrap(), [2, 1, 1, 0, 2, 5000]);
    assert_eq!(store.write(settings).await.unwrap(), [2, 1, 1, 0, 2, 5000]);
    let written = store.read(|work| work.execute("DELETE FROM audit", [])).await;
    assert!(matches!(written, Err(StoreError::Database(_))), "a reader cannot write");
}

#[tokio::test]
async fn the_search_for_work_uses_its_index() {
    let room = Room::new().await;
    drop(room.open().unwrap());
    let plan: String = Connection::open(&room.path)
        .unwrap()
        .query_row(&format!("EXPLAIN QUERY PLAN {}", leases::FREE), [0], |row| row.get("detail"))
        .unwrap();
    assert!(plan.contains("jobs_active"), "{plan}");
}

#[tokio::test]
async fn reads_and_writes_run_beside_each_other() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let tasks = (0..24).map(|number| {
        let store = store.clone();
        async move {
            let made =
                store.create_request(request(&format!("p{number}")), new_job()).await.unwrap();
            store.job(made.job.id).await.unwrap();
        }
    });
    let mut set = tokio::task::JoinSet::new();
    for task in tasks {
        set.spawn(task);
    }
    set.join_all().await;
    assert_eq!(store.verify_audit().await.unwrap(), 24);
}

#[tokio::test]
async fn lists_and_sweeps_use_their_indexes() {
    let room = Room::new().await;
    drop(room.open().unwrap());
    let connection = Connection::open(&room.path).unwrap();
    for (sql, index) in [
        (listing::COUNTS, "requests_by_state"),
        (listing::PAGE, "requests_newest"),
        (listing::PAGE_IN_STATE, "requests_by_state"),
        (requests::ACTIVE, "requests_by_state"),
        (delivery::ANY_DUE, "jobs_due"),
        (delivery::DUE, "jobs_due"),
        (forget::ENDED, "jobs_forgettable"),
        (forget::OVER, "requests_forgettable"),
        (grants::ENDED, "grants_by_end"),
        (keys::USE, "jobs_by_key"),
        (keys::COUNT, "jobs_by_key"),
        (keys::NEXT, "jobs_by_key"),
        (keys::UNDER, "jobs_by_key"),
    ] {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get::<_, String>("detail").unwrap());
        }
        assert!(plan[0].split(' ').any(|word| word == index), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {plan:?}");
    }
}
