//! API keys and the audit log.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::fixtures::{actions, ready, tenant};
use crate::{Actor, AuditEvent, Clock as _, JobStore, NewApiKey, Scope, TestClock};

/// A key works until it expires or is revoked, whichever is first.
pub async fn api_keys_work_until_they_end(store: &dyn JobStore, clock: &TestClock) {
    let new = |hash: u8, ttl: Option<i64>| NewApiKey {
        tenant: tenant("acme"),
        name: "crm".to_owned(),
        scopes: vec![Scope::CompilationRead, Scope::RequestSubmit],
        hash: [hash; 32],
        prefix: "ant_abcd".to_owned(),
        expires_at: ttl.map(|secs| {
            clock.now().checked_add(SignedDuration::from_secs(secs)).expect("in range")
        }),
    };
    let short = store.create_api_key(new(1, Some(10))).await.expect("made");
    let long = store.create_api_key(new(2, None)).await.expect("made");
    assert_ne!(short.id, long.id);
    assert_eq!(long.scopes, [Scope::CompilationRead, Scope::RequestSubmit]);
    assert_eq!((long.name.as_str(), long.prefix.as_str()), ("crm", "ant_abcd"));
    assert_eq!((long.created_at, long.expires_at, long.revoked_at), (clock.now(), None, None));
    let find = async |hash: u8| store.find_api_key(&[hash; 32]).await.expect("readable");
    assert_eq!(find(1).await, Some(short));
    assert_eq!(find(2).await, Some(long.clone()));
    assert_eq!(find(3).await, None);
    assert!(store.create_api_key(new(2, None)).await.is_err(), "a hash belongs to one key");
    clock.advance(SignedDuration::from_secs(10));
    assert_eq!(find(1).await, None, "expired");
    store.revoke_api_key(long.id).await.expect("known");
    assert_eq!(find(2).await, None, "revoked");
    store.revoke_api_key(long.id).await.expect("revoking twice is revoking once");
    assert_eq!(actions(store).await, ["api_key.created", "api_key.created", "api_key.revoked"]);
}

/// Lists of keys show revoked and expired ones too, the oldest first, and of one tenant nobody else's.
pub async fn api_keys_are_listed(store: &dyn JobStore, clock: &TestClock) {
    let mut made = Vec::new();
    for (hash, owner) in [(1, "globex"), (2, "acme"), (3, "acme")] {
        let key = NewApiKey {
            tenant: tenant(owner),
            name: format!("key {hash}"),
            scopes: vec![Scope::AuditRead],
            hash: [hash; 32],
            prefix: "ant_abcd".to_owned(),
            expires_at: Some(clock.now()),
        };
        made.push(store.create_api_key(key).await.expect("made"));
        clock.advance(SignedDuration::from_secs(1));
    }
    store.revoke_api_key(made[2].id).await.expect("known");
    made[2].revoked_at = Some(clock.now());
    assert_eq!(store.api_keys(None).await.expect("readable"), made);
    assert_eq!(store.api_keys(Some(&tenant("acme"))).await.expect("readable"), made[1..]);
    assert_eq!(store.api_keys(Some(&tenant("initech"))).await.expect("readable"), []);
}

/// Entries are numbered without gaps, name the request, and its subject by one pseudonym.
pub async fn every_change_is_audited(store: &dyn JobStore, clock: &TestClock) {
    let (started, lease) = ready(store, clock.now(), "ada@example.com").await;
    store
        .audit(AuditEvent {
            action: "key.rotated",
            actor: Actor::Operator,
            tenant: tenant("acme"),
            request: None,
            job: None,
            facts: BTreeMap::from([("key", "kek_0123456789abcdef".to_owned())]),
        })
        .await
        .expect("appended");
    let entries = store.audit_entries(100).await.expect("readable");
    let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, [5, 4, 3, 2, 1]);
    let rotated = &entries[0];
    assert_eq!((rotated.action.as_str(), rotated.actor.as_str()), ("key.rotated", "operator"));
    assert_eq!((&rotated.request, &rotated.job, &rotated.subject), (&None, &None, &None));
    assert_eq!(rotated.facts.get("key").map(String::as_str), Some("kek_0123456789abcdef"));
    assert_eq!((rotated.at, rotated.tenant.as_str()), (clock.now(), "acme"));
    let subject = entries[1].subject.clone().expect("the subject has a pseudonym");
    assert!(!subject.contains("example"), "a pseudonym is not an address: {subject}");
    for entry in &entries[1..] {
        assert_eq!(entry.request, Some(started.request.to_string()), "{}", entry.action);
        assert_eq!(entry.job, Some(started.job.to_string()), "{}", entry.action);
        assert_eq!(entry.subject.as_ref(), Some(&subject), "{}", entry.action);
    }
    assert_eq!(entries[1].actor, lease.worker.to_string());
    let newest = store.audit_entries(2).await.expect("readable");
    assert_eq!(newest, entries[..2]);

    // The same person asks again: the same pseudonym; another tenant's is another.
    super::fixtures::start(store, "ADA@example.com").await;
    let foreign = super::fixtures::new_request("globex", "ada@example.com");
    store.create_request(foreign, super::fixtures::new_job()).await.expect("recorded");
    let newest = store.audit_entries(2).await.expect("readable");
    assert_eq!(newest[1].subject.as_ref(), Some(&subject));
    assert!(newest[0].subject.is_some() && newest[0].subject.as_ref() != Some(&subject));
}
