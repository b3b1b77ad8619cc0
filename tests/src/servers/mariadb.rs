//! A MariaDB server of a story's own: made, filled, stopped in the middle, started again.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::child::free_port;
use crate::house::private;
use crate::{House, command, run, until};

/// A server; stopped and removed when dropped.
#[derive(Debug)]
pub struct MariaDb {
    child: Option<Child>,
    directory: TempDir,
    address: SocketAddr,
}

impl MariaDb {
    /// Makes a server with a database `shop` and starts it.
    ///
    /// # Errors
    /// When none is installed or it does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("antumbra-e2e-").tempdir_in("/tmp")?;
        let (owner, data) = (user()?, directory.path().join("data"));
        let (owner, data) = (format!("--user={owner}"), format!("--datadir={}", data.display()));
        let args = [
            "--no-defaults",
            &owner,
            &data,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ];
        run(Path::new("mariadb-install-db"), directory.path(), &args)
            .context("mariadb-install-db (tests/run installs it)")?
            .ok()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?.port()));
        let mut server = Self { child: None, directory, address };
        server.start_again().await?;
        server.sql_in("", &format!(
            "create database shop character set utf8mb4; create user owner@'%' identified by '{PASSWORD}'; grant select on shop.* to owner@'%'"
        ))?;
        Ok(server)
    }

    /// Returns the URL of a user who may read.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://owner:{PASSWORD}@{}/shop", self.address)
    }

    /// Writes a house's settings for a silo named `shop` in this server; `datapoints` are its `[[silo.datapoint]]` tables.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn settle(&self, house: &House, datapoints: &str) -> anyhow::Result<()> {
        private(&house.path("keys/silo-url"), &self.url())?;
        house.set_silos(&format!(
            "[[silo]]\nname = \"shop\"\ntype = \"mysql\"\nurl = {{ file = \"keys/silo-url\" }}\n\n{datapoints}"
        ))
    }

    /// Runs statements with the server's own client and returns what they print, columns parted by tabs.
    ///
    /// # Errors
    /// The first statement's that fails.
    pub fn sql(&self, statements: &str) -> anyhow::Result<String> {
        self.sql_in("shop", statements)
    }

    /// Stops it as a power cut would: no connection is ended in peace.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop_at_once(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let program = installed()?;
        let place = self.directory.path();
        let log = File::options().create(true).append(true).open(place.join("log"))?;
        let child = command(&program)
            .args(["--no-defaults", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"])
            .arg(format!("--user={}", user()?))
            .arg(format!("--datadir={}", place.join("data").display()))
            .arg(format!("--socket={}", self.socket()))
            .arg(format!("--pid-file={}", place.join("pid").display()))
            .arg(format!("--bind-address={}", self.address.ip()))
            .arg(format!("--port={}", self.address.port()))
            .current_dir(place)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut child = child;
        until("the MariaDB server", async || {
            if let Some(status) = child.try_wait()? {
                let said = fs::read_to_string(self.directory.path().join("log"))?;
                bail!("the server ended with {status}:\n{said}");
            }
            Ok(self.sql_in("", "select 1").ok())
        })
        .await?;
        self.child = Some(child);
        Ok(())
    }

    fn sql_in(&self, database: &str, statements: &str) -> anyhow::Result<String> {
        let socket = format!("--socket={}", self.socket());
        let args = [
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "--raw",
            "--user=root",
            "--default-character-set=utf8mb4",
            &socket,
            "-e",
            statements,
            database,
        ];
        let args = if database.is_empty() { &args[..args.len() - 1] } else { &args[..] };
        run(Path::new("mariadb"), Path::new("/"), args)?.ok()
    }

    fn socket(&self) -> String {
        self.directory.path().join("s").display().to_string()
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        // A story may have stopped it already; then there is nothing to stop.
        drop(self.stop_at_once());
    }
}

/// Finds the server, which distributions put where only root looks.
fn installed() -> anyhow::Result<PathBuf> {
    let places = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    let found =
        places.iter().map(|place| Path::new(place).join("mariadbd")).find(|path| path.is_file());
    found.context("no MariaDB server (tests/run installs it)")
}

fn user() -> anyhow::Result<String> {
    Ok(run(Path::new("id"), Path::new("/"), &["-un"])?.ok()?.trim().to_owned())
}

/// Of a server that nobody else reaches and that holds nothing of anybody.
const PASSWORD: &str = "e2e-password-of-a-server-of-an-hour";
