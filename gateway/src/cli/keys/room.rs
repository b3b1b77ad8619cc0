//! What do the commands work on? The settings' roots, the ring's file, the store beside it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use antumbra_config::Settings;
use antumbra_crypto::{Error as CryptoError, KeyRing, LiveRing, Roots};
use antumbra_jobs::{AuditEvent, JobStore as _, SqliteStore, TenantId};
use anyhow::{Context, anyhow};

use crate::cli::args::SettingsArgs;
use crate::cli::settings;
use crate::keys::{RingEdit, RingFile, open_roots};
use crate::{app, clock};

/// The keys of one installation, as its settings name them.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) settings: Settings,
    pub(super) roots: Roots,
    file: RingFile,
}

impl Room {
    /// Loads the settings and opens the roots that they name; neither ring nor store is opened yet.
    ///
    /// # Errors
    /// What is wrong with settings or roots.
    pub(super) fn open(args: &SettingsArgs) -> anyhow::Result<Self> {
        let heard = settings::load(args)?;
        let settings = heard.loaded.settings;
        // Nothing purges here between two questions: each call of a root drops what is over first.
        let roots = open_roots(&settings.keys, &heard.sources.environment)?.roots;
        let file = RingFile::at(settings.keys.ring.clone());
        Ok(Self { settings, roots, file })
    }

    /// Reads the ring.
    ///
    /// # Errors
    /// Names the file, and what is missing to open it.
    pub(super) async fn ring(&self) -> anyhow::Result<KeyRing> {
        Ok(app::read_ring(&self.file, &self.roots).await?)
    }

    /// Reads the ring to change it: nobody else changes it until the lock that comes with it is dropped.
    ///
    /// # Errors
    /// As [`ring`](Self::ring); when somebody else is changing it.
    pub(super) async fn edit(&self) -> anyhow::Result<(KeyRing, RingEdit)> {
        let (bytes, edit) = self.file.edit().await?;
        Ok((self.open_ring(&bytes).await?, edit))
    }

    /// Returns a ring that is read again from its file when asked to.
    pub(super) fn live(&self, ring: KeyRing) -> LiveRing {
        LiveRing::new(ring, self.roots.clone(), Arc::new(self.file.clone()))
    }

    /// Opens the job store, which has to be there: one that is made here would know no job, and let a key go that jobs elsewhere
    /// need.
    ///
    /// # Errors
    /// Names the place where none is; when it cannot be used with this ring.
    pub(super) fn store(&self, ring: &KeyRing) -> anyhow::Result<SqliteStore> {
        self.store_if_there(ring)?.ok_or_else(|| {
            anyhow!(
                "there is no job store at {}, and nothing was changed: run this where the daemon's data.directory is, \
                 once the daemon has run there",
                self.store_path().display()
            )
        })
    }

    /// Opens the job store if there is one: looking makes nothing.
    ///
    /// # Errors
    /// When it cannot be looked for, or not be used with this ring.
    pub(super) fn store_if_there(&self, ring: &KeyRing) -> anyhow::Result<Option<SqliteStore>> {
        let path = self.store_path();
        match fs::metadata(&path) {
            // An empty file is a store that somebody only began to make.
            Ok(found) if found.is_file() && found.len() == 0 => Ok(None),
            Ok(_) => Ok(Some(app::open_store_beside(&self.settings, ring, clock::of_process())?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot look for {}", path.display())),
        }
    }

    /// Returns where the settings expect the job store.
    pub(super) fn store_path(&self) -> PathBuf {
        self.settings.data.directory.join(app::STORE)
    }

    /// Returns the tenant that audit entries about the ring are filed under: the ring is the installation's.
    ///
    /// # Errors
    /// When the setting is no tenant's name.
    pub(super) fn tenant(&self) -> anyhow::Result<TenantId> {
        TenantId::new(self.settings.organization.tenant.as_str()).context("organization.tenant")
    }

    async fn open_ring(&self, bytes: &[u8]) -> anyhow::Result<KeyRing> {
        let path = self.file.path().display();
        KeyRing::open(bytes, &self.roots)
            .await
            .map_err(root_named)
            .with_context(|| format!("cannot open the key ring {path}"))
    }
}

/// Appends an audit entry about what is going to be done: nothing is done that the log does not know.
///
/// # Errors
/// Says that nothing was done.
pub(super) async fn audit(store: &SqliteStore, event: AuditEvent) -> anyhow::Result<()> {
    store.audit(event).await.context("nothing was changed: the audit log cannot be written")
}

/// Says what an operator can do about a root that the settings do not name.
pub(super) fn root_named(error: CryptoError) -> anyhow::Error {
    let unknown = match &error {
        CryptoError::UnknownKey { id } if !id.starts_with(KEK) => Some(id.clone()),
        _ => None,
    };
    match unknown {
        Some(root) => anyhow::Error::from(error).context(format!(
            "the root `{root}` wrapped a key and is not among the settings' roots; name it in keys.older_roots"
        )),
        None => error.into(),
    }
}

/// How the ring's own ids begin; a root's begin with its kind.
const KEK: &str = "kek_";
