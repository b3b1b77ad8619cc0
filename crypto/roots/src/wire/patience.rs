//! How long a provider is waited for.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use crate::Error;
use crate::fault::Fault;

/// How long one try may take, how many there are, and the pauses between them.
///
/// A call ends within `attempts × timeout` and the pauses. The first pause is `pause` and up to as
/// much again, by chance, so that many daemons do not come back at once; each later one doubles,
/// up to ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The limit of one try, from looking up the name to the last byte of the answer.
    pub timeout: Duration,
    /// The number of tries; zero counts as one.
    pub attempts: u32,
    /// The pause before the second try.
    pub pause: Duration,
}

impl Default for Patience {
    /// Five seconds, four tries, 200 ms.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), attempts: 4, pause: Duration::from_millis(200) }
    }
}

impl Patience {
    /// Calls until an answer comes that is not [passing](Fault::is_passing), or patience ends.
    pub(crate) async fn over<T, F, Try>(&self, host: &str, attempt: F) -> Result<T, Fault>
    where
        F: FnMut() -> Try,
        Try: Future<Output = Result<T, Fault>>,
    {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(self.pause)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(self.attempts.saturating_sub(1) as usize)
            .with_jitter();
        let tries = attempt.retry(pauses).when(Fault::is_passing).notify(|fault, pause| {
            if let Fault::Provider(error) = fault {
                tracing::debug!(host, code = error.code(), ?pause, "root key is asked again");
            }
        });
        let limit = self.total();
        tokio::time::timeout(limit, tries)
            .await
            .unwrap_or_else(|_| Err(Error::NoAnswer { host: host.to_owned(), limit }.into()))
    }

    /// The limit of all tries and pauses.
    fn total(&self) -> Duration {
        let attempts = self.attempts.max(1);
        let mut total = self.timeout.saturating_mul(attempts);
        let mut pause = self.pause.min(LONGEST_PAUSE);
        for _ in 1..attempts.min(MOST_ATTEMPTS) {
            total = total.saturating_add(pause.saturating_mul(2));
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        total
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keeps the sum short; nobody waits longer than this many pauses.
const MOST_ATTEMPTS: u32 = 1000;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn down() -> Fault {
        Error::Unavailable { host: "h".to_owned(), what: "HTTP 503".to_owned() }.into()
    }

    #[tokio::test(start_paused = true)]
    async fn passing_faults_are_tried_again_and_others_are_not() {
        let patience = Patience::default();
        let tries = Cell::new(0);
        let call = patience.over("h", || async {
            tries.set(tries.get() + 1);
            if tries.get() < 3 { Err(down()) } else { Ok(tries.get()) }
        });
        assert_eq!(call.await.unwrap(), 3);

        tries.set(0);
        let call = patience.over("h", || async {
            tries.set(tries.get() + 1);
            Err::<(), _>(down())
        });
        assert!(call.await.unwrap_err().is_passing());
        assert_eq!(tries.get(), 4);

        tries.set(0);
        let call = patience.over("h", || async {
            tries.set(tries.get() + 1);
            Err::<(), _>(Fault::Bytes(antumbra_crypto::Error::Authentication))
        });
        assert!(!call.await.unwrap_err().is_passing());
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends() {
        let patience = Patience { attempts: 0, ..Patience::default() };
        let call = patience.over("h", std::future::pending::<Result<(), Fault>>);
        let fault = call.await.unwrap_err();
        assert!(matches!(fault, Fault::Provider(Error::NoAnswer { limit, .. })
            if limit == Duration::from_secs(5)));
    }
}
