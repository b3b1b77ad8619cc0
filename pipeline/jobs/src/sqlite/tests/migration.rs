//! A store that an earlier version made goes on.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::room::{Room, new_job, request};
use crate::sqlite::audit;
use crate::sqlite::sealing::Cell;
use crate::sqlite::values::Micros;
use crate::{
    Actor, Clock as _, Family, JobId, JobState, JobStore as _, ListQuery, RequestId, RequestStatus,
    StoreError, TenantId, WorkerId,
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

    /// Records a request whose latest job is in `state`, after earlier ones.
    fn job(&self, state: &str, earlier: &[&str]) -> (RequestId, JobId) {
        let (request, now) = (RequestId::generate(), Micros(self.room.clock.now()));
        let cell = Cell::new("requests", request.as_bytes(), "details");
        let details = self.room.sealing.seal(&cell, b"{\"email\":\"ada@example.com\"}").unwrap();
        let latest: JobState = state.parse().unwrap();
        self.sql
            .execute(
                "INSERT INTO requests VALUES (?1, 'acme', 'sombra', 'ACCESS', 'customer', 'DATA_SUBJECT',
                     '[\"JSON\"]', 0, 0, ?2, NULL, NULL, ?3, ?4, ?4)",
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
