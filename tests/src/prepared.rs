//! What do all stories share? A finished demo: source, keys, settings, and the bundle of an uninterrupted run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{binary, run};

/// How big the shop is: page events of its busiest person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As few as make a file: for stories about everything else.
    Small,
    /// Enough for objects of several chunks.
    Medium,
    /// Enough for several commits while collecting.
    Large,
    /// What the demo makes by default.
    Usual,
    /// Ten times the usual.
    Huge,
}

impl Scale {
    /// Returns the busiest person's page events.
    #[must_use]
    pub const fn events(self) -> u32 {
        match self {
            Self::Small => 2_000,
            Self::Medium => 30_000,
            Self::Large => 400_000,
            Self::Usual => 120_000,
            Self::Huge => 1_200_000,
        }
    }
}

/// A directory in which the demo ran once, kept beside the binary for all stories of one build.
#[derive(Debug)]
pub struct Prepared {
    root: PathBuf,
}

impl Prepared {
    /// Returns the directory of a scale; the first story that asks makes it.
    ///
    /// # Errors
    /// When the demo fails.
    pub fn of(scale: Scale) -> anyhow::Result<Self> {
        let binary = binary()?;
        let shelf = binary.parent().context("the binary lies nowhere")?.join("prepared");
        fs::create_dir_all(&shelf)?;
        let name = scale.events().to_string();
        let root = shelf.join(&name);
        // Other processes may ask at the same time. The lock ends with the file.
        let lock = File::create(shelf.join(format!("{name}.lock")))?;
        lock.lock()?;
        if !root.try_exists()? {
            let unfinished = shelf.join(format!("{name}.unfinished"));
            if unfinished.try_exists()? {
                fs::remove_dir_all(&unfinished)?;
            }
            let place = unfinished.display().to_string();
            let args = ["demo", "--once", "--port", "0", "--events", &name, "--dir", &place];
            run(&binary, &shelf, &args)?.ok().context("the demo that all stories start from")?;
            fs::rename(&unfinished, &root)?;
        }
        Ok(Self { root })
    }

    /// Returns the directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the bundle that the demo downloaded.
    ///
    /// # Errors
    /// When there is not exactly one.
    pub fn bundle(&self) -> anyhow::Result<PathBuf> {
        let found = fs::read_dir(self.root.join("downloads"))?
            .map(|entry| Ok(entry?.path()))
            .collect::<anyhow::Result<Vec<PathBuf>>>()?;
        let mut zips = found
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "zip"));
        let bundle = zips.next().context("the demo left no bundle")?;
        ensure!(zips.next().is_none(), "the demo left several bundles");
        Ok(bundle)
    }

    /// Returns `contentSha256` of the uninterrupted run, from the manifest in its bundle.
    ///
    /// # Errors
    /// When the bundle has no manifest.
    pub fn content_sha256(&self) -> anyhow::Result<String> {
        let manifest = manifest(&self.bundle()?)?;
        let hash = manifest.get("contentSha256").and_then(Value::as_str);
        hash.map(str::to_owned).context("the manifest has no contentSha256")
    }
}

/// Reads the manifest of a bundle with `unzip`.
fn manifest(zip: &Path) -> anyhow::Result<Value> {
    let directory = zip.parent().context("the bundle lies nowhere")?;
    let zip = zip.display().to_string();
    let text = run(Path::new("unzip"), directory, &["-p", &zip, "manifest.json"])?.ok()?;
    Ok(serde_json::from_str(&text)?)
}
