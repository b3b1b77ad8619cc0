//! Where does one story live? A directory of its own with the shared source, keys and settings, and a new, empty store.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::{Prepared, Ran, Scale, binary, run};

/// A story's own directory; removed at the story's end.
#[derive(Debug)]
pub struct House {
    directory: TempDir,
    api_key: String,
}

impl House {
    /// Furnishes a directory: keys and settings copied, the source shared (never write to it), an API key in a new store.
    ///
    /// # Errors
    /// When a file cannot be copied, or a command fails.
    pub fn new(scale: Scale) -> anyhow::Result<Self> {
        let mut house = Self::furnished(scale)?;
        house.api_key = house.new_api_key(&[])?;
        Ok(house)
    }

    /// Furnishes a directory whose key ring is made anew, under a root key of the story's own: `furnish` writes what is needed into
    /// the folder of the keys and returns the settings of `[keys]` behind `ring`.
    ///
    /// # Errors
    /// As [`House::new`], and those of `furnish` and `keys generate`.
    pub fn with_keys(
        scale: Scale,
        furnish: impl FnOnce(&Path) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let mut house = Self::furnished(scale)?;
        for name in ["ring.json", "root.key", "public.pem"] {
            fs::remove_file(house.path("keys").join(name))?;
        }
        house.set_keys(&furnish(&house.path("keys"))?)?;
        // The gateway key and its hash in the settings stay.
        house.antumbra(&["keys", "generate"])?.ok()?;
        house.api_key = house.new_api_key(&[])?;
        Ok(house)
    }

    fn furnished(scale: Scale) -> anyhow::Result<Self> {
        let prepared = Prepared::of(scale)?;
        let binary = binary()?;
        let shelf = binary.parent().context("the binary lies nowhere")?.join("houses");
        fs::create_dir_all(&shelf)?;
        let directory = tempfile::Builder::new().prefix("house-").tempdir_in(shelf)?;
        let root = directory.path();
        for folder in ["keys", "source", "tmp"] {
            fs::create_dir(root.join(folder))?;
        }
        for entry in fs::read_dir(prepared.root().join("keys"))? {
            let entry = entry?;
            fs::copy(entry.path(), root.join("keys").join(entry.file_name()))?;
        }
        fs::copy(prepared.root().join("antumbra.toml"), root.join("antumbra.toml"))?;
        fs::hard_link(prepared.root().join("source/shop.db"), root.join("source/shop.db"))?;
        Ok(Self { directory, api_key: String::new() })
    }

    /// Returns the directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Returns a path in the directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Returns the API key that came with the house.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Returns the gateway key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn gateway_key(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.path("keys/gateway.key"))?.trim().to_owned())
    }

    /// Makes an API key beside a daemon that may be running; `more` are further arguments.
    ///
    /// # Errors
    /// When the command fails.
    pub fn new_api_key(&self, more: &[&str]) -> anyhow::Result<String> {
        let mut args = vec!["api-key", "create", "--name", "e2e"];
        args.extend_from_slice(more);
        Ok(self.antumbra(&args)?.ok()?.trim().to_owned())
    }

    /// Runs a command of the binary in the house.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn antumbra(&self, args: &[&str]) -> anyhow::Result<Ran> {
        run(&binary()?, self.root(), args)
    }

    /// Verifies a bundle with the house's public key; returns what was printed.
    ///
    /// # Errors
    /// When `verify` does not exit with 0.
    pub fn verified(&self, zip: &Path) -> anyhow::Result<String> {
        let zip = zip.display().to_string();
        self.antumbra(&["verify", &zip, "--key", "keys/public.pem"])?.ok()
    }

    /// Gives the house a copy of the source that may be written to, and returns its path.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn own_source(&self) -> anyhow::Result<PathBuf> {
        let (shared, own) = (self.path("source/shop.db"), self.path("source/own.db"));
        fs::copy(&shared, &own)?;
        fs::remove_file(&shared)?;
        fs::rename(&own, &shared)?;
        Ok(shared)
    }

    /// Says whether some bytes stand anywhere in the files of the job store.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn holds(&self, bytes: &[u8]) -> anyhow::Result<bool> {
        for entry in fs::read_dir(self.path("data"))? {
            let path = entry?.path();
            if path.is_file() && fs::read(&path)?.windows(bytes.len()).any(|window| window == bytes)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts other settings in the place of those of `[keys]` behind `ring`.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn set_keys(&self, keys: &str) -> anyhow::Result<()> {
        let path = self.path("antumbra.toml");
        let settings = fs::read_to_string(&path)?;
        let (head, rest) = settings.split_once(RING).context("the settings have no ring")?;
        let (_, tail) = rest.split_once("[gateway]").context("the settings have no gateway")?;
        Ok(fs::write(&path, format!("{head}{RING}{keys}\n\n[gateway]{tail}"))?)
    }

    /// Writes a file that only its owner can read, in the folder of the keys.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_secret(&self, name: &str, text: &str) -> anyhow::Result<()> {
        private(&self.path("keys").join(name), text)
    }

    /// Puts other silos in the place of the settings' own.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn set_silos(&self, silos: &str) -> anyhow::Result<()> {
        let path = self.path("antumbra.toml");
        let settings = fs::read_to_string(&path)?;
        let (head, _) = settings.split_once("[[silo]]").context("the settings have no silo")?;
        Ok(fs::write(&path, format!("{head}{silos}"))?)
    }

    /// Appends to the settings file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_settings(&self, text: &str) -> anyhow::Result<()> {
        let path = self.path("antumbra.toml");
        let mut settings = fs::read_to_string(&path)?;
        settings.push_str(text);
        Ok(fs::write(&path, settings)?)
    }
}

/// Writes a file that only its owner can read; one that is there is emptied first.
///
/// # Errors
/// When it cannot be written.
pub fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

const RING: &str = "ring = \"keys/ring.json\"\n";
