//! How long does a story wait for something that must come?

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

/// Long enough for a slow, shared machine; only a defect takes longer.
pub const PATIENCE: Duration = Duration::from_secs(100);

/// Asks again and again until there is an answer.
///
/// # Errors
/// The question's own error, or that [`PATIENCE`] ended, naming `what`.
pub async fn until<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("waited {PATIENCE:?} in vain for {what}");
        }
        sleep(BETWEEN).await;
    }
}

const BETWEEN: Duration = Duration::from_millis(25);
