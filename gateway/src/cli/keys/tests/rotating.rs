//! A new key wraps, the old one reads.

use antumbra_crypto::KeyState;

use super::room::{Vault, run};
use crate::cli::Exit;
use crate::cli::args::{KeysCommand, KeysListArgs, KeysRotateArgs};

#[tokio::test]
async fn the_new_key_wraps_and_the_old_one_reads() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let old = daemon.current().active_id().to_owned();
    let jobs = vault.jobs(&daemon, 2).await;
    let new = vault.rotate().await;
    assert_ne!(new, old);
    let states: Vec<_> =
        vault.ring().await.keys().into_iter().map(|key| (key.id, key.state)).collect();
    assert_eq!(states, [(old.clone(), KeyState::Readable), (new.clone(), KeyState::Active)]);
    assert_eq!(vault.used().await, [(old.clone(), 2)]);
    let audited = vault.audited("key.rotated").await;
    assert_eq!((audited.len(), audited[0].facts["key"].as_str()), (1, new.as_str()));
    assert_eq!(audited[0].actor, "operator");

    // A daemon that has not heard of it goes on, and so does one that has.
    let late = vault.jobs(&daemon, 1).await;
    assert!(daemon.reload().await.unwrap());
    vault.must_read(&daemon, &jobs).await;
    vault.must_read(&daemon, &late).await;
    vault.jobs(&daemon, 1).await;
    let mut used = vault.used().await;
    used.sort();
    let mut expected = vec![(old, 3), (new, 1)];
    expected.sort();
    assert_eq!(used, expected);
    vault.store.verify_audit().await.unwrap();
}

#[tokio::test]
async fn with_rewrap_nothing_needs_the_old_key_afterwards() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let jobs = vault.jobs(&daemon, 3).await;
    let args = KeysRotateArgs { rewrap: true, settings: vault.args() };
    assert_eq!(run(KeysCommand::Rotate(args)).await.unwrap(), Exit::Done);
    let ring = vault.ring().await;
    assert_eq!(vault.used().await, [(ring.active_id().to_owned(), 3)]);
    let services: Vec<u32> = ring.keys().iter().map(|key| key.services).collect();
    assert_eq!(services, [0, 6]);
    // The daemon meets a key that it does not know, and reads the ring again by itself.
    vault.must_read(&daemon, &jobs).await;
    assert_eq!(daemon.current().active_id(), ring.active_id());
}

#[tokio::test]
async fn no_key_is_made_that_the_audit_log_does_not_know() {
    let vault = Vault::new().await;
    let before = vault.ring_text();
    vault.stop_audit();
    let args = KeysRotateArgs { rewrap: true, settings: vault.args() };
    let refused = run(KeysCommand::Rotate(args.clone())).await.unwrap_err();
    assert!(format!("{refused:#}").contains("nothing was changed"), "{refused:#}");
    assert_eq!(vault.ring_text(), before);

    // Dying before the ring is stored leaves an entry, and no key.
    vault.sql().execute_batch("drop trigger full").unwrap();
    let unfinished = vault.shop.path("keys/ring.json.unfinished");
    std::fs::create_dir(&unfinished).unwrap();
    let refused = format!("{:#}", run(KeysCommand::Rotate(args)).await.unwrap_err());
    let audited = vault.audited("key.rotated").await;
    assert_eq!(audited.len(), 1, "{refused}");
    assert!(refused.contains(&audited[0].facts["key"]) && refused.contains("not in the ring"));
    assert_eq!(vault.ring_text(), before);
    std::fs::remove_dir(unfinished).unwrap();
    vault.rotate().await;
    vault.store.verify_audit().await.unwrap();
}

#[tokio::test]
async fn without_a_ring_the_error_says_what_makes_one() {
    let vault = Vault::new().await;
    std::fs::remove_file(&vault.shop.settings.keys.ring).unwrap();
    let args = KeysRotateArgs { rewrap: false, settings: vault.args() };
    assert!(run(KeysCommand::Rotate(args)).await.is_err());
    let args = KeysListArgs { json: false, settings: vault.args() };
    let error = format!("{:#}", run(KeysCommand::List(args)).await.unwrap_err());
    assert!(error.contains("ring.json") && error.contains("keys generate"), "{error}");
}
