//! How many rows of a row group are read at once, where some are far wider than their average?

/// How many rows a batch has: fewer after one that was too much, and more again after some that were not.
pub(super) struct Pace {
    usual: usize,
    pub(super) rows: usize,
    good: usize,
    /// Good batches before there may be more rows in one; more of them after each that was too much, since it is read again.
    wanted: usize,
}

impl Pace {
    /// Begins with as many as usual.
    pub(super) const fn of(usual: usize) -> Self {
        Self { usual, rows: usual, good: 0, wanted: GOOD }
    }

    /// Has fewer rows in the next ones: one was too much.
    pub(super) fn slow_down(&mut self) {
        self.rows = (self.rows / STEP).max(1);
        self.good = 0;
        self.wanted = self.wanted.saturating_mul(STEP);
    }

    /// Counts a batch that was read; says whether the next ones are to have more rows.
    pub(super) fn is_faster_now(&mut self) -> bool {
        if self.rows == self.usual {
            return false;
        }
        self.good += 1;
        if self.good < self.wanted {
            return false;
        }
        self.good = 0;
        self.rows = self.rows.saturating_mul(STEP).min(self.usual);
        true
    }
}

/// How many times fewer, or more, rows a batch has than one before.
const STEP: usize = 8;
/// Batches after which there may be more rows in one.
const GOOD: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_that_was_too_fast_is_tried_less_and_less_often() {
        let mut pace = Pace::of(500);
        assert!(!pace.is_faster_now());
        let mut tried = 0;
        for _ in 0..100_000 {
            // More than eight rows are too much, always.
            if pace.rows > 8 {
                pace.slow_down();
                tried += 1;
            }
            pace.is_faster_now();
        }
        assert!(pace.rows <= 8 && tried < 9, "{tried} times");
        let mut pace = Pace::of(500);
        pace.slow_down();
        assert_eq!(pace.rows, 62);
        let batches = (1..).find(|_| pace.is_faster_now()).unwrap();
        assert_eq!((batches, pace.rows), (GOOD * STEP, 496));
    }
}
