//! The accept loop: a permit first, then a connection; errors are survived.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Accepts until `shutdown` and gives each connection to `serve`, at most `most` at once: further ones wait in the
/// listener's queue, where they cost nothing. The listener is closed on return.
pub(crate) async fn accept(
    listener: TcpListener,
    most: usize,
    shutdown: &CancellationToken,
    mut serve: impl FnMut(TcpStream, SocketAddr, OwnedSemaphorePermit),
) {
    let permits = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let mut pause = Duration::ZERO;
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            tokio::time::sleep(pause).await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            next = next => next,
        };
        let Ok(permit) = permit else { return }; // never closed
        match accepted {
            Ok((stream, peer)) => {
                pause = Duration::ZERO;
                // Answers are written whole; waiting for more to send only adds delay.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot set TCP_NODELAY");
                }
                serve(stream, peer, permit);
            }
            Err(error) if is_the_connections_own(&error) => {
                tracing::debug!(%error, "a connection ended before it was accepted");
            }
            Err(error) => {
                pause = longer(pause);
                tracing::warn!(%error, ?pause, "cannot accept connections");
            }
        }
    }
}

/// Says whether an error of `accept` is about one connection, so that the next may be accepted at once.
fn is_the_connections_own(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Out of file descriptors or memory: connections that end give some back.
fn longer(pause: Duration) -> Duration {
    pause.saturating_mul(2).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_machine_is_waited_for_longer_each_time() {
        let mut pause = Duration::ZERO;
        let mut seen = Vec::new();
        for _ in 0..9 {
            pause = longer(pause);
            seen.push(pause.as_millis());
        }
        assert_eq!(seen, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[test]
    fn only_the_connections_own_errors_are_passed_over() {
        assert!(is_the_connections_own(&io::ErrorKind::ConnectionAborted.into()));
        let no_descriptors = io::Error::from_raw_os_error(24);
        assert!(!is_the_connections_own(&no_descriptors));
    }
}
