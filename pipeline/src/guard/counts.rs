//! How often was what withheld or found? Counts that are saved with the cursor.

use std::collections::BTreeMap;

/// Counts by place. A place is a redaction of the settings, or a column and what a guard found in it.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// One for each redaction of the settings, in their order.
    fixed: usize,
    /// Redactions first; then a place and its count, for each place behind them with a count, ascending. This is what is saved:
    /// most of the places a wide table has never count anything.
    saved: Vec<u64>,
    found: BTreeMap<u64, u64>,
}

impl Counts {
    /// Goes on with saved counts; starts at nought where they are of other settings.
    pub(super) fn new(fixed: usize, saved: Option<Vec<u64>>) -> Self {
        let mut counts = Self { fixed, saved: vec![0; fixed], found: BTreeMap::new() };
        let Some(saved) = saved else { return counts };
        let Some((redactions, pairs)) = saved.split_at_checked(fixed) else { return counts };
        let (pairs, rest) = pairs.as_chunks::<2>();
        if rest.is_empty() {
            counts.found = pairs.iter().map(|[place, count]| (*place, *count)).collect();
            counts.saved = redactions.to_vec();
            counts.save();
        }
        counts
    }

    /// Counts values of a redaction of the settings.
    pub(super) fn redacted(&mut self, at: usize, values: u64) {
        if let Some(count) = self.saved.get_mut(..self.fixed).and_then(|fixed| fixed.get_mut(at)) {
            *count += values;
        }
    }

    /// Counts values of another place.
    pub(super) fn found(&mut self, place: u64, values: u64) {
        if values > 0 {
            *self.found.entry(place).or_default() += values;
            self.save();
        }
    }

    /// Counts what others saved in.
    pub(super) fn add(&mut self, saved: Vec<u64>) {
        let others = Self::new(self.fixed, Some(saved));
        for (at, values) in others.saved.iter().take(self.fixed).enumerate() {
            self.redacted(at, *values);
        }
        for (place, values) in others.found {
            self.found(place, values);
        }
    }

    /// Returns how many values of a place were found.
    pub(super) fn of(&self, place: u64) -> u64 {
        self.found.get(&place).copied().unwrap_or(0)
    }

    /// Returns what is saved.
    pub(super) fn saved(&self) -> &[u64] {
        &self.saved
    }

    fn save(&mut self) {
        self.saved.truncate(self.fixed);
        self.saved.extend(self.found.iter().flat_map(|(place, count)| [*place, *count]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_counts_go_on() {
        let mut counts = Counts::new(2, None);
        counts.redacted(1, 3);
        counts.found(90, 1);
        counts.found(7, 2);
        counts.found(90, 4);
        counts.redacted(2, 9);
        assert_eq!(counts.saved(), [0, 3, 7, 2, 90, 5]);
        let mut again = Counts::new(2, Some(counts.saved().to_vec()));
        again.found(7, 1);
        again.redacted(0, 1);
        assert_eq!(again.saved(), [1, 3, 7, 3, 90, 5]);
        assert_eq!((again.of(7), again.of(8)), (3, 0));
    }

    #[test]
    fn counts_of_parts_are_summed() {
        let mut counts = Counts::new(1, Some(vec![2, 7, 1]));
        counts.add(vec![3, 7, 4, 90, 6]);
        counts.add(vec![1]);
        assert_eq!(counts.saved(), [6, 7, 5, 90, 6]);
    }

    #[test]
    fn counts_of_other_settings_are_not_taken() {
        for saved in [vec![], vec![1], vec![1, 2, 3]] {
            assert_eq!(Counts::new(2, Some(saved)).saved(), [0, 0]);
        }
        assert_eq!(Counts::new(2, Some(vec![1, 2])).saved(), [1, 2]);
    }
}
