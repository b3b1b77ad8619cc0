//! How fast may something be read? So many units a second, in the order of asking.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many units a second, shared by whoever reads.
#[derive(Debug)]
pub(super) struct Budget {
    per_second: u64,
    /// When everything that was charged is paid for.
    paid: Mutex<Option<Instant>>,
}

impl Budget {
    pub(super) const fn new(per_second: u64) -> Self {
        Self { per_second, paid: Mutex::new(None) }
    }

    /// Charges units and returns the moment from which they may go on: when all that was charged before is paid for.
    ///
    /// What is larger than a second's worth goes on undivided and makes the next wait the longer; time in which nothing was read is
    /// not made up for.
    pub(super) fn charge(&self, units: u64, now: Instant) -> Instant {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let start = paid.map_or(now, |paid| paid.max(now));
        let end = start.checked_add(self.cost(units)).unwrap_or(start);
        *paid = Some(end);
        start
    }

    fn cost(&self, units: u64) -> Duration {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.per_second.max(1));
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos).min(LONGEST)
    }
}

/// More would be no budget but a full stop.
const LONGEST: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_read_is_paid_for_before_more_is_read() {
        let (budget, start) = (Budget::new(100), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(budget.charge(50, start), start);
        assert_eq!(budget.charge(200, start), after(500));
        assert_eq!(budget.charge(1, after(600)), after(2_500));
        // A pause is not saved up.
        assert_eq!(budget.charge(100, after(60_000)), after(60_000));
        assert_eq!(budget.charge(1, after(60_000)), after(61_000));
    }

    #[test]
    fn absurd_numbers_wait_an_hour_and_not_for_ever() {
        let (budget, start) = (Budget::new(1), Instant::now());
        budget.charge(u64::MAX, start);
        assert_eq!(budget.charge(1, start), start + LONGEST);
    }

    proptest! {
        /// Whoever comes when: in any stretch of time no more is let go than the stretch is worth and one charge.
        #[test]
        fn no_more_than_the_budget_goes_on(
            charges in prop::collection::vec((1..500_u64, 0..900_u64), 1..60),
        ) {
            let (budget, start) = (Budget::new(100), Instant::now());
            let mut now = start;
            let mut let_go = Vec::new();
            for (units, pause) in charges {
                now += Duration::from_millis(pause);
                let at = budget.charge(units, now);
                prop_assert!(at >= now);
                let_go.push((at, units));
            }
            for (from, _) in &let_go {
                let mut total = 0_u64;
                for (at, units) in let_go.iter().filter(|(at, _)| at >= from) {
                    let worth = (*at - *from).as_millis() / 10;
                    prop_assert!(u128::from(total) <= worth + 1, "{total} in {:?}", *at - *from);
                    total += units;
                }
            }
        }
    }
}
