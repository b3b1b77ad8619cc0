//! Where are the daemon's keys, and how are they made?

use std::path::{Path, PathBuf};

use antumbra_config::{Keys, RootKey};
use antumbra_crypto::{InternalKeys, KeyRing};
use antumbra_jobs::Clock;
use anyhow::Context;

use super::private_file::write_private_new;
use super::{create_private_dir, read_private, write_private};
use crate::keys::{RingFile, open_roots};

/// Names the files that belong to a key ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFiles {
    /// The key ring: wrapped keys.
    pub(crate) ring: PathBuf,
    /// The gateway key, for clients to present; the settings list its hash.
    pub(crate) gateway: PathBuf,
    /// The public key that verifies bundles.
    pub(crate) public: PathBuf,
}

impl KeyFiles {
    /// Names the files beside a ring.
    pub(crate) fn beside(ring: &Path) -> Self {
        Self {
            ring: ring.to_owned(),
            gateway: ring.with_file_name("gateway.key"),
            public: ring.with_file_name("public.pem"),
        }
    }
}

/// Makes what is missing: root key file, key ring, gateway key, public key. Returns the gateway key's hash.
///
/// A root key is made only where the settings name a file for it; any other, in a variable, a KMS or a vault, is used as it is.
///
/// # Errors
/// When there is a key ring already, or a file cannot be written. A second call goes on where a first one stopped; one that comes
/// while the first is at it waits for it.
pub(crate) async fn generate(
    keys: &Keys,
    environment: &[(String, String)],
    clock: &dyn Clock,
) -> anyhow::Result<String> {
    for path in [Some(keys.ring.as_path()), keys.root.file()].into_iter().flatten() {
        if let Some(parent) = path.parent() {
            create_private_dir(parent)?;
        }
    }
    // Whoever is second finds the ring of the first, and makes no gateway key that the first does not know.
    let place = RingFile::at(&keys.ring).vacant().await?;
    let files = KeyFiles::beside(place.path());
    make_root(&keys.root)?;
    let hash = gateway_key(&files.gateway)?;
    let roots = open_roots(keys, environment)?.roots;
    let now = clock.now().to_string();
    let (ring, bytes) = KeyRing::create(&roots, &now).await.context("cannot make a key ring")?;
    write_private(&files.public, ring.signing().public_pem().as_bytes())?;
    // The ring last: while it is missing, everything may be made again.
    write_private_new(place.path(), &bytes)?;
    Ok(hash)
}

fn make_root(root: &RootKey) -> anyhow::Result<()> {
    let Some(path) = root.file() else { return Ok(()) };
    if !path.try_exists().with_context(|| format!("cannot look for {}", path.display()))? {
        antumbra_roots::generate_key_file(path)?;
    }
    Ok(())
}

/// Reads or makes the gateway key; returns its hash.
fn gateway_key(path: &Path) -> anyhow::Result<String> {
    if let Some(key) = read_private(path)? {
        return InternalKeys::hash(&key)
            .with_context(|| format!("{} is not a key", path.display()));
    }
    let (key, hash) = InternalKeys::generate()?;
    write_private(path, format!("{key}\n").as_bytes())?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use antumbra_config::{Count, SecretRef, VaultLogin};
    use antumbra_jobs::SystemClock;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::app;

    fn keys(dir: &Path) -> Keys {
        Keys {
            ring: dir.join("keys/ring.json"),
            root: RootKey::Local(SecretRef::File(dir.join("keys/root.key"))),
            ..Keys::default()
        }
    }

    #[tokio::test]
    async fn everything_is_made_and_opens() {
        let dir = tempfile::tempdir().unwrap();
        let keys = keys(dir.path());
        let hash = generate(&keys, &[], &SystemClock).await.unwrap();
        let files = KeyFiles::beside(&keys.ring);
        let key = read_private(&files.gateway).unwrap().unwrap();
        assert_eq!(InternalKeys::hash(&key).unwrap(), hash);
        let ring = app::open_ring(&keys, &[]).await.unwrap();
        let pem = std::fs::read_to_string(&files.public).unwrap();
        assert_eq!(ring.signing().public_pem(), pem);
    }

    #[tokio::test]
    async fn existing_ring_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let keys = keys(dir.path());
        generate(&keys, &[], &SystemClock).await.unwrap();
        let before = std::fs::read(&keys.ring).unwrap();
        assert!(generate(&keys, &[], &SystemClock).await.is_err());
        assert_eq!(std::fs::read(&keys.ring).unwrap(), before);
    }

    #[tokio::test]
    async fn interrupted_generation_goes_on_with_the_same_keys() {
        let dir = tempfile::tempdir().unwrap();
        let keys = keys(dir.path());
        let hash = generate(&keys, &[], &SystemClock).await.unwrap();
        std::fs::remove_file(&keys.ring).unwrap();
        assert_eq!(generate(&keys, &[], &SystemClock).await.unwrap(), hash);
    }

    #[tokio::test]
    async fn whoever_is_second_waits_and_leaves_the_keys_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let keys = keys(dir.path());
        std::fs::create_dir(dir.path().join("keys")).unwrap();
        let first = RingFile::at(&keys.ring).vacant().await.unwrap();
        let second = generate(&keys, &[], &SystemClock);
        tokio::pin!(second);
        let early = tokio::time::timeout(Duration::from_millis(150), &mut second).await;
        assert!(early.is_err(), "the second did not wait");
        assert_eq!(names(&dir.path().join("keys")), ["ring.json.lock"]);
        std::fs::write(&keys.ring, "the first one's").unwrap();
        drop(first);
        let error = second.await.unwrap_err();
        assert!(error.to_string().contains("never replaced"), "{error:#}");
        assert_eq!(names(&dir.path().join("keys")), ["ring.json", "ring.json.lock"]);
        assert_eq!(std::fs::read(&keys.ring).unwrap(), b"the first one's");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_at_once_one_makes_keys_that_belong_together() {
        let dir = tempfile::tempdir().unwrap();
        let keys = keys(dir.path());
        let tasks = TaskTracker::new();
        let all: Vec<_> = (0..8)
            .map(|_| {
                let keys = keys.clone();
                tasks.spawn(async move { generate(&keys, &[], &SystemClock).await })
            })
            .collect();
        let all = futures::future::join_all(all).await.into_iter().map(Result::unwrap);
        let made: Vec<_> = all.filter_map(Result::ok).collect();
        let files = KeyFiles::beside(&keys.ring);
        let key = read_private(&files.gateway).unwrap().unwrap();
        assert_eq!(made, [InternalKeys::hash(&key).unwrap()]);
        let ring = app::open_ring(&keys, &[]).await.unwrap();
        let pem = std::fs::read_to_string(&files.public).unwrap();
        assert_eq!(ring.signing().public_pem(), pem);
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_root_key_that_is_in_no_file_is_used_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let root = RootKey::Local(SecretRef::Env("ROOT".to_owned()));
        let keys = Keys { root, ..keys(dir.path()) };
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let environment = [("ROOT".to_owned(), key.to_owned())];
        assert!(generate(&keys, &[], &SystemClock).await.is_err());
        generate(&keys, &environment, &SystemClock).await.unwrap();
        assert_eq!(
            names(&dir.path().join("keys")),
            ["gateway.key", "public.pem", "ring.json", "ring.json.lock"]
        );
        app::open_ring(&keys, &environment).await.unwrap();
    }

    #[tokio::test]
    async fn without_its_root_key_no_ring_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let root = RootKey::Vault {
            address: "http://127.0.0.1:1".parse().unwrap(),
            mount: "transit".to_owned(),
            key: "antumbra".to_owned(),
            derived: false,
            namespace: None,
            login: VaultLogin::Token(SecretRef::Env("TOKEN".to_owned())),
            ca: None,
            timeout: "1s".parse().unwrap(),
            attempts: Count::new(1).unwrap(),
        };
        let keys = Keys { root, ..keys(dir.path()) };
        let environment = [("TOKEN".to_owned(), "hunter2".to_owned())];
        let error = generate(&keys, &environment, &SystemClock).await.unwrap_err();
        assert!(format!("{error:#}").contains("vault:transit/antumbra"), "{error:#}");
        assert_eq!(names(&dir.path().join("keys")), ["gateway.key", "ring.json.lock"]);
    }
}
