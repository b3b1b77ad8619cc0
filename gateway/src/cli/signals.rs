//! How is the process asked to stop? SIGTERM and SIGINT, for some commands SIGHUP. The daemon reads its keys again on SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for the signals that ask to stop, from the moment it is made.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// Starts listening: from now on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system refuses the handler.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: None,
        })
    }

    /// Takes a terminal that goes away for a signal to stop, too: for commands that would leave something behind.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub(crate) fn and_hangup(mut self) -> io::Result<Self> {
        self.hangup = Some(signal(SignalKind::hangup())?);
        Ok(self)
    }

    /// Waits for the next signal and names it.
    ///
    /// # Cancel safety
    /// A signal that arrives while nobody waits is kept.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = hung_up(self.hangup.as_mut()) => "SIGHUP",
        }
    }
}

/// Listens for SIGHUP alone, from the moment it is made.
#[derive(Debug)]
pub(super) struct Hangups(Signal);

impl Hangups {
    /// Starts listening: from now on SIGHUP no longer ends the process.
    ///
    /// # Errors
    /// When the system refuses the handler.
    pub(super) fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// One that arrives while nobody waits is kept.
    pub(super) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // The runtime ends; there will be none.
            std::future::pending::<()>().await;
        }
    }
}

async fn hung_up(hangup: Option<&mut Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::process::{self, Command};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn sighup_reloads_and_ends_nobody() {
        let mut hangups = Hangups::listen().unwrap();
        let mut signals = Signals::listen().unwrap();
        for _ in 0..2 {
            let sent = Command::new("kill").args(["-HUP", &process::id().to_string()]).status();
            assert!(sent.unwrap().success());
            timeout(Duration::from_secs(60), hangups.next()).await.expect("SIGHUP arrives");
        }
        // It is no signal to stop.
        let stopped = timeout(Duration::from_millis(1), signals.next()).await;
        assert!(stopped.is_err(), "{stopped:?}");
    }
}
