//! How long is waited between two tries?

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use antumbra_config::{Count, Period, Settings};
use tokio::time::{Instant, sleep};

use super::running::Halt;
use crate::{PipelineError, SiloError};

/// How long to wait before each next try: a random part of a bound that doubles each time, so that jobs that met the same fault do
/// not return together.
#[derive(Debug)]
pub(super) struct Pauses {
    bound: Duration,
    longest: Duration,
}

impl Pauses {
    /// `first` bounds the first pause, `longest` all of them.
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self { bound: first, longest }
    }

    /// Returns the next pause.
    pub(super) fn next(&mut self) -> Duration {
        let pause = part_of(self.bound);
        self.bound = self.bound.saturating_mul(2).min(self.longest);
        pause
    }
}

/// How often settings have each silo tried, and the first pause.
#[derive(Debug)]
pub(super) struct RetryPolicies {
    usual: (u32, Duration),
    /// Those of silos that have their own.
    own: BTreeMap<String, (u32, Duration)>,
}

impl RetryPolicies {
    pub(super) fn of(settings: &Settings) -> Self {
        let export = &settings.export;
        let of = |attempts: Option<Count>, backoff: Option<Period>| {
            let attempts = attempts.unwrap_or(export.silo_attempts).get();
            (attempts, backoff.unwrap_or(export.silo_backoff).duration())
        };
        let own = settings.silos.iter().filter_map(|silo| {
            let (attempts, backoff) = (silo.limits.attempts, silo.limits.backoff);
            (attempts.is_some() || backoff.is_some())
                .then(|| (silo.name.to_string(), of(attempts, backoff)))
        });
        Self { usual: of(None, None), own: own.collect() }
    }

    /// Begins to count the tries of something that one silo has.
    pub(super) fn tries(&self, silo: &str) -> Tries {
        let (limit, first) = self.own.get(silo).copied().unwrap_or(self.usual);
        Tries::new(limit, first)
    }
}

/// Counts the tries of something that fails in a way that may pass, and says how long to wait before the next one.
#[derive(Debug)]
pub(super) struct Tries {
    limit: u32,
    first: Duration,
    /// Tries in a row that got nowhere.
    failed: u32,
    pauses: Pauses,
    reached: u64,
    /// Since when it was not even asked.
    held: Option<Instant>,
}

impl Tries {
    /// Allows `limit` tries in a row that get no further, at least one; `first` bounds the first pause.
    pub(super) fn new(limit: u32, first: Duration) -> Self {
        Self { limit, first, failed: 0, pauses: pauses(first), reached: 0, held: None }
    }

    /// Takes a silo's failure, as [`failed`](Self::failed) does. One that was not asked costs no try: it is waited for, though not
    /// for ever.
    pub(super) fn after(&mut self, error: &SiloError, reached: u64) -> Option<Duration> {
        self.after_at(error, reached, Instant::now())
    }

    fn after_at(&mut self, error: &SiloError, reached: u64, now: Instant) -> Option<Duration> {
        let SiloError::Held { more, .. } = error else {
            self.held = None;
            return self.failed(reached);
        };
        let since = *self.held.get_or_insert(now);
        if reached > self.reached {
            return self.failed(reached);
        }
        // A random part more: not all that wait are to return together.
        (now.saturating_duration_since(since) < MOST_HELD)
            .then(|| more.saturating_add(part_of(self.first.max(LEAST))))
    }

    /// Counts a try that failed after it got as far as `reached`; answers the pause before the next, `None` if that was the last.
    pub(super) fn failed(&mut self, reached: u64) -> Option<Duration> {
        if reached > self.reached {
            (self.reached, self.failed, self.pauses) = (reached, 0, pauses(self.first));
        } else {
            self.failed += 1;
        }
        if self.failed >= self.limit {
            return None;
        }
        Some(self.pauses.next())
    }

    /// Says whether a failure that gets no further would be the last one.
    pub(super) const fn is_last(&self) -> bool {
        self.failed + 1 >= self.limit
    }
}

/// Waits, unless the job is to stop.
pub(super) async fn wait(halt: &Halt, pause: Duration) -> Result<(), PipelineError> {
    tokio::select! {
        biased;
        () = halt.stop().cancelled() => Err(PipelineError::Interrupted),
        () = sleep(pause) => Ok(()),
    }
}

fn pauses(first: Duration) -> Pauses {
    Pauses::new(first, LONGEST.max(first))
}

/// Returns a random part of a duration.
fn part_of(bound: Duration) -> Duration {
    // Nothing secret hangs on it; each state has keys of its own.
    let random = RandomState::new().hash_one(()) >> 32;
    let nanos = (bound.as_nanos() * u128::from(random)) >> 32;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How long a silo is waited for that is not asked, at most.
const MOST_HELD: Duration = Duration::from_secs(60 * 60);
/// What bounds the random part of such a wait, at least.
const LEAST: Duration = Duration::from_millis(100);
/// The longest bound, unless settings begin with a longer one.
const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_without_progress_are_counted_and_others_are_not() {
        let mut tries = Tries::new(3, Duration::from_millis(10));
        assert!(tries.failed(0).is_some());
        assert!(!tries.is_last());
        assert!(tries.failed(0).is_some());
        assert!(tries.is_last());
        assert!(tries.failed(2).is_some(), "it got further");
        assert!(tries.failed(2).is_some());
        assert!(tries.failed(1).is_some(), "it fell back and counts as before");
        assert_eq!(tries.failed(2), None);
    }

    #[test]
    fn a_silo_that_is_not_asked_costs_no_try() {
        let more = Duration::from_secs(20);
        let held = SiloError::Held { reason: "x".to_owned(), more };
        let down = SiloError::Unavailable { reason: "x".to_owned() };
        let mut tries = Tries::new(2, Duration::from_millis(10));
        for _ in 0..50 {
            assert!(tries.after(&held, 0).unwrap() >= more);
        }
        assert!(tries.after(&down, 0).is_some());
        assert!(tries.after(&held, 0).is_some());
        let later = Instant::now() + MOST_HELD;
        assert_eq!(tries.after_at(&held, 0, later), None, "nobody waits for ever");
        assert_eq!(tries.after(&down, 0), None);
    }

    #[test]
    fn a_single_try_is_the_last() {
        assert!(Tries::new(1, Duration::from_secs(1)).is_last());
        assert_eq!(Tries::new(1, Duration::from_secs(1)).failed(0), None);
    }

    #[test]
    fn pauses_stay_below_a_bound_that_doubles_up_to_half_a_minute() {
        let first = Duration::from_millis(500);
        let mut tries = Tries::new(40, first);
        let mut longest = Duration::ZERO;
        for n in 0..30 {
            let pause = tries.failed(0).unwrap();
            assert!(pause < LONGEST.min(first.saturating_mul(1 << n)), "try {n}: {pause:?}");
            longest = longest.max(pause);
        }
        assert!(longest > Duration::from_secs(1), "{longest:?}");
    }

    #[test]
    fn parts_differ() {
        let bound = Duration::from_secs(1);
        let parts: std::collections::BTreeSet<_> = (0..8).map(|_| part_of(bound)).collect();
        assert!(parts.len() > 1 && parts.iter().all(|part| *part < bound));
    }
}
