//! Whoever changes the audit log in the file is found out.

use rusqlite::Connection;

use super::room::{Room, new_job, request};
use crate::{JobStore as _, StoreError};

#[tokio::test]
async fn an_altered_audit_log_is_found() {
    for (sql, broken) in [
        ("UPDATE audit SET actor = 'system' WHERE sequence = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 1", 1),
        ("UPDATE audit SET subject = NULL WHERE sequence = 2", 2),
        ("UPDATE audit SET facts = '{}' WHERE sequence = 4", 4),
        ("UPDATE audit SET hash = zeroblob(32) WHERE sequence = 5", 5),
        ("DELETE FROM audit WHERE sequence = 2", 2),
        ("DELETE FROM audit WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = 5", 5),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET sequence = -sequence WHERE sequence IN (2, 3);
          UPDATE audit SET sequence = 5 + sequence WHERE sequence < 0", 2),
        ("INSERT INTO audit SELECT 6, at, action, actor, tenant, request, job, subject, facts, hash
          FROM audit WHERE sequence = 5", 6),
    ] {
        let room = Room::new().await;
        let store = room.open().unwrap();
        for name in ["one", "two", "three", "four", "five"] {
            store.create_request(request(name), new_job()).await.unwrap();
        }
        assert_eq!(store.verify_audit().await.unwrap(), 5);
        Connection::open(&room.path).unwrap().execute_batch(sql).unwrap();
        let verdict = store.verify_audit().await;
        assert!(
            matches!(verdict, Err(StoreError::AuditBroken { sequence }) if sequence == broken),
            "{sql}: {verdict:?}"
        );
        if sql.starts_with("DELETE") {
            // What is appended afterwards does not hide it.
            store.create_request(request("six"), new_job()).await.unwrap();
            let verdict = store.verify_audit().await;
            assert!(matches!(verdict, Err(StoreError::AuditBroken { .. })), "{sql}: {verdict:?}");
        }
    }
}
