//! How is the daemon started, stopped and killed?

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, bail, ensure};

use crate::{House, binary, proc, program, run, until};

/// How the daemon is to be started.
#[derive(Debug, Clone, Default)]
pub struct Serve {
    set: Vec<String>,
    crash_point: Option<String>,
    clock_offset: Option<String>,
    file_limit: Option<u64>,
}

impl Serve {
    /// Starts as the settings file says, on a free port.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Overrides a setting: `key=value`.
    #[must_use]
    pub fn set(mut self, setting: &str) -> Self {
        self.set.push(setting.to_owned());
        self
    }

    /// Stops the process at a named point: `name:n`, the n-th time it is there.
    #[must_use]
    pub fn crash_point(mut self, point: &str) -> Self {
        self.crash_point = Some(point.to_owned());
        self
    }

    /// Moves the daemon's clock by a duration such as `192h`.
    #[must_use]
    pub fn clock_offset(mut self, by: &str) -> Self {
        self.clock_offset = Some(by.to_owned());
        self
    }

    /// Lets no file grow beyond so many bytes: a write beyond fails, as on a full disk.
    #[must_use]
    pub fn file_limit(mut self, bytes: u64) -> Self {
        self.file_limit = Some(bytes);
        self
    }

    /// Starts the daemon in a house and waits until it listens.
    ///
    /// # Errors
    /// When it ends instead, with what it said.
    pub async fn start(&self, house: &House) -> anyhow::Result<Daemon> {
        let logs = house.path("logs");
        fs::create_dir_all(&logs)?;
        let number = fs::read_dir(&logs)?.count();
        let (out, err) =
            (logs.join(format!("{number}.stdout")), logs.join(format!("{number}.stderr")));
        let mut command = self.program()?;
        command.args(["serve", "--config", "antumbra.toml", "--set", "listen.address=127.0.0.1:0"]);
        for setting in &self.set {
            command.args(["--set", setting]);
        }
        if let Some(point) = &self.crash_point {
            command.env("ANTUMBRA_CRASH_POINT", point);
        }
        if let Some(offset) = &self.clock_offset {
            command.env("ANTUMBRA_CLOCK_OFFSET", offset);
        }
        let child = command
            .current_dir(house.root())
            .env("TMPDIR", house.path("tmp"))
            .stdin(Stdio::null())
            .stdout(File::create(out)?)
            .stderr(File::create(&err)?)
            .spawn()?;
        let mut daemon = Daemon { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log: err };
        let line = daemon.said("listening address=").await?;
        let after = line.rsplit_once("address=").map(|(_, after)| after);
        let address = after.and_then(|after| after.split_whitespace().next());
        daemon.address = address.context("no address")?.parse()?;
        Ok(daemon)
    }

    /// The binary, below whatever keeps it short of something. The signal that comes with a write beyond the limit is ignored,
    /// so that the write fails instead.
    fn program(&self) -> anyhow::Result<Command> {
        let binary = binary()?;
        let Some(bytes) = self.file_limit else { return Ok(program::command(&binary)) };
        let mut command = program::command(Path::new("sh"));
        let line = format!("trap '' XFSZ; exec prlimit --fsize={bytes} \"$0\" \"$@\"");
        command.args(["-c", &line]).arg(binary);
        Ok(command)
    }
}

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Daemon {
    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Returns its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until its log has a line with these words, and returns the line.
    ///
    /// # Errors
    /// When it ends without having said so.
    pub async fn said(&mut self, words: &str) -> anyhow::Result<String> {
        until(&format!("`{words}` in the log"), async || {
            let ended = self.child.try_wait()?;
            let log = self.log()?;
            let line = log.lines().find(|line| line.contains(words)).map(str::to_owned);
            if let (Some(status), None) = (ended, &line) {
                bail!("the daemon ended with {status}:\n{log}");
            }
            Ok(line)
        })
        .await
    }

    /// Returns everything it logged so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// Kills it as a crash would: SIGKILL.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub fn kill(mut self) -> anyhow::Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the daemon had ended:\n{}", self.log()?);
        self.child.kill()?;
        let status = self.child.wait()?;
        ensure!(status.signal() == Some(9), "the daemon ended with {status} instead");
        Ok(())
    }

    /// Sends a signal by name and lets it go on.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        send(self.child.id(), signal)
    }

    /// Asks it to stop, as service managers do, and returns its exit code.
    ///
    /// # Errors
    /// When it does not end, or a signal ends it.
    pub async fn terminate(self) -> anyhow::Result<i32> {
        self.stop("TERM").await
    }

    /// Sends a signal by name and returns the exit code.
    ///
    /// # Errors
    /// When it does not end, or a signal ends it.
    pub async fn stop(mut self, signal: &str) -> anyhow::Result<i32> {
        send(self.child.id(), signal)?;
        let child = &mut self.child;
        let status = until("the daemon's end", async || Ok(child.try_wait()?)).await?;
        status.code().with_context(|| format!("ended by a signal: {status}"))
    }

    /// Returns the most memory that it ever had resident, in KiB.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn peak_resident_kib(&self) -> anyhow::Result<u64> {
        proc::peak_resident_kib(self.child.id())
    }

    /// Returns the processor time it took so far, in seconds.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        proc::cpu_seconds(self.child.id())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        let _status: Option<ExitStatus> = self.child.wait().ok();
    }
}

/// Sends a signal to one process. The shell's own `kill`, because this crate holds no unsafe code.
pub(crate) fn send(process: u32, signal: &str) -> anyhow::Result<()> {
    let line = format!("kill -{signal} {process}");
    run(Path::new("sh"), Path::new("/"), &["-c", &line])?.ok()?;
    Ok(())
}
