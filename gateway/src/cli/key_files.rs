//! Where are the daemon's keys, and how are they made?

use std::path::{Path, PathBuf};

use antumbra_config::{Keys, SecretRef};
use antumbra_crypto::{InternalKeys, KeyRing};
use antumbra_jobs::Clock;
use anyhow::{Context, bail};

use super::{create_private_dir, read_private, write_private};
use crate::app;

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
/// A root key that the settings name by `env` or `credential` is used, not made.
///
/// # Errors
/// When there is a key ring already, or a file cannot be written. A second call goes on where a first one stopped.
pub(crate) async fn generate(
    keys: &Keys,
    environment: &[(String, String)],
    clock: &dyn Clock,
) -> anyhow::Result<String> {
    let files = KeyFiles::beside(&keys.ring);
    if files
        .ring
        .try_exists()
        .with_context(|| format!("cannot look for {}", files.ring.display()))?
    {
        bail!("{} exists; keys that seal data are never replaced", files.ring.display());
    }
    for path in [Some(files.ring.as_path()), root_file(&keys.root)].into_iter().flatten() {
        if let Some(parent) = path.parent() {
            create_private_dir(parent)?;
        }
    }
    make_root(&keys.root)?;
    let hash = gateway_key(&files.gateway)?;
    let root = app::open_root(&keys.root, environment)?;
    let now = clock.now().to_string();
    let (ring, bytes) = KeyRing::create(&root, &now).await.context("cannot make a key ring")?;
    write_private(&files.public, ring.signing().public_pem().as_bytes())?;
    // The ring last: while it is missing, everything may be made again.
    write_private(&files.ring, &bytes)?;
    Ok(hash)
}

fn root_file(root: &SecretRef) -> Option<&Path> {
    match root {
        SecretRef::File(path) => Some(path),
        SecretRef::Env(_) | SecretRef::Credential(_) => None,
    }
}

fn make_root(root: &SecretRef) -> anyhow::Result<()> {
    let Some(path) = root_file(root) else { return Ok(()) };
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
    use antumbra_jobs::SystemClock;

    use super::*;

    fn keys(dir: &Path) -> Keys {
        Keys { ring: dir.join("keys/ring.json"), root: SecretRef::File(dir.join("keys/root.key")) }
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
}
