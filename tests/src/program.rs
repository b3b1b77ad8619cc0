//! How is a program run to its end, and what did it say?

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::environment::OURS;

/// A program that ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ran {
    /// Returns what it printed, if it ended well.
    ///
    /// # Errors
    /// When its exit code is not 0, with what it said.
    pub fn ok(self) -> anyhow::Result<String> {
        ensure!(self.code == 0, "exit {}\n{}\n{}", self.code, self.stdout, self.stderr);
        Ok(self.stdout)
    }
}

/// Runs a program in a directory with arguments.
///
/// # Errors
/// When it cannot be started.
pub fn run<S: AsRef<OsStr>>(program: &Path, directory: &Path, args: &[S]) -> anyhow::Result<Ran> {
    let output = command(program)
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .with_context(|| {
        format!("cannot start {} (tests/run installs it)", program.display())
    })?;
    Ok(Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Prepares to start a program without the harness's own variables.
#[must_use]
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in OURS {
        command.env_remove(name);
    }
    command
}

/// Runs a Python script of `tests/python`, which prints what it checked; a value that differs is an error.
///
/// # Errors
/// When Python is not there, or the script did not end well.
pub fn checker<S: AsRef<OsStr>>(script: &str, args: &[S]) -> anyhow::Result<String> {
    let directory = crate::repository().join("tests/python");
    // Without -B, Python leaves what it compiled in the repository.
    let mut all: Vec<&OsStr> = vec![OsStr::new("-B"), OsStr::new(script)];
    all.extend(args.iter().map(AsRef::as_ref));
    run(&crate::python()?, &directory, &all)?
        .ok()
        .with_context(|| format!("{script} found a fault"))
}

/// Returns the SHA-256 of bytes in hexadecimal, as `sha256sum` sees it.
///
/// # Errors
/// When it cannot be run.
pub fn sha256_hex(bytes: &[u8]) -> anyhow::Result<String> {
    let mut child = command(Path::new("sha256sum"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start sha256sum")?;
    // Dropped at once, so that it sees the end; it says nothing before.
    child.stdin.take().context("no standard input")?.write_all(bytes)?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8(output.stdout)?;
    let hash = said.split_whitespace().next().context("sha256sum said nothing")?;
    Ok(hash.to_owned())
}

/// Says something to whoever runs the tests.
pub(crate) fn note(words: &str) {
    let mut err = std::io::stderr().lock();
    // Nothing depends on it being heard.
    drop(writeln!(err, "{words}"));
}
