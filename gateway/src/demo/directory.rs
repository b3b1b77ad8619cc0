//! Where does the demo keep its things?

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::DemoSilo;

/// The demo's directory and what is where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Takes the directory asked for, else one in the user's data directory (XDG Base Directory Specification):
    /// `antumbra/demo`, for a server `antumbra/demo-postgres`. The result is absolute.
    ///
    /// # Errors
    /// When nothing was asked for and the user has no home.
    pub(super) fn choose(
        asked: Option<PathBuf>,
        silo: DemoSilo,
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let root = match asked {
            Some(asked) => asked,
            None => user_data(environment)
                .context("neither XDG_DATA_HOME nor HOME is set: say where with --dir")?
                .join(match silo {
                    DemoSilo::Sqlite => "antumbra/demo",
                    DemoSilo::Postgres => "antumbra/demo-postgres",
                }),
        };
        let root =
            std::path::absolute(&root).with_context(|| format!("cannot use {}", root.display()))?;
        Ok(Self { root })
    }

    /// Everything is below it.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The shop's database, the source.
    pub(super) fn shop(&self) -> PathBuf {
        self.root.join("source/shop.db")
    }

    /// What belongs to the PostgreSQL server that is the source.
    pub(super) fn postgres(&self) -> PathBuf {
        self.root.join("source/postgres")
    }

    /// The secret by which the daemon reaches that server; written anew each time.
    pub(super) fn postgres_url(&self) -> PathBuf {
        self.root.join(POSTGRES_URL)
    }

    /// The daemon's settings.
    pub(super) fn settings(&self) -> PathBuf {
        self.root.join("antumbra.toml")
    }

    /// The key ring; the other keys are beside it.
    pub(super) fn ring(&self) -> PathBuf {
        self.root.join("keys/ring.json")
    }

    /// The root key.
    pub(super) fn root_key(&self) -> PathBuf {
        self.root.join("keys/root.key")
    }

    /// The caller's API key.
    pub(super) fn api_key(&self) -> PathBuf {
        self.root.join("api-key")
    }

    /// The daemon's own: job store and sealed objects.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Where bundles arrive.
    pub(super) fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }
}

/// Relative to the demo's directory, as the settings name it.
pub(super) const POSTGRES_URL: &str = "source/postgres.url";

/// A relative `XDG_DATA_HOME` is to be ignored, the specification says.
fn user_data(environment: &[(String, String)]) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let (_, value) = environment.iter().find(|(known, _)| known == name)?;
        Some(PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(asked: Option<&str>, environment: &[(&str, &str)]) -> Option<PathBuf> {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let asked = asked.map(PathBuf::from);
        let directory = Directory::choose(asked, DemoSilo::Sqlite, &environment);
        directory.ok().map(|directory| directory.root)
    }

    #[test]
    fn asked_for_wins() {
        let set = [("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(chosen(Some("/demo"), &set), Some("/demo".into()));
        assert!(chosen(Some("demo"), &set).unwrap().is_absolute());
    }

    #[test]
    fn user_data_directory_is_the_default() {
        assert_eq!(
            chosen(None, &[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]),
            Some("/x/antumbra/demo".into())
        );
        assert_eq!(chosen(None, &[("HOME", "/h")]), Some("/h/.local/share/antumbra/demo".into()));
    }

    #[test]
    fn each_source_has_a_directory_of_its_own() {
        let home = [("HOME".to_owned(), "/h".to_owned())];
        let of = |silo| Directory::choose(None, silo, &home).unwrap();
        assert_ne!(of(DemoSilo::Sqlite), of(DemoSilo::Postgres));
    }

    #[test]
    fn relative_or_empty_xdg_data_home_is_ignored() {
        for value in ["", "relative"] {
            let set = [("XDG_DATA_HOME", value), ("HOME", "/h")];
            assert_eq!(chosen(None, &set), Some("/h/.local/share/antumbra/demo".into()));
        }
    }

    #[test]
    fn no_home_is_an_error() {
        assert_eq!(chosen(None, &[]), None);
    }
}
