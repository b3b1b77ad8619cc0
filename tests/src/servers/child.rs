//! How is a server of the Python environment started and ended?

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{Client, command, python, until};

/// A server's process, with a directory for what it writes; killed and removed when dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    directory: TempDir,
}

impl Server {
    /// Makes the directory that a server will run in.
    pub(super) fn place() -> anyhow::Result<TempDir> {
        Ok(tempfile::Builder::new().prefix("antumbra-e2e-").tempdir_in("/tmp")?)
    }

    /// Starts a program that was installed beside Python.
    pub(super) fn start(
        directory: TempDir,
        program: &str,
        args: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let path = beside_python(program)?;
        let log = File::create(directory.path().join(LOG))?;
        let child = command(&path)
            .args(args)
            .envs(environment.iter().copied())
            .current_dir(directory.path())
            .env("HOME", directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", path.display()))?;
        Ok(Self { child, directory })
    }

    /// Asks until a path answers 200.
    pub(super) async fn answers(&mut self, client: &Client, path: &str) -> anyhow::Result<()> {
        until(&format!("an answer to {path}"), async || {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.log()?);
            }
            // Until it listens, nobody answers.
            let reply = client.get(path, &[]).await.ok();
            Ok(reply.filter(|reply| reply.status == 200).map(|_| ()))
        })
        .await
    }

    /// Returns what it said so far.
    pub(super) fn log(&self) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.directory.path().join(LOG))?).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        let _status = self.child.wait().ok();
    }
}

/// Finds a port that nobody listens on.
pub(super) fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn beside_python(program: &str) -> anyhow::Result<PathBuf> {
    let python = python()?;
    let folder = python.parent().unwrap_or_else(|| Path::new("."));
    let path = folder.join(program);
    if !path.is_file() {
        bail!("{} is not there (tests/run installs it)", path.display());
    }
    Ok(path)
}

const LOG: &str = "log";
