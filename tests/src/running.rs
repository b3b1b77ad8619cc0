//! How is a command of the binary started that goes on until it is asked to stop?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, ensure};

use crate::{binary, command, daemon, until};

/// A command that runs, for instance a demo that keeps serving; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: PathBuf,
}

impl Running {
    /// Starts it in a directory; what it says on stdout goes to the file `stdout` there.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(args: &[&str], directory: &Path) -> anyhow::Result<Self> {
        let out = directory.join("stdout");
        let child = command(&binary()?)
            .args(args)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out)?)
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Self { child, out })
    }

    /// Waits until it has said something, and returns everything it said.
    ///
    /// # Errors
    /// When it ends without.
    pub async fn said(&mut self, words: &str) -> anyhow::Result<String> {
        until(words, async || {
            let said = fs::read_to_string(&self.out)?;
            ensure!(self.child.try_wait()?.is_none(), "it ended:\n{said}");
            Ok(said.contains(words).then_some(said))
        })
        .await
    }

    /// Interrupts it as Ctrl-C does and returns its exit code.
    ///
    /// # Errors
    /// When it does not end, or a signal ends it.
    pub async fn interrupt(mut self) -> anyhow::Result<i32> {
        daemon::send(self.child.id(), "INT")?;
        let status = until("its end", async || Ok(self.child.try_wait()?)).await?;
        status.code().with_context(|| format!("ended by a signal: {status}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        let _status = self.child.wait().ok();
    }
}
