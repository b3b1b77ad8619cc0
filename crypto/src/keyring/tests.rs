//! The ring against a root that lives in the test.

use std::fmt;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::ring::{Kek, kek_context, secret_bytes};
use super::services::Services;
use super::*;
use crate::stream::DataKey;
use crate::{Context, Error, Secret32, SecretBytes};

/// Wraps under one key with the crate's own envelope.
struct TestRoot(Kek);

impl TestRoot {
    fn new(name: &str, byte: u8) -> Self {
        Self(Kek { id: name.to_owned(), secret: Secret32::from_slice(&[byte; 32]).unwrap() })
    }
}

impl fmt::Debug for TestRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.id)
    }
}

#[async_trait]
impl Root for TestRoot {
    fn id(&self) -> &str {
        &self.0.id
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Error> {
        envelope::seal(&self.0, secret.expose(), context)
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Error> {
        envelope::open(std::slice::from_ref(&self.0), wrapped, context)
    }
}

const NOW: &str = "2026-01-02T03:04:05Z";

async fn ring() -> (KeyRing, Value, TestRoot) {
    let root = TestRoot::new("test-root", 1);
    let (ring, file) = KeyRing::create(&root, NOW).await.unwrap();
    (ring, serde_json::from_slice(&file).unwrap(), root)
}

async fn open(file: &Value, root: &TestRoot) -> Result<KeyRing, Error> {
    KeyRing::open(&serde_json::to_vec(file).unwrap(), root).await
}

#[tokio::test]
async fn reopened_ring_holds_the_same_keys() {
    let (ring, file, root) = ring().await;
    let again = open(&file, &root).await.unwrap();
    let place = Context::new("p").with("job");

    let key = DataKey::generate().unwrap();
    let wrapped = ring.wrap(&key, &place).unwrap();
    let unwrapped = again.unwrap(&wrapped, &place).unwrap();
    assert_eq!(unwrapped.secret().expose(), key.secret().expose());
    assert_eq!(again.active_id(), ring.active_id());

    let sealed = ring.fields().seal(&place, b"x").unwrap();
    assert_eq!(again.fields().open(&place, &sealed).unwrap().expose(), b"x");
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
async fn wrapped_key_opens_in_its_place_only() {
    let (ring, _, _) = ring().await;
    let wrapped = ring.wrap(&DataKey::generate().unwrap(), &Context::new("p").with("a")).unwrap();
    let moved = ring.unwrap(&wrapped, &Context::new("p").with("b"));
    assert_eq!(moved.unwrap_err().code(), "authentication_failed");
}

#[tokio::test]
async fn ring_of_another_root_names_that_root() {
    let (_, file, _) = ring().await;
    let error = open(&file, &TestRoot::new("other", 1)).await.unwrap_err();
    assert!(matches!(&error, Error::UnknownKey { id } if id == "test-root"), "{error}");
    let impostor = open(&file, &TestRoot::new("test-root", 2)).await.unwrap_err();
    assert_eq!(impostor.code(), "authentication_failed");
}

#[tokio::test]
async fn renamed_key_and_swapped_services_are_refused() {
    let (_, file, root) = ring().await;
    let mut renamed = file.clone();
    renamed["keys"][0]["id"] = json!("kek_0");
    assert_eq!(open(&renamed, &root).await.unwrap_err().code(), "authentication_failed");

    let mut swapped = file.clone();
    swapped["services"]["field"] = file["services"]["token"].clone();
    assert_eq!(open(&swapped, &root).await.unwrap_err().code(), "authentication_failed");

    let mut junk = file;
    junk["services"]["field"] = json!("***");
    let error = open(&junk, &root).await.unwrap_err();
    assert!(error.to_string().contains("`services.field`"), "{error}");
}

#[tokio::test]
async fn older_key_reads_and_retired_key_does_not() {
    let (old, mut file, root) = ring().await;
    let place = Context::new("p");
    let wrapped = old.wrap(&DataKey::generate().unwrap(), &place).unwrap();
    let old_id = old.active_id().to_owned();

    let fresh = Kek { id: "kek_new".to_owned(), secret: Secret32::generate().unwrap() };
    let under_root = root.wrap(&secret_bytes(&fresh.secret), &kek_context("kek_new")).await;
    file["keys"][0]["state"] = json!("readable");
    file["keys"].as_array_mut().unwrap().push(json!({
        "id": "kek_new", "state": "active", "created": NOW,
        "wrapped": file::encode(&under_root.unwrap()),
    }));
    let ring = open(&file, &root).await.unwrap();
    assert_eq!(ring.active_id(), "kek_new");
    assert!(ring.unwrap(&wrapped, &place).is_ok());
    let newer = ring.wrap(&DataKey::generate().unwrap(), &place).unwrap();
    assert!(matches!(old.unwrap(&newer, &place), Err(Error::UnknownKey { id }) if id == "kek_new"));

    let (services, entries) = Services::generate(&fresh).unwrap();
    drop(services);
    file["services"] = serde_json::to_value(entries).unwrap();
    file["keys"][0] = json!({"id": old_id, "state": "retired", "created": NOW});
    let ring = open(&file, &root).await.unwrap();
    assert!(matches!(ring.unwrap(&wrapped, &place), Err(Error::UnknownKey { id }) if id == old_id));
}

#[tokio::test]
async fn debug_and_file_show_ids_only() {
    let (ring, file, _) = ring().await;
    let text = format!("{ring:?}");
    assert!(text.contains(ring.active_id()), "{text}");
    assert!(text.len() < 200, "{text}");
    for secret in [&ring.active().secret, &ring.services.field, &ring.services.tenant] {
        assert!(!file.to_string().contains(&file::encode(secret.expose())));
    }
}

#[tokio::test]
async fn creation_time_must_be_short_text() {
    let root = TestRoot::new("r", 1);
    for now in ["", "a b", &"x".repeat(65)] {
        assert_eq!(KeyRing::create(&root, now).await.unwrap_err().code(), "malformed");
    }
}
