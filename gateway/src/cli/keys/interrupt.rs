//! How does a command that takes its time stop? At the next good place, when a signal asks.

use std::pin::pin;

use anyhow::bail;
use tokio_util::sync::CancellationToken;

use crate::cli::{Signals, note};

/// Runs `work`, and cancels `stop` at the first signal; a second one does not wait for the end of `work`.
///
/// # Errors
/// What `work` returns; when a second signal came.
pub(super) async fn stoppable<T>(
    stop: &CancellationToken,
    work: impl Future<Output = anyhow::Result<T>> + Send,
) -> anyhow::Result<T> {
    let mut signals = Signals::listen()?.and_hangup()?;
    let mut working = pin!(work);
    tokio::select! {
        ended = &mut working => ended,
        signal = signals.next() => {
            note(format_args!("{signal}: stopping"));
            stop.cancel();
            tokio::select! {
                ended = &mut working => ended,
                signal = signals.next() => bail!("{signal} again: stopped at once"),
            }
        }
    }
}
