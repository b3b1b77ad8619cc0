//! Where are the server's programs, and how is one run?

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};

use super::account::Account;

/// The directory of `initdb`, `pg_ctl` and `postgres`, and who runs them.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    directory: PathBuf,
    account: Option<Account>,
}

impl Tools {
    /// Finds the programs: on the path, else the newest that a distribution installed.
    ///
    /// # Errors
    /// Says what to install when there are none.
    pub(super) fn find(
        environment: &[(String, String)],
        account: Option<Account>,
    ) -> anyhow::Result<Self> {
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map(|(_, value)| std::env::split_paths(value).collect::<Vec<_>>());
        let mut places = path.unwrap_or_default();
        for parent in INSTALLED {
            places.extend(newest_first(Path::new(parent))?);
        }
        let found = places.into_iter().find(|place| {
            PROGRAMS.iter().all(|program| place.is_absolute() && place.join(program).is_file())
        });
        let directory = found.context(
            "no PostgreSQL server is installed here: apt-get install postgresql, or dnf install postgresql-server, \
             or put the directory of initdb and pg_ctl on the PATH",
        )?;
        Ok(Self { directory, account })
    }

    /// Runs one to its end, in a directory. Cancelled, it is killed.
    ///
    /// # Errors
    /// With what it said.
    pub(super) async fn run(&self, name: &str, place: &Path, args: &[&str]) -> anyhow::Result<()> {
        let mut command = tokio::process::Command::from(self.command(name, place, args));
        ended(name, command.kill_on_drop(true).output().await)
    }

    /// Does the same and blocks the thread meanwhile: for whoever cannot wait.
    ///
    /// # Errors
    /// With what it said.
    pub(super) fn run_blocking(
        &self,
        name: &str,
        place: &Path,
        args: &[&str],
    ) -> anyhow::Result<()> {
        ended(name, self.command(name, place, args).output())
    }

    /// Nothing of our environment reaches it, and no Ctrl-C in the terminal: whoever began it ends it.
    fn command(&self, name: &str, place: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(self.directory.join(name));
        command
            .args(args)
            .env_clear()
            .env("LC_ALL", "C")
            .current_dir(place)
            .process_group(0)
            .stdin(Stdio::null());
        if let Some(account) = &self.account {
            command.uid(account.user).gid(account.group);
        }
        command
    }
}

fn ended(name: &str, output: io::Result<Output>) -> anyhow::Result<()> {
    let ended = output.with_context(|| format!("cannot start {name}"))?;
    if !ended.status.success() {
        let text = [ended.stdout, ended.stderr].concat();
        bail!("{name} failed: {}", String::from_utf8_lossy(&text).trim());
    }
    Ok(())
}

/// The `bin` directories below each version's own.
fn newest_first(parent: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {}", parent.display()))?,
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let number = name.trim_start_matches("pgsql-").parse().ok()?;
            Some((number, parent.join(name).join("bin")))
        })
        .collect();
    versions.sort();
    Ok(versions.into_iter().rev().map(|(_, path)| path).collect())
}

const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];
/// Debian and its children; Red Hat's.
const INSTALLED: [&str; 2] = ["/usr/lib/postgresql", "/usr"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_version_comes_first_by_number() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["9", "15", "pgsql-16", "share"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let found = newest_first(dir.path()).unwrap();
        let expected = ["pgsql-16/bin", "15/bin", "9/bin"].map(|name| dir.path().join(name));
        assert_eq!(found, expected);
        assert_eq!(newest_first(&dir.path().join("absent")).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn the_path_wins_and_half_an_installation_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (half, whole) = (dir.path().join("half"), dir.path().join("whole"));
        for (place, programs) in [(&half, &PROGRAMS[..1]), (&whole, &PROGRAMS[..])] {
            fs::create_dir(place).unwrap();
            for program in programs {
                fs::write(place.join(program), "").unwrap();
            }
        }
        let path = std::env::join_paths([&half, &whole]).unwrap().into_string().unwrap();
        let found = Tools::find(&[("PATH".to_owned(), path)], None).unwrap();
        assert_eq!(found.directory, whole);
    }
}
