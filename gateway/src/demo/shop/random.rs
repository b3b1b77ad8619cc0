//! Where do the shop's numbers come from? `SplitMix64`: seeded, tiny, the same on every machine.

/// A seeded stream of numbers. Good enough to invent a shop, for nothing else.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// Starts the stream of one table: each has its own, so that more of one thing changes nothing else.
    pub(super) fn of_table(table: &str) -> Self {
        let seed = table
            .bytes()
            .fold(SEED, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self { state: seed }
    }

    /// Returns the next number.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`; 0 when `bound` is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let high = self.next() >> 32;
        u32::try_from((high * u64::from(bound)) >> 32)
            .expect("a product of two 32-bit numbers, shifted by 32, has 32 bits")
    }

    /// Returns a number from `low` up to, not including, `high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low))
    }

    /// Says yes `part` times in `whole`.
    pub(super) fn chance(&mut self, part: u32, whole: u32) -> bool {
        self.below(whole) < part
    }

    /// Returns one of the items; the default of `T` when there is none.
    pub(super) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let bound = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let index = usize::try_from(self.below(bound)).unwrap_or_default();
        items.get(index).copied().unwrap_or_default()
    }

    /// Returns a moment of the shop's three years, in seconds since 1970.
    pub(super) fn moment(&mut self) -> i64 {
        FIRST_DAY + i64::from(self.below(THREE_YEARS))
    }
}

/// Writes a moment the way the shop stores it.
pub(super) fn timestamp(second: i64) -> String {
    jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// The shop is the same one each time.
const SEED: u64 = 0x616e_7475_6d62_7261;
/// 2023-01-01T00:00:00Z.
const FIRST_DAY: i64 = 1_672_531_200;
/// 1096 days.
const THREE_YEARS: u32 = 1096 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // First outputs of the reference implementation for state 0 (https://prng.di.unimi.it/splitmix64.c).
        let mut random = Random { state: 0 };
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn bounds_hold() {
        let mut random = Random::of_table("test");
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert!((0..1000).all(|_| (3..9).contains(&random.between(3, 9))));
        assert_eq!(random.below(0), 0);
        assert_eq!(random.pick::<u8>(&[]), 0);
    }

    #[test]
    fn tables_have_streams_of_their_own() {
        assert_ne!(Random::of_table("orders").next(), Random::of_table("images").next());
    }
}
