//! Which clock does the daemon go by? The system's; a test may have it say another day.

use std::sync::Arc;

use antumbra_jobs::{Clock, SystemClock};

/// Returns the clock of this process.
///
/// With the feature `test-util`, `ANTUMBRA_CLOCK_OFFSET` moves it by a duration such as `192h`: what a week does to a job is
/// then seen in a second. The product has no such thing.
#[cfg(not(feature = "test-util"))]
pub(crate) fn of_process() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Returns the clock of this process; see the same function without the feature.
#[cfg(feature = "test-util")]
pub(crate) fn of_process() -> Arc<dyn Clock> {
    #[expect(clippy::disallowed_methods, reason = "a hook of tests, not a setting")]
    let text = std::env::var("ANTUMBRA_CLOCK_OFFSET").ok();
    let offset = text.and_then(|text| text.parse::<jiff::SignedDuration>().ok());
    match offset {
        Some(offset) => Arc::new(moved::Moved(offset)),
        None => Arc::new(SystemClock),
    }
}

#[cfg(feature = "test-util")]
mod moved {
    use antumbra_jobs::{Clock, SystemClock};
    use jiff::{SignedDuration, Timestamp};

    /// The system's clock, wrong by as much as was asked for.
    #[derive(Debug)]
    pub(super) struct Moved(pub(super) SignedDuration);

    impl Clock for Moved {
        fn now(&self) -> Timestamp {
            SystemClock.now().checked_add(self.0).unwrap_or(Timestamp::MAX)
        }
    }
}
