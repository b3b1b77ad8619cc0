//! Rotating, rewrapping and retiring, one at a time.

use std::sync::Arc;

use super::room::*;
use crate::keyring::file::MAX_KEYS;
use crate::{Error, KeyRing, KeyState, Roots};

fn states(ring: &KeyRing) -> Vec<(KeyState, u32)> {
    ring.keys().iter().map(|key| (key.state, key.services)).collect()
}

#[tokio::test]
async fn rotating_keeps_the_old_key_readable() {
    let (old, _, roots, _) = ring().await;
    let (secret, envelope) = wrapped(&old).await;
    let (ring, file) = old.rotated("2027-01-01T00:00:00Z").await.unwrap();
    assert_eq!(states(&ring), [(KeyState::Readable, 6), (KeyState::Active, 0)]);
    assert_eq!(ring.keys()[1].created, "2027-01-01T00:00:00Z");
    assert_eq!(unwrapped(&ring, &envelope).await, secret);
    let again = KeyRing::open(&file, &roots).await.unwrap();
    assert_eq!(again.keys(), ring.keys());

    let (newer_secret, newer) = wrapped(&ring).await;
    assert_eq!(unwrapped(&again, &newer).await, newer_secret);
    let error = old.unwrap(&newer, &place()).await.unwrap_err();
    assert_eq!(unknown_key(&error), ring.active_id());
}

#[tokio::test]
async fn rewrapping_a_data_key_keeps_the_key_and_happens_once() {
    let (old, ..) = ring().await;
    let (secret, envelope) = wrapped(&old).await;
    assert_eq!(old.rewrap(&envelope, &place()).await.unwrap(), None);
    let (ring, _) = old.rotated(NOW).await.unwrap();
    let anew = ring.rewrap(&envelope, &place()).await.unwrap().expect("under the old key");
    assert_eq!(anew.key_id, ring.active_id());
    assert_eq!(unwrapped(&ring, &anew.bytes).await, secret);
    assert_eq!(ring.rewrap(&anew.bytes, &place()).await.unwrap(), None);
    let moved = crate::Context::new("p").with("other job");
    let error = ring.rewrap(&envelope, &moved).await.unwrap_err();
    assert_eq!(error.code(), "authentication_failed");
}

#[tokio::test]
async fn rewrapped_ring_needs_the_active_key_alone() {
    let (old, ..) = ring().await;
    assert!(old.rewrapped().await.unwrap().is_none());
    let (ring, _) = old.rotated(NOW).await.unwrap();
    let (ring, file) = ring.rewrapped().await.unwrap().expect("service keys have to move");
    assert_eq!(states(&ring), [(KeyState::Readable, 0), (KeyState::Active, 6)]);
    assert!(ring.is_of_same_installation(&old));
    assert_eq!(ring.bytes, file);
    assert!(ring.rewrapped().await.unwrap().is_none());
}

#[tokio::test]
async fn rewrapped_ring_needs_the_current_root_alone() {
    let (ring, file, _, root) = ring().await;
    let (secret, envelope) = wrapped(&ring).await;
    let new_root = Arc::new(TestRoot::new("new-root", 2));
    let both = Roots::new(new_root.clone()).with_older(root);
    let ring = open(&file, &both).await.unwrap();
    let (ring, file) = ring.rewrapped().await.unwrap().expect("the key has to move");
    assert_eq!(ring.keys()[0].root.as_deref(), Some("new-root"));
    assert!(ring.rewrapped().await.unwrap().is_none());
    let again = KeyRing::open(&file, &Roots::new(new_root)).await.unwrap();
    assert_eq!(unwrapped(&again, &envelope).await, secret);
}

#[tokio::test]
async fn rewrapping_takes_the_newest_version_of_the_root() {
    let (roots, _) = roots(TestRoot::new("vault", 1).with_versions());
    let (ring, file) = KeyRing::create(&roots, NOW).await.unwrap();
    let (_, anew) = ring.rewrapped().await.unwrap().expect("wrapped anew");
    assert_ne!(file, anew);
    assert!(KeyRing::open(&anew, &roots).await.unwrap().is_of_same_installation(&ring));
}

#[tokio::test]
async fn root_that_cannot_read_back_is_not_trusted() {
    let (good, file, _, root) = ring().await;
    let (broken, _) = roots(TestRoot::new("broken", 2).broken());
    let both = broken.clone().with_older(root);
    let ring = open(&file, &both).await.unwrap();
    for error in [
        KeyRing::create(&broken, NOW).await.unwrap_err(),
        ring.rotated(NOW).await.unwrap_err(),
        ring.rewrapped().await.unwrap_err(),
    ] {
        assert!(matches!(&error, Error::Root { root, .. } if root == "broken"), "{error}");
    }
    assert!(ring.is_of_same_installation(&good));
}

#[tokio::test]
async fn missing_root_stops_a_rewrap_and_is_named() {
    let (ring, _, _, old_root) = ring().await;
    let both = Roots::new(Arc::new(TestRoot::new("new-root", 2))).with_older(old_root);
    let (ring, _) = KeyRing::open(&ring.bytes, &both).await.unwrap().rotated(NOW).await.unwrap();
    let ring = KeyRing { roots: roots(TestRoot::new("new-root", 2)).0, ..ring };
    assert_eq!(unknown_key(&ring.rewrapped().await.unwrap_err()), "test-root");
}

/// A ring with three KEKs: a readable one that nothing of the ring needs, one that holds the service
/// keys, the active one; and an envelope under the first.
async fn three_keys() -> (KeyRing, Vec<u8>, Roots) {
    let (ring, _, roots, _) = ring().await;
    let (_, envelope) = wrapped(&ring).await;
    let (ring, _) = ring.rotated(NOW).await.unwrap();
    let (ring, _) = ring.rewrapped().await.unwrap().unwrap();
    let (ring, _) = ring.rotated(NOW).await.unwrap();
    (ring, envelope, roots)
}

#[tokio::test]
async fn damaged_key_that_the_ring_does_not_need_stops_no_rewrap() {
    let (ring, envelope, roots) = three_keys().await;
    assert_eq!(ring.unreadable().await.unwrap(), [""; 0]);
    let mut file: serde_json::Value = serde_json::from_slice(&ring.bytes).unwrap();
    spoil(&mut file["keys"][0]["wrapped"]);
    let ring = open(&file, &roots).await.unwrap();
    let (ring, anew) = ring.rewrapped().await.unwrap().expect("service keys have to move");
    let states_now = [(KeyState::Readable, 0), (KeyState::Readable, 0), (KeyState::Active, 6)];
    assert_eq!(states(&ring), states_now);
    let lost = &ring.keys()[0].id;
    assert_eq!(ring.unreadable().await.unwrap(), [lost.as_str()]);
    let anew: serde_json::Value = serde_json::from_slice(&anew).unwrap();
    assert_eq!(anew["keys"][0], file["keys"][0], "it is left as it was");
    assert!(ring.rewrapped().await.unwrap().is_none());

    let error = ring.unwrap(&envelope, &place()).await.unwrap_err();
    assert!(matches!(&error, Error::Kek { id, .. } if id == lost), "{error:?}");
    assert_eq!(error.code(), "authentication_failed");
}

#[tokio::test]
async fn damaged_key_that_the_ring_needs_stops_a_rewrap_and_is_named() {
    let (ring, ..) = three_keys().await;
    for at in [1, 2] {
        let (mut changed, _) = ring.as_it_is();
        let id = changed.file.keys[at].id.clone();
        *changed.file.keys[at].wrapped.as_mut().unwrap().bytes.last_mut().unwrap() ^= 1;
        let error = changed.rewrapped().await.unwrap_err();
        assert!(matches!(&error, Error::Kek { id: named, .. } if *named == id), "{error:?}");
        assert_eq!(changed.unreadable().await.unwrap(), [id]);
    }
}

#[tokio::test]
async fn missing_root_of_a_key_that_the_ring_does_not_need_stops_no_rewrap() {
    let (ring, _, _, old_root) = ring().await;
    let old_id = ring.active_id().to_owned();
    let before: serde_json::Value = serde_json::from_slice(&ring.bytes).unwrap();
    let new_root = || Arc::new(TestRoot::new("new-root", 2).with_versions());
    let both = Roots::new(new_root()).with_older(old_root);
    let (ring, _) = KeyRing::open(&ring.bytes, &both).await.unwrap().rotated(NOW).await.unwrap();
    let (_, file) = ring.rewrapped().await.unwrap().unwrap();
    let mut file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    // As if the readable key had been left behind.
    file["keys"][0] = before["keys"][0].clone();
    file["keys"][0]["state"] = "readable".into();
    let ring = open(&file, &Roots::new(new_root())).await.unwrap();
    let (ring, _) = ring.rewrapped().await.unwrap().expect("a newer version");
    assert_eq!(ring.keys()[0].root.as_deref(), Some("test-root"));
    assert_eq!(ring.unreadable().await.unwrap(), [old_id]);
}

#[tokio::test]
async fn root_that_is_down_says_nothing_about_its_keys() {
    let (ring, _, _, root) = ring().await;
    root.set_down(true);
    assert_eq!(ring.unreadable().await.unwrap_err().code(), "root_key_unusable");
    assert_eq!(ring.rewrapped().await.unwrap_err().code(), "root_key_unusable");
}

#[tokio::test]
async fn needed_key_is_not_retired() {
    let (ring, ..) = ring().await;
    let id = ring.active_id().to_owned();
    let by = |error: Error| match error {
        Error::KeyNeeded { by, .. } => by,
        other => panic!("{other}"),
    };
    assert_eq!(by(ring.retired(&id).unwrap_err()), "new data keys");
    let (ring, _) = ring.rotated(NOW).await.unwrap();
    assert_eq!(by(ring.retired(&id).unwrap_err()), "service keys");
    assert_eq!(unknown_key(&ring.retired("kek_none").unwrap_err()), "kek_none");
}

#[tokio::test]
async fn retired_key_is_gone_from_the_file_and_stays_retired() {
    let (old, first, roots, _) = ring().await;
    let (_, envelope) = wrapped(&old).await;
    let id = old.active_id().to_owned();
    let (ring, _) = old.rotated(NOW).await.unwrap();
    let (ring, _) = ring.rewrapped().await.unwrap().unwrap();
    let (ring, file) = ring.retired(&id).unwrap();
    assert_eq!(states(&ring), [(KeyState::Retired, 0), (KeyState::Active, 6)]);
    assert_eq!(ring.keys()[0].root, None);

    let text = String::from_utf8(file.clone()).unwrap();
    assert!(!text.contains(first["keys"][0]["wrapped"].as_str().unwrap()));
    let again = KeyRing::open(&file, &roots).await.unwrap();
    for ring in [&ring, &again] {
        let error = ring.unwrap(&envelope, &place()).await.unwrap_err();
        assert_eq!(unknown_key(&error), id);
    }
    let (_, same) = again.retired(&id).unwrap();
    assert_eq!(same, file);
    let (later, _) = again.rotated(NOW).await.unwrap();
    assert_eq!(later.keys()[0].state, KeyState::Retired);
}

#[tokio::test]
async fn full_ring_is_not_rotated() {
    let (_, mut file, roots, _) = ring().await;
    let keys = file["keys"].as_array_mut().unwrap();
    for n in 1..MAX_KEYS {
        keys.push(serde_json::json!({"id": format!("r{n}"), "state": "retired", "created": NOW}));
    }
    let ring = open(&file, &roots).await.unwrap();
    assert_eq!(ring.rotated(NOW).await.unwrap_err().code(), "limit_reached");
    let shorter = file["keys"].as_array_mut().unwrap();
    shorter.pop();
    let (ring, file) = open(&file, &roots).await.unwrap().rotated(NOW).await.unwrap();
    assert_eq!(ring.keys().len(), MAX_KEYS);
    assert!(KeyRing::open(&file, &roots).await.is_ok());
}
