//! What does the demo make before it starts, and what does it find from a run before?

use antumbra_config::{Keys, RootKey, SecretRef, Settings, SiloKind};
use antumbra_crypto::{InternalKeys, api_key as key_text};
use antumbra_jobs::{JobStore, NewApiKey, Scope, SystemClock, TenantId};
use anyhow::{Context, ensure};

use super::directory::Directory;
use super::settings::text;
use super::shop::{self, Scale};
use crate::cli::{
    DemoSilo, KeyFiles, create_private_dir, generate_keys, read_private, say, write_private,
};

/// Makes the shop's file, unless it is there.
pub(super) async fn shop(directory: &Directory, events: Option<u32>) -> anyhow::Result<()> {
    let path = directory.shop();
    if path.try_exists().with_context(|| format!("cannot look for {}", path.display()))? {
        say("source    the shop is there")?;
        return Ok(());
    }
    let scale = events.map_or_else(Scale::default, |events| Scale { events });
    say(format_args!(
        "source    making an invented shop: its busiest person has {} page events",
        scale.events
    ))?;
    create_private_dir(&directory.root().join("source"))?;
    create_private_dir(&directory.downloads())?;
    tokio::task::spawn_blocking(move || shop::create(&path, scale)).await?
}

/// Makes the daemon's keys, unless they are there. Returns the gateway key's hash.
pub(super) async fn keys(directory: &Directory) -> anyhow::Result<String> {
    let root = RootKey::Local(SecretRef::File(directory.root_key()));
    let keys = Keys { ring: directory.ring(), root, ..Keys::default() };
    if keys.ring.try_exists().with_context(|| format!("cannot look for {}", keys.ring.display()))? {
        return gateway_hash(directory);
    }
    say("keys      making root key, key ring and gateway key")?;
    generate_keys(&keys, &[], &SystemClock).await
}

/// Writes the settings, unless they are there: they may have been changed since.
pub(super) fn settings(
    directory: &Directory,
    gateway_hash: &str,
    silo: DemoSilo,
) -> anyhow::Result<()> {
    let path = directory.settings();
    if read_private(&path)?.is_none() {
        write_private(&path, text(gateway_hash, silo).as_bytes())?;
    }
    Ok(())
}

/// Says what to do when settings and gateway key have parted.
pub(super) fn gateway_key_is_listed(
    directory: &Directory,
    settings: &Settings,
    hash: &str,
) -> anyhow::Result<()> {
    let listed = settings.gateway.internal_key_hashes.iter().any(|known| known.to_string() == hash);
    ensure!(
        listed,
        "{} does not list the hash of keys/gateway.key; remove the file to have it made again",
        directory.settings().display()
    );
    Ok(())
}

/// Says what to do when the settings are those of another source.
pub(super) fn silo_is(
    directory: &Directory,
    settings: &Settings,
    silo: DemoSilo,
) -> anyhow::Result<()> {
    let fits = settings.silos.iter().any(|known| match silo {
        DemoSilo::Sqlite => matches!(known.kind, SiloKind::Sqlite { .. }),
        DemoSilo::Postgres => matches!(known.kind, SiloKind::Postgres { .. }),
    });
    ensure!(
        fits,
        "{} is the demo of another source: say --silo as before, or another --dir",
        directory.settings().display()
    );
    Ok(())
}

/// Makes the caller's API key, unless it is there, and sees that the store knows it.
pub(super) async fn api_key(
    directory: &Directory,
    store: &dyn JobStore,
    tenant: &str,
) -> anyhow::Result<()> {
    let path = directory.api_key();
    let existing = read_private(&path)?;
    let text = match &existing {
        Some(text) => text.clone(),
        None => key_text::generate()?.expose().to_owned(),
    };
    ensure!(key_text::is_well_formed(&text), "{} is not an API key", path.display());
    let hash = key_text::hash(&text);
    if store.find_api_key(&hash).await?.is_none() {
        let key = NewApiKey {
            tenant: TenantId::new(tenant)?,
            name: "demo".to_owned(),
            scopes: Scope::ALL.to_vec(),
            hash,
            prefix: text.chars().take(PREFIX).collect(),
            expires_at: None,
        };
        store.create_api_key(key).await.context("cannot record the API key")?;
    }
    if existing.is_none() {
        write_private(&path, format!("{text}\n").as_bytes())?;
    }
    Ok(())
}

fn gateway_hash(directory: &Directory) -> anyhow::Result<String> {
    let path = KeyFiles::beside(&directory.ring()).gateway;
    let key = read_private(&path)?
        .with_context(|| format!("{} is not there, but the key ring is", path.display()))?;
    InternalKeys::hash(&key).with_context(|| format!("{} is not a key", path.display()))
}

/// As many characters as lists show of a key.
const PREFIX: usize = 10;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::sync::Arc;

    use antumbra_config::Sources;

    use super::*;
    use crate::app;

    fn demo(dir: &Path) -> Directory {
        Directory::choose(Some(dir.to_owned()), DemoSilo::Sqlite, &[]).unwrap()
    }

    fn loaded(directory: &Directory) -> Settings {
        let file = Some(directory.settings());
        let sources = Sources { file, base: directory.root().to_owned(), ..Sources::default() };
        let loaded = antumbra_config::load(&sources).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        loaded.settings
    }

    async fn prepared(directory: &Directory) -> Settings {
        shop(directory, Some(5)).await.unwrap();
        let hash = keys(directory).await.unwrap();
        settings(directory, &hash, DemoSilo::Sqlite).unwrap();
        let settings = loaded(directory);
        gateway_key_is_listed(directory, &settings, &hash).unwrap();
        silo_is(directory, &settings, DemoSilo::Sqlite).unwrap();
        assert!(silo_is(directory, &settings, DemoSilo::Postgres).is_err());
        let ring = app::open_ring(&settings.keys, &[]).await.unwrap();
        let store = app::open_store_beside(&settings, &ring, Arc::new(SystemClock)).unwrap();
        api_key(directory, &store, "default").await.unwrap();
        let text = read_private(&directory.api_key()).unwrap().unwrap();
        let found = store.find_api_key(&key_text::hash(&text)).await.unwrap().unwrap();
        assert_eq!(found.scopes, Scope::ALL);
        settings
    }

    #[tokio::test]
    async fn second_run_finds_everything_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let directory = demo(dir.path());
        prepared(&directory).await;
        let kept =
            ["source/shop.db", "keys/ring.json", "keys/gateway.key", "api-key", "antumbra.toml"];
        let before = kept.map(|name| fs::read(dir.path().join(name)).unwrap());
        prepared(&directory).await;
        assert!(before == kept.map(|name| fs::read(dir.path().join(name)).unwrap()));
    }

    #[tokio::test]
    async fn api_key_is_recorded_again_when_the_store_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let directory = demo(dir.path());
        prepared(&directory).await;
        let before = fs::read(directory.api_key()).unwrap();
        fs::remove_dir_all(directory.data()).unwrap();
        prepared(&directory).await;
        assert!(before == fs::read(directory.api_key()).unwrap());
    }

    #[tokio::test]
    async fn another_gateway_key_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let directory = demo(dir.path());
        let settings = prepared(&directory).await;
        let (_, other) = InternalKeys::generate().unwrap();
        assert!(gateway_key_is_listed(&directory, &settings, &other).is_err());
        fs::remove_file(KeyFiles::beside(&directory.ring()).gateway).unwrap();
        assert!(keys(&directory).await.is_err());
    }

    #[tokio::test]
    async fn secrets_are_readable_by_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        prepared(&demo(dir.path())).await;
        for name in
            ["api-key", "keys/root.key", "keys/ring.json", "keys/gateway.key", "antumbra.toml"]
        {
            let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let mode = fs::metadata(dir.path().join("data")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
