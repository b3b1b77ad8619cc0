//! What an operator hears when the ring does not open.

use std::path::Path;
use std::sync::{Arc, Mutex};

use antumbra_config::{Count, Keys, RootKey, SecretRef, VaultLogin};
use antumbra_crypto::{Context, Error as CryptoError, KeyRing, Root, Roots, SecretBytes};
use antumbra_roots::LocalRoot;

use super::open_roots;
use crate::app::{self, StartError};

const NOW: &str = "2026-03-04T05:06:07Z";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "HxAREhMUFRYXGBkaGwECAwQFBgcICQoLDA0ODxwdHgA=";

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn env(name: &str) -> SecretRef {
    SecretRef::Env(name.to_owned())
}

fn keys(root: RootKey, older_roots: Vec<RootKey>) -> Keys {
    Keys { root, older_roots, ..Keys::default() }
}

/// What a command says.
fn told(error: StartError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

fn vault(login: VaultLogin) -> RootKey {
    RootKey::Vault {
        address: "http://127.0.0.1:1".parse().unwrap(),
        mount: "transit".to_owned(),
        key: "antumbra".to_owned(),
        derived: false,
        namespace: None,
        login,
        ca: None,
        timeout: "1s".parse().unwrap(),
        attempts: Count::new(1).unwrap(),
    }
}

async fn made(dir: &Path, root: &RootKey, environment: &[(String, String)]) -> Keys {
    let keys = Keys { ring: dir.join("ring.json"), root: root.clone(), ..Keys::default() };
    let roots = open_roots(&keys, environment).unwrap().roots;
    let (_, bytes) = KeyRing::create(&roots, NOW).await.unwrap();
    std::fs::write(&keys.ring, bytes).unwrap();
    keys
}

#[tokio::test]
async fn a_ring_of_another_root_says_which_it_wants_and_opens_with_it_among_the_older_ones() {
    let dir = tempfile::tempdir().unwrap();
    let environment = environment(&[("A", KEY), ("B", OTHER)]);
    let (a, b) = (RootKey::Local(env("A")), RootKey::Local(env("B")));
    let keys = made(dir.path(), &a, &environment).await;
    let moved = Keys { root: b.clone(), ..keys.clone() };
    let error = app::open_ring(&moved, &environment).await.unwrap_err();
    assert!(matches!(error, StartError::RingRoot { .. }), "{error:?}");
    let wanted = LocalRoot::from_text(KEY).unwrap();
    assert!(error.to_string().contains(wanted.id()), "{error}");
    let moved = Keys { root: b, older_roots: vec![a], ..keys };
    app::open_ring(&moved, &environment).await.unwrap();
}

#[tokio::test]
async fn only_where_no_ring_is_a_new_one_is_thought_of() {
    let dir = tempfile::tempdir().unwrap();
    let environment = environment(&[("A", KEY)]);
    let absent =
        Keys { ring: dir.path().join("ring.json"), ..keys(RootKey::Local(env("A")), Vec::new()) };
    let error = app::open_ring(&absent, &environment).await.unwrap_err();
    assert!(matches!(error, StartError::RingAbsent { .. }), "{error:?}");
    let error = told(error);
    assert!(error.contains("ring.json (if there never was one"), "{error}");
    // It is there and cannot be read: whoever made another one would lose what it holds.
    std::fs::create_dir(&absent.ring).unwrap();
    let error = app::open_ring(&absent, &environment).await.unwrap_err();
    assert!(matches!(error, StartError::RingFile { .. }), "{error:?}");
    let error = told(error);
    assert!(error.contains("ring.json") && !error.contains("generate"), "{error}");
}

#[tokio::test]
async fn a_key_that_its_root_does_not_unwrap_may_be_of_another_root_of_that_name() {
    let dir = tempfile::tempdir().unwrap();
    let environment = environment(&[("A", KEY)]);
    let keys = made(dir.path(), &RootKey::Local(env("A")), &environment).await;
    let ring = std::fs::read(&keys.ring).unwrap();
    let mut ring: serde_json::Value = serde_json::from_slice(&ring).unwrap();
    let (id, wrapped) = (ring["keys"][0]["id"].clone(), &mut ring["keys"][0]["wrapped"]);
    *wrapped = serde_json::Value::from("AA".to_owned() + &wrapped.as_str().unwrap()[2..]);
    std::fs::write(&keys.ring, ring.to_string()).unwrap();
    let error = app::open_ring(&keys, &environment).await.unwrap_err();
    assert!(matches!(error, StartError::RingKey { .. }), "{error:?}");
    let error = told(error);
    for part in ["ring.json", "another key of the same name", id.as_str().unwrap()] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// Wraps as a vault would, as far as its answers look.
#[derive(Debug, Default)]
struct Pretender(Mutex<Vec<SecretBytes>>);

#[async_trait::async_trait]
impl Root for Pretender {
    fn id(&self) -> &'static str {
        "vault:transit/antumbra"
    }

    async fn wrap(&self, secret: &SecretBytes, _: &Context) -> Result<Vec<u8>, CryptoError> {
        self.0.lock().unwrap().push(secret.clone());
        Ok([&[1], format!("vault:v1:{KEY}").as_bytes()].concat())
    }

    async fn unwrap(&self, _: &[u8], _: &Context) -> Result<SecretBytes, CryptoError> {
        Ok(self.0.lock().unwrap().last().unwrap().clone())
    }
}

#[tokio::test]
async fn a_vault_that_is_down_is_named_with_a_code() {
    let dir = tempfile::tempdir().unwrap();
    let environment = environment(&[("TOKEN", "hunter2")]);
    let root = vault(VaultLogin::Token(env("TOKEN")));
    let keys = Keys { ring: dir.path().join("ring.json"), ..keys(root, Vec::new()) };
    let (_, bytes) =
        KeyRing::create(&Roots::new(Arc::new(Pretender::default())), NOW).await.unwrap();
    std::fs::write(&keys.ring, bytes).unwrap();
    let error = anyhow::Error::from(app::open_ring(&keys, &environment).await.unwrap_err());
    let text = format!("{error:#}");
    for part in ["ring.json", "root_key_unusable", "vault:transit/antumbra", "127.0.0.1:1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!format!("{text} {error:?}").contains("hunter2"));
}
