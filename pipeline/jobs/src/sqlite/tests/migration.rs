//! A store that an earlier version made goes on.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::room::{CANARY, Room, envelope, new_job, request};
use crate::sqlite::sealing::Cell;
use crate::sqlite::values::Micros;
use crate::sqlite::{audit, connection};
use crate::{
    Actor, Clock as _, Family, JobId, JobState, JobStore as _, ListQuery, RequestId, RequestStatus,
    Retry, Scope, SqliteStore, StoreError, TenantId, WorkerId,
};

#[tokio::test]
async fn a_store_of_the_first_schema_opens_and_works() {
    let room = Room::new().await;
    let old = Old::make(&room);
    let requested = old.job("REQUESTED", &[]);
    let ready = old.job("READY", &[]);
    let failed = old.job("FAILED", &[]);
    let again = old.job("DELIVERED", &["EXPIRED", "FAILED"]);
    drop(old);

    let store = room.open().unwrap();
    let tenant = TenantId::new("acme").unwrap();
    let all = ListQuery { family: Some(Family::Sombra), state: None, limit: 10, after: None };
    let listing = store.list(&tenant, all.clone()).await.unwrap();
    assert_eq!((listing.total, listing.active, listing.entries.len()), (4, 1, 4));
    for (_, latest) in [requested, ready, failed, again] {
        let found = listing.entries.iter().find(|(_, job)| job.id == latest).unwrap();
        assert_eq!(found.0.status, RequestStatus::of_job(found.1.state));
        assert_eq!(listing.counts[&found.1.state], 1);
        assert!(!found.1.held);
    }

    let worker = WorkerId::generate();
    let lease = store.lease(&worker, Duration::from_secs(30)).await.unwrap().unwrap();
    assert_eq!(lease.job, requested.1);
    store.cancel(&tenant, requested.0, &Actor::Operator).await.unwrap();
    room.clock.advance(SignedDuration::from_hours(1));
    let mut expired = store.expire_due(10).await.unwrap();
    expired.sort();
    let mut expected = [ready.1, again.1];
    expected.sort();
    assert_eq!(expired, expected);
    let ended = store.forgettable(10).await.unwrap();
    assert_eq!(ended.len(), 6, "two earlier attempts among them");
    for job in ended {
        store.forget_job(job.id).await.unwrap();
    }
    assert_eq!(store.forget_requests(Timestamp::MAX, 10).await.unwrap(), 4);
    store.create_request(request("new"), new_job()).await.unwrap();
    assert_eq!(store.list(&tenant, all).await.unwrap().counts[&JobState::Expired], 2);
    store.verify_audit().await.unwrap();
}

#[tokio::test]
async fn a_step_that_breaks_leaves_the_old_schema() {
    let room = Room::new().await;
    let old = Old::make(&room);
    old.job("REQUESTED", &[]);
    // The step cannot add this column again, so it fails after others were added.
    old.sql.execute_batch("ALTER TABLE requests ADD COLUMN forgotten_at INTEGER").unwrap();
    assert!(matches!(room.open(), Err(StoreError::Database(_))));
    let version: u32 = old.sql.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
    old.sql.execute_batch("ALTER TABLE requests DROP COLUMN forgotten_at").unwrap();
    drop(old);
    assert_eq!(room.open().unwrap().forgettable(1).await.unwrap().len(), 0);
}

#[tokio::test]
async fn jobs_of_the_second_schema_name_the_keys_that_wrap_theirs() {
    let room = Room::new().await;
    let old = Old::second(&room);
    let long = "k-".to_owned() + &"9".repeat(62);
    let envelopes: Vec<(Vec<u8>, Option<&str>)> = vec![
        (envelope("k1"), Some("k1")),
        (envelope("01ab-_z"), Some("01ab-_z")),
        (envelope(&long), Some(&long)),
        (envelope("k1")[..4].to_vec(), Some("k1")),
        // Damaged: they name no key, and no key opens them.
        (envelope("k1")[..3].to_vec(), None),
        (envelope(""), None),
        (envelope(&"k".repeat(65)), None),
        (envelope("K1"), None),
        (envelope("k\u{e9}"), None),
        (vec![1, 2, 0, b'k', 9], None),
        (vec![1, 0xff, b'k'], None),
        (vec![2, 2, b'k', b'1', 9], None),
        (vec![1], None),
        (Vec::new(), None),
    ];
    let mut jobs = Vec::new();
    for (bytes, key_id) in &envelopes {
        let (_, job) = old.job("CANCELLED", &[]);
        old.sql
            .execute("UPDATE jobs SET wrapped_key = ?2 WHERE id = ?1", params![job, bytes])
            .unwrap();
        jobs.push((job, bytes, *key_id));
    }
    let (_, forgotten) = old.job("CANCELLED", &[]);
    old.sql
        .execute("UPDATE jobs SET wrapped_key = NULL WHERE id = ?1", params![forgotten])
        .unwrap();
    drop(old);

    let store = room.open().unwrap();
    for (job, bytes, key_id) in jobs {
        let job = store.job(job).await.unwrap();
        assert_eq!(job.key_id.as_deref(), key_id, "{bytes:?}");
        assert_eq!(job.wrapped_key.as_ref(), Some(bytes), "no key is touched");
        if let Some(key_id) = key_id {
            assert_eq!(antumbra_crypto::envelope_key_id(bytes).ok().unwrap_or(key_id), key_id);
        }
    }
    let job = store.job(forgotten).await.unwrap();
    assert_eq!((job.wrapped_key, job.key_id), (None, None));
    let used = store.key_use().await.unwrap();
    let used: Vec<(&str, u64)> = used.iter().map(|key| (key.key_id.as_str(), key.jobs)).collect();
    assert_eq!(used, [("01ab-_z", 1), (long.as_str(), 1), ("k1", 2)]);
}

#[tokio::test]
async fn what_the_second_schema_kept_in_clear_is_sealed_and_read_back() {
    let room = Room::new().await;
    let old = Old::second(&room);
    let (_, ready) = old.job("READY", &[]);
    let (_, forgotten) = old.job("CANCELLED", &[]);
    let (sums, signature, hash) = (random(), random(), random());
    old.sql.execute_batch("BEGIN").unwrap();
    let cell = Cell::new("published", ready.as_bytes(), "manifest");
    let manifest = room.sealing.seal(&cell, b"manifest").unwrap();
    old.sql
        .execute(
            "UPDATE published SET manifest = ?2, signature = ?3, content_sha256 = ?4 WHERE job = ?1",
            params![ready, manifest, signature, sums],
        )
        .unwrap();
    old.sql
        .execute(
            "INSERT INTO published VALUES (?1, x'', x'', ?2, 1, zeroblob(32), 0, 0, 0, NULL, NULL)",
            params![forgotten, sums],
        )
        .unwrap();
    for number in 0..200 {
        let entry = format!("shop/{number}.json");
        old.sql
            .execute(
                "INSERT INTO files VALUES (?1, ?2, 0, ?3, 'shop', 'orders', 'JSON', 'application/json', 1, 1, 5, 6,
                     ?4, ?5)",
                params![ready, entry, number, 0xdead_beef_u32 - number, sums],
            )
            .unwrap();
        old.sql
            .execute(
                "INSERT INTO segments VALUES (?1, ?2, ?3, 0, 'pack', 7, 8, 9, ?4, x'0101')",
                params![ready, entry, number, u32::MAX - number],
            )
            .unwrap();
    }
    let key = uuid::Uuid::now_v7();
    old.sql
        .execute(
            "INSERT INTO api_keys VALUES (?1, 'acme', ?2, '[\"audit:read\"]', 'ant_abcdef', ?3, 1, 2, 3)",
            params![key.as_bytes(), format!("CRM of {CANARY}"), hash],
        )
        .unwrap();
    old.sql.execute_batch("COMMIT").unwrap();
    drop(old);

    let store = room.open().unwrap();
    room.assert_no_canary("after the migration");
    let published = store.published(ready).await.unwrap().unwrap();
    assert_eq!(
        (published.manifest, published.signature),
        (b"manifest".to_vec(), signature.to_vec())
    );
    assert_eq!((published.content_sha256, published.files.len()), (sums, 200));
    for number in 0..200_u32 {
        let file = &published.files[usize::try_from(number).unwrap()];
        assert_eq!((file.crc32, file.sha256), (0xdead_beef - number, sums));
        assert_eq!((file.rows, file.plain_len, file.stored_len), (Some(1), 5, 6));
        let segments = store.segments(ready, &file.entry).await.unwrap();
        assert_eq!((segments[0].ordinal, segments[0].crc32), (number, u32::MAX - number));
        assert_eq!((segments[0].offset, segments[0].flushes.len()), (7, 1));
    }
    assert!(store.published(forgotten).await.unwrap().is_none());
    let delivery = store.job(forgotten).await.unwrap().delivery.unwrap();
    assert_eq!(delivery.content_sha256, None, "what was forgotten cannot be guessed at any more");
    let delivery = store.job(ready).await.unwrap().delivery.unwrap();
    assert_eq!(delivery.content_sha256, Some(sums));
    let keys = store.api_keys(None).await.unwrap();
    assert_eq!((keys[0].id.0, keys[0].name.as_str()), (key, &format!("CRM of {CANARY}")[..]));
    assert_eq!(keys[0].scopes, [Scope::AuditRead]);
    assert!(store.find_api_key(&hash).await.unwrap().is_none(), "it was revoked");
    // What stands alone in a file is random enough to be looked for.
    drop(store);
    for name in ["jobs.db", "jobs.db-wal"] {
        let bytes = std::fs::read(room.dir.path().join(name)).unwrap_or_default();
        for plain in [&signature, &sums] {
            assert!(!bytes.windows(8).any(|run| run == &plain[..8]), "{name}");
        }
    }
    room.open().unwrap().verify_audit().await.unwrap();
}

#[tokio::test]
async fn a_store_under_a_daemon_of_an_earlier_version_is_left_alone() {
    for second in [false, true] {
        let room = Room::new().await;
        let old = if second { Old::second(&room) } else { Old::make(&room) };
        let (_, job) = old.job("READY", &[]);
        let shape = || room.column("SELECT CAST(group_concat(sql, '') AS BLOB) FROM sqlite_schema");
        let before = shape();
        let version = || -> u32 {
            old.sql.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
        };
        let daemon = connection::lock(&room.path).unwrap();
        let beside = || {
            let (sealing, clock) = (room.sealing.clone(), Arc::clone(&room.clock) as _);
            SqliteStore::open_shared(&room.path, sealing, clock)
        };
        let refused = beside().unwrap_err();
        assert!(
            matches!(&refused, StoreError::EarlierOwner { path, found, known: 4 }
                if *path == room.path && *found == 1 + u32::from(second)),
            "{refused:?}"
        );
        assert_eq!((refused.code(), refused.retry()), ("store_earlier_owner", Retry::Operator));
        assert!(refused.to_string().contains("stop it or restart it"), "{refused}");
        assert_eq!((version(), shape()), (1 + u32::from(second), before));
        old.sql
            .query_row("SELECT crc32, sha256 FROM files", [], |_| Ok(()))
            .optional()
            .expect("a statement of the earlier version runs");

        drop(daemon);
        let store = beside().unwrap();
        assert_eq!((version(), store.job(job).await.unwrap().id), (4, job));
        let owner = room.open().expect("who migrated it does not own it");
        assert!(beside().is_ok(), "its owner has this version");
        drop(owner);
    }
}

#[tokio::test]
async fn a_new_store_may_be_made_beside_its_owner() {
    let room = Room::new().await;
    let _starting = connection::lock(&room.path).unwrap();
    let (sealing, clock) = (room.sealing.clone(), Arc::clone(&room.clock) as _);
    SqliteStore::open_shared(&room.path, sealing, clock).unwrap();
}

/// A file as the first version left it.
struct Old<'a> {
    room: &'a Room,
    sql: Connection,
}

impl<'a> Old<'a> {
    fn make(room: &'a Room) -> Self {
        let sql = Connection::open(&room.path).unwrap();
        sql.execute_batch(include_str!("../../../migrations/sqlite/0001_store.sql")).unwrap();
        sql.pragma_update(None, "user_version", 1).unwrap();
        audit::writer_id(&sql, &room.sealing).unwrap();
        Self { room, sql }
    }

    /// A file as the second version left it.
    fn second(room: &'a Room) -> Self {
        let old = Self::make(room);
        let second = include_str!("../../../migrations/sqlite/0002_compliance.sql");
        old.sql.execute_batch(second).unwrap();
        old.sql.pragma_update(None, "user_version", 2).unwrap();
        old
    }

    /// Records a request whose latest job is in `state`, after earlier ones.
    fn job(&self, state: &str, earlier: &[&str]) -> (RequestId, JobId) {
        let (request, now) = (RequestId::generate(), Micros(self.room.clock.now()));
        let cell = Cell::new("requests", request.as_bytes(), "details");
        let details = self.room.sealing.seal(&cell, b"{\"email\":\"ada@example.com\"}").unwrap();
        let latest: JobState = state.parse().unwrap();
        self.sql
            .execute(
                "INSERT INTO requests (id, tenant, family, action, subject_type, scope, formats, is_test,
                     is_silent, details, status, created_at, updated_at)
                 VALUES (?1, 'acme', 'sombra', 'ACCESS', 'customer', 'DATA_SUBJECT', '[\"JSON\"]', 0, 0, ?2, ?3, ?4,
                     ?4)",
                params![request, details, RequestStatus::of_job(latest), now],
            )
            .unwrap();
        let mut job = JobId::generate();
        for (attempt, state) in (1_u32..).zip(earlier.iter().chain([&state])) {
            job = JobId::generate();
            self.sql
                .execute(
                    "INSERT INTO jobs (id, request, tenant, attempt, state, wrapped_key, created_at, updated_at)
                     VALUES (?1, ?2, 'acme', ?3, ?4, x'0102', ?5, ?5)",
                    params![job, request, attempt, state, now],
                )
                .unwrap();
        }
        if matches!(latest, JobState::Ready | JobState::Delivered) {
            let ends = self.room.clock.now().checked_add(SignedDuration::from_hours(1)).unwrap();
            self.sql
                .execute(
                    "INSERT INTO published VALUES (?1, x'00', x'00', zeroblob(32), 1, zeroblob(32), 0, 0, ?2,
                         NULL, NULL)",
                    params![job, Micros(ends)],
                )
                .unwrap();
        }
        (request, job)
    }
}

fn random() -> [u8; 32] {
    let (one, two) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    std::array::from_fn(|at| one.as_bytes()[at % 16] ^ two.as_bytes()[(at / 2) % 16])
}
