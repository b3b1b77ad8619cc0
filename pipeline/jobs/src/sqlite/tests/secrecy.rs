//! Who has the file but not the keys learns nothing and moves nothing.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::room::{CANARY, Room, collect, fill, new_job, request};
use crate::{JobStore as _, Sealing, SqliteStore, StoreError};

#[tokio::test]
async fn nothing_personal_is_found_in_the_files() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let job = fill(&store).await;
    room.assert_no_canary("while the store is open");
    // Deleting and moving pages must leave nothing behind either.
    Connection::open(&room.path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    room.assert_no_canary("after a checkpoint");
    assert!(store.job(job).await.unwrap().failure.is_some());
    let shown = format!("{store:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    drop(store);
    room.assert_no_canary("after closing");
    let store = room.open().unwrap();
    let message = store.job(job).await.unwrap().failure.unwrap().message;
    assert!(message.contains(CANARY), "the canary was written at all");
}

#[tokio::test]
async fn other_keys_do_not_open_the_store() {
    let room = Room::new().await;
    drop(room.open().unwrap());
    let other = Room::new().await;
    let clock = Arc::clone(&room.clock);
    let opened = SqliteStore::open(&room.path, other.sealing.clone(), clock);
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");

    // One wrong key of the three shows too.
    let mixed = Sealing { index: other.sealing.index, ..room.sealing.clone() };
    let opened = SqliteStore::open(&room.path, mixed, Arc::clone(&room.clock) as _);
    assert!(matches!(opened, Err(StoreError::Corrupt { what: "proof of keys", .. })), "{opened:?}");
    room.open().unwrap();
}

#[tokio::test]
async fn moved_ciphertext_is_corrupt() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let first = store.create_request(request("one"), new_job()).await.unwrap();
    let second = store.create_request(request("two"), new_job()).await.unwrap();
    room.sql(
        "UPDATE requests SET details =
             (SELECT details FROM requests AS other WHERE other.id <> requests.id)
         WHERE id = ?1",
        params![first.request.id],
    );
    let moved = store.request(&first.request.tenant, first.request.id).await;
    assert!(matches!(moved, Err(StoreError::Corrupt { what: "details", .. })), "{moved:?}");
    store.request(&second.request.tenant, second.request.id).await.unwrap();
}

#[tokio::test]
async fn ciphertext_moved_between_slices_or_columns_is_corrupt() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let (job, _) = collect(&store).await;
    assert_eq!(store.slices(job, 0, 0, u32::MAX).await.unwrap().len(), 2);
    for sql in [
        "UPDATE slices SET cursor = (SELECT cursor FROM slices WHERE ordinal = 1)",
        "UPDATE slices SET cursor = state",
        "UPDATE slices SET kept = substr(kept, 1, length(kept) - 1)",
    ] {
        let before = room.column("SELECT cursor FROM slices ORDER BY ordinal");
        let kept = room.column("SELECT kept FROM slices ORDER BY ordinal");
        room.sql(sql, []);
        let moved = store.slices(job, 0, 0, u32::MAX).await;
        assert!(matches!(moved, Err(StoreError::Corrupt { .. })), "{sql}: {moved:?}");
        for (ordinal, (cursor, kept)) in before.iter().zip(&kept).enumerate() {
            let ordinal = u32::try_from(ordinal).unwrap();
            room.sql(
                "UPDATE slices SET cursor = ?2, kept = ?3 WHERE ordinal = ?1",
                params![ordinal, cursor, kept],
            );
        }
        store.slices(job, 0, 0, u32::MAX).await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_word_in_a_column_is_corrupt() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let made = store.create_request(request("one"), new_job()).await.unwrap();
    room.sql("UPDATE jobs SET state = 'SLEEPING'", []);
    let read = store.job(made.job.id).await;
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
}
