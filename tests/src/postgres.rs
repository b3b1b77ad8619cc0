//! A PostgreSQL server of a story's own: made, filled, stopped in the middle, started again.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::house::private;
use crate::{House, command, run};

/// A server; stopped and removed when dropped.
#[derive(Debug)]
pub struct Postgres {
    tools: PathBuf,
    place: PathBuf,
    /// Goes with it.
    _directory: TempDir,
    port: u16,
    /// Somebody else than root, whom PostgreSQL refuses.
    account: Option<(u32, u32)>,
}

impl Postgres {
    /// Makes a server and starts it; `options` are further ones, such as `-c shared_buffers=1MB`.
    ///
    /// # Errors
    /// When none is installed or it does not start.
    pub fn start(options: &str) -> anyhow::Result<Self> {
        let tools = tools()?;
        // Where others than root can reach it, and for them alone.
        let directory = tempfile::Builder::new().prefix("antumbra-e2e-").tempdir_in("/tmp")?;
        let place = directory.path().to_owned();
        let mut server = Self { tools, place, _directory: directory, port: 0, account: None };
        if fs::metadata(&server.place)?.uid() == 0 {
            let number = |flag: &str| -> anyhow::Result<u32> {
                let said = run(Path::new("id"), Path::new("/"), &[flag, "postgres"])?.ok()?;
                Ok(said.trim().parse()?)
            };
            let (user, group) = (number("-u")?, number("-g")?);
            std::os::unix::fs::chown(&server.place, Some(user), Some(group))?;
            server.account = Some((user, group));
        }
        let secret = server.place.join("password");
        private(&secret, PASSWORD)?;
        if let Some((user, group)) = server.account {
            std::os::unix::fs::chown(&secret, Some(user), Some(group))?;
        }
        let (data, secret) = (server.data(), format!("--pwfile={}", secret.display()));
        let init = ["-D", &data, &secret, "--username=owner", "--auth=scram-sha-256"];
        server.tool(
            "initdb",
            &[&init[..], &["--encoding=UTF8", "--locale=C", "--no-sync"]].concat(),
        )?;
        server.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let port = server.port;
        let settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n{options}\n"
        );
        let file = server.place.join("data/postgresql.auto.conf");
        fs::OpenOptions::new().append(true).open(file)?.write_all(settings.as_bytes())?;
        server.start_again()?;
        Ok(server)
    }

    /// Returns the URL of its only user.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://owner:{PASSWORD}@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Writes a house's settings for a silo named `shop` in this server; `datapoints` are its `[[silo.datapoint]]` tables.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn settle(&self, house: &House, datapoints: &str) -> anyhow::Result<()> {
        private(&house.path("keys/silo-url"), &self.url())?;
        house.set_silos(&format!(
            "[[silo]]\nname = \"shop\"\ntype = \"postgres\"\nurl = {{ file = \"keys/silo-url\" }}\n\n{datapoints}"
        ))
    }

    /// Runs statements and returns what they print, columns parted by `|`.
    ///
    /// # Errors
    /// The first statement's that fails.
    pub fn sql(&self, statements: &str) -> anyhow::Result<String> {
        let url = self.url();
        let args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", statements];
        run(Path::new("psql"), Path::new("/"), &args)?.ok()
    }

    /// Returns everything it logged so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.place.join("log"))?).into_owned())
    }

    /// Stops it as a power cut would: no connection is ended in peace.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop_at_once(&self) -> anyhow::Result<()> {
        self.tool("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"])
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&self) -> anyhow::Result<()> {
        self.tool("pg_ctl", &["-D", &self.data(), "-l", "log", "-w", "start"])
    }

    fn data(&self) -> String {
        self.place.join("data").display().to_string()
    }

    fn tool(&self, name: &str, args: &[&str]) -> anyhow::Result<()> {
        let program = self.tools.join(name);
        let mut command: Command = command(&program);
        command.args(args).current_dir(&self.place).env("LC_ALL", "C").stdin(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        let ended =
            command.output().with_context(|| format!("cannot start {}", program.display()))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
            let log = fs::read_to_string(self.place.join("log")).unwrap_or_default();
            bail!("{name}: {said}\n{log}");
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A story may have stopped it already; then there is nothing to stop.
        drop(self.stop_at_once());
    }
}

/// Finds the newest server that is installed.
fn tools() -> anyhow::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in
        fs::read_dir(INSTALLED).with_context(|| format!("{INSTALLED} (tests/run installs it)"))?
    {
        let path = entry?.path();
        let version = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        found.extend(version.map(|version| (version, path.join("bin"))));
    }
    found.sort();
    let (_, tools) = found.pop().context("no PostgreSQL server (tests/run installs it)")?;
    ensure!(tools.join("initdb").is_file(), "no server in {}", tools.display());
    Ok(tools)
}

const INSTALLED: &str = "/usr/lib/postgresql";
/// Of a server that nobody else reaches and that holds nothing of anybody.
const PASSWORD: &str = "e2e-password-of-a-server-of-an-hour";
