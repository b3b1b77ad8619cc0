//! What a ring opens, refuses and shows.

use std::sync::Arc;

use serde_json::{Value, json};

use super::room::*;
use crate::stream::DataKey;
use crate::{Context, KeyRing, Roots, envelope_key_id};

#[tokio::test]
async fn reopened_ring_holds_the_same_keys() {
    let (ring, file, roots, _) = ring().await;
    let again = open(&file, &roots).await.unwrap();

    let (secret, envelope) = wrapped(&ring).await;
    assert_eq!(unwrapped(&again, &envelope).await, secret);
    assert_eq!(envelope_key_id(&envelope).unwrap(), ring.active_id());
    assert_eq!(again.active_id(), ring.active_id());
    assert_eq!(again.keys(), ring.keys());

    let sealed = ring.fields().seal(&place(), b"x").unwrap();
    assert_eq!(again.fields().open(&place(), &sealed).unwrap().expose(), b"x");
    assert_eq!(again.index().lookup("t", "k", "v"), ring.index().lookup("t", "k", "v"));
    assert_eq!(again.pseudonyms().of("t", "s"), ring.pseudonyms().of("t", "s"));
    let token = ring.tokens().sign("a", &json!({"n": 1})).unwrap();
    assert_eq!(again.tokens().verify::<Value>("a", &token).unwrap(), json!({"n": 1}));
    assert_eq!(again.signing().kid(), ring.signing().kid());
    let secret = |ring: &KeyRing, p, t| *ring.tenant_secret(p, t).unwrap().expose();
    assert_eq!(secret(&again, "redact", "t"), secret(&ring, "redact", "t"));
    assert_ne!(secret(&ring, "redact", "t"), secret(&ring, "redact", "u"));
    assert_ne!(secret(&ring, "redact", "t"), secret(&ring, "cut", "t"));
}

#[tokio::test]
async fn only_a_ring_of_the_same_installation_is_called_so() {
    let (ring, file, roots, _) = ring().await;
    assert!(ring.is_of_same_installation(&open(&file, &roots).await.unwrap()));
    let (other, _) = KeyRing::create(&roots, NOW).await.unwrap();
    assert!(!ring.is_of_same_installation(&other));
}

#[tokio::test]
async fn wrapped_key_opens_in_its_place_only() {
    let (ring, ..) = ring().await;
    let key = DataKey::generate().unwrap();
    let wrapped = ring.wrap(&key, &Context::new("p").with("a")).await.unwrap();
    let moved = ring.unwrap(&wrapped.bytes, &Context::new("p").with("b")).await;
    assert_eq!(moved.unwrap_err().code(), "authentication_failed");
}

#[tokio::test]
async fn ring_of_another_root_names_that_root() {
    let (_, file, ..) = ring().await;
    let (other, _) = roots(TestRoot::new("other", 1));
    let error = open(&file, &other).await.unwrap_err();
    assert_eq!(unknown_key(&error), "test-root");
    let (impostor, _) = roots(TestRoot::new("test-root", 2));
    let error = open(&file, &impostor).await.unwrap_err();
    assert_eq!(error.code(), "authentication_failed");
}

#[tokio::test]
async fn an_older_root_opens_too() {
    let (ring, file, _, root) = ring().await;
    let both = Roots::new(Arc::new(TestRoot::new("new-root", 2))).with_older(root);
    let again = open(&file, &both).await.unwrap();
    let (secret, envelope) = wrapped(&ring).await;
    assert_eq!(unwrapped(&again, &envelope).await, secret);
}

#[tokio::test]
async fn missing_root_of_a_readable_key_fails_its_data_keys_only() {
    let (ring, _, _, old_root) = ring().await;
    let (_, old_envelope) = wrapped(&ring).await;
    let both = Roots::new(Arc::new(TestRoot::new("new-root", 2))).with_older(old_root.clone());
    let (ring, file) = KeyRing::open(&ring.bytes, &both).await.unwrap().rotated(NOW).await.unwrap();
    let (new_only, _) = roots(TestRoot::new("new-root", 2));
    // The service keys are still under the key of the old root.
    let error = KeyRing::open(&file, &new_only).await.unwrap_err();
    assert_eq!(unknown_key(&error), "test-root");

    let (_, file) = ring.rewrapped().await.unwrap().unwrap();
    let mut file: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(file["keys"][0]["root"], "new-root");
    // As if the readable key had been left behind.
    let before: Value = serde_json::from_slice(&ring.bytes).unwrap();
    file["keys"][0] = before["keys"][0].clone();
    let ring = open(&file, &new_only).await.unwrap();
    let error = ring.unwrap(&old_envelope, &place()).await.unwrap_err();
    assert_eq!(unknown_key(&error), "test-root");
    let (secret, envelope) = wrapped(&ring).await;
    assert_eq!(unwrapped(&ring, &envelope).await, secret);
}

#[tokio::test]
async fn root_that_is_down_stops_wraps_and_unwraps_until_it_is_back() {
    let (ring, file, roots, root) = ring().await;
    let (secret, envelope) = wrapped(&ring).await;
    root.set_down(true);
    let key = DataKey::generate().unwrap();
    for error in [
        ring.wrap(&key, &place()).await.unwrap_err(),
        ring.unwrap(&envelope, &place()).await.unwrap_err(),
        open(&file, &roots).await.unwrap_err(),
        ring.rotated(NOW).await.unwrap_err(),
        ring.rewrapped().await.unwrap_err(),
    ] {
        assert_eq!((error.code(), error.retry()), ("root_key_unusable", crate::Retry::Later));
    }
    ring.fields().seal(&place(), b"service keys stay").unwrap();
    root.set_down(false);
    assert_eq!(unwrapped(&ring, &envelope).await, secret);
}

#[tokio::test]
async fn every_unwrap_asks_the_root_again() {
    let (ring, _, _, root) = ring().await;
    let (_, envelope) = wrapped(&ring).await;
    let before = root.unwraps();
    unwrapped(&ring, &envelope).await;
    unwrapped(&ring, &envelope).await;
    assert_eq!(root.unwraps(), before + 2);
}

#[tokio::test]
async fn renamed_key_and_swapped_services_are_refused() {
    let (_, file, roots, _) = ring().await;
    let mut renamed = file.clone();
    renamed["keys"][0]["id"] = json!("kek_0");
    assert_eq!(open(&renamed, &roots).await.unwrap_err().code(), "authentication_failed");

    let mut swapped = file.clone();
    swapped["services"]["field"] = file["services"]["token"].clone();
    assert_eq!(open(&swapped, &roots).await.unwrap_err().code(), "authentication_failed");

    for junk in ["", "AA==", "***"] {
        let mut file = file.clone();
        file["services"]["field"] = json!(junk);
        let error = open(&file, &roots).await.unwrap_err();
        assert!(error.to_string().contains("`services.field`"), "{error}");
    }
}

#[tokio::test]
async fn service_key_under_a_retired_or_absent_key_is_refused() {
    let (ring, _, roots, _) = ring().await;
    let (_, file) = ring.rotated(NOW).await.unwrap();
    let mut retired: Value = serde_json::from_slice(&file).unwrap();
    retired["keys"][0] = json!({"id": ring.active_id(), "state": "retired", "created": NOW});
    assert_eq!(unknown_key(&open(&retired, &roots).await.unwrap_err()), ring.active_id());
    let mut absent = retired;
    absent["keys"].as_array_mut().unwrap().remove(0);
    assert_eq!(unknown_key(&open(&absent, &roots).await.unwrap_err()), ring.active_id());
}

#[tokio::test]
async fn debug_and_file_show_ids_only() {
    let (ring, file, ..) = ring().await;
    let text = format!("{ring:?}");
    assert!(text.contains(ring.active_id()), "{text}");
    assert!(text.len() < 200, "{text}");
    for secret in [&ring.services.field, &ring.services.tenant] {
        use base64::Engine as _;
        let secret = base64::engine::general_purpose::STANDARD.encode(secret.expose());
        assert!(!file.to_string().contains(&secret));
    }
}

#[tokio::test]
async fn creation_time_must_be_short_text() {
    let (ring, _, roots, _) = ring().await;
    for now in ["", "a b", &"x".repeat(65)] {
        assert_eq!(KeyRing::create(&roots, now).await.unwrap_err().code(), "malformed");
        assert_eq!(ring.rotated(now).await.unwrap_err().code(), "malformed");
    }
}
