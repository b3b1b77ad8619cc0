//! No key goes that something needs.

use antumbra_crypto::KeyState;
use antumbra_jobs::{Actor, JobStore as _, StoreError, TenantId};

use super::room::Vault;
use crate::cli::Exit;
use crate::cli::exit::Fault;

async fn refusal(vault: &Vault, key: &str) -> String {
    let before = vault.ring_text();
    let refused = format!("{:#}", vault.retire(key).await.unwrap_err());
    assert_eq!(vault.ring_text(), before);
    refused
}

#[tokio::test]
async fn a_key_is_retired_once_nothing_needs_it() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let old = daemon.current().active_id().to_owned();
    let jobs = vault.jobs(&daemon, 2).await;
    assert!(refusal(&vault, &old).await.contains("it is active; `antumbra keys rotate`"));
    let new = vault.rotate().await;
    let services = refusal(&vault, &old).await;
    assert!(services.contains("6 service keys need it; `antumbra keys rewrap`"), "{services}");
    vault.rewrap().await;
    // The daemon has not heard of any of it and makes another job.
    let late = vault.jobs(&daemon, 1).await;
    let needed = refusal(&vault, &old).await;
    assert!(needed.contains("1 job need") && needed.contains("keys rewrap"), "{needed}");
    assert_eq!(vault.rewrap().await.done, 1);

    let wrapped = wrapped_of(&vault, &old);
    assert_eq!(vault.retire(&old).await.unwrap(), Exit::Done);
    assert!(!vault.ring_text().contains(&wrapped), "the key's wrapping is gone from the file");
    let states: Vec<_> = vault.ring().await.keys().into_iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Retired, KeyState::Active]);
    assert_eq!(vault.audited("key.retired").await.len(), 1);
    vault.must_read(&daemon, &jobs).await;
    vault.must_read(&daemon, &late).await;

    assert_eq!(vault.retire(&old).await.unwrap(), Exit::Done, "again is fine");
    assert_eq!(vault.audited("key.retired").await.len(), 1);
    assert_eq!(vault.used().await, [(new, 3)]);
}

#[tokio::test]
async fn a_daemon_with_the_old_ring_cannot_make_a_job_that_nobody_could_read() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let old = daemon.current().active_id().to_owned();
    let new = vault.rotate().await;
    vault.rewrap().await;
    vault.retire(&old).await.unwrap();
    let refused = vault.job(&daemon, |bytes| bytes).await.unwrap_err();
    assert!(matches!(refused, StoreError::KeyRetired { key_id } if key_id == old));
    assert!(vault.used().await.is_empty());
    // What the engine does then:
    assert!(daemon.reload().await.unwrap());
    let jobs = vault.jobs(&daemon, 1).await;
    assert_eq!(vault.used().await, [(new, 1)]);
    vault.must_read(&daemon, &jobs).await;
}

#[tokio::test]
async fn a_retirement_that_died_half_way_is_finished_by_the_next() {
    let vault = Vault::new().await;
    let old = vault.ring().await.active_id().to_owned();
    vault.rotate().await;
    vault.rewrap().await;
    let tenant = TenantId::new("default").unwrap();
    vault.store.retire_key(&old, &Actor::Operator, &tenant).await.unwrap();
    assert_eq!(vault.retire(&old).await.unwrap(), Exit::Done);
    assert_eq!(vault.ring().await.keys()[0].state, KeyState::Retired);
    assert_eq!(vault.audited("key.retired").await.len(), 1);
}

#[tokio::test]
async fn unused_keys_go_together_and_needed_ones_stay() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let first = daemon.current().active_id().to_owned();
    vault.jobs(&daemon, 1).await;
    let second = vault.rotate().await;
    let third = vault.rotate().await;
    assert_eq!(vault.retire_unused().await.unwrap(), Exit::Done);
    let state = async |id: &str| {
        let keys = vault.ring().await.keys();
        keys.into_iter().find(|key| key.id == id).unwrap().state
    };
    assert_eq!(state(&first).await, KeyState::Readable, "a job and the service keys need it");
    assert_eq!(state(&second).await, KeyState::Retired);
    assert_eq!(state(&third).await, KeyState::Active);
    vault.rewrap().await;
    for _ in 0..2 {
        assert_eq!(vault.retire_unused().await.unwrap(), Exit::Done);
        assert_eq!(state(&first).await, KeyState::Retired);
    }
    vault.store.verify_audit().await.unwrap();
}

#[tokio::test]
async fn an_unknown_key_is_a_wrong_command_line() {
    let vault = Vault::new().await;
    let refused = vault.retire("kek_0000000000000000").await.unwrap_err();
    assert_eq!(refused.downcast_ref::<Fault>().unwrap().exit(), Exit::Usage);
    // The store must not learn of a key that never was.
    assert!(vault.audited("key.retired").await.is_empty());
}

/// What the ring's file has for the key.
fn wrapped_of(vault: &Vault, id: &str) -> String {
    let file: serde_json::Value = serde_json::from_str(&vault.ring_text()).unwrap();
    let keys = file["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["id"] == id).unwrap();
    key["wrapped"].as_str().unwrap().to_owned()
}
