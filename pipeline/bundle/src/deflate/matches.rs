//! What was there before? Finds repetitions of at least [`LEAST`] bytes, the newest place of each hash, and takes the first it sees.

use super::block::Block;
use super::codes::{LONGEST, WINDOW};

/// Where bytes were seen last.
pub(super) struct Matcher {
    /// By hash: the place in the piece; [`NOWHERE`] if there is none.
    places: Box<[u32; 1 << HASH_BITS]>,
}

impl Matcher {
    pub(super) fn new() -> Self {
        Self { places: Box::new([NOWHERE; 1 << HASH_BITS]) }
    }

    /// Forgets all places.
    pub(super) fn clear(&mut self) {
        self.places.fill(NOWHERE);
    }

    /// Fills a block with what stands in `plain` from `from` on, and returns where the next one begins.
    pub(super) fn block(&mut self, plain: &[u8], from: usize, block: &mut Block) -> usize {
        block.clear();
        let until = plain.len().min(from + BLOCK_LEN);
        let mut literals = from;
        let mut at = from;
        let mut misses = 0;
        while at < until {
            let Some(here) = eight(plain, at) else { break };
            let before = self.replace(here, at);
            let distance = at.wrapping_sub(before);
            let same = if distance.wrapping_sub(1) < WINDOW {
                eight(plain, before).map_or(0, |there| same_bytes(here, there))
            } else {
                0
            };
            if same < LEAST {
                misses += 1;
                // Faster and faster through what has no repetitions.
                at += (1 + (misses >> PATIENCE_BITS)).min(LONGEST_STEP);
                continue;
            }
            misses = 0;
            // What was stepped over may be part of it.
            let mut start = at;
            while start > literals
                && start > distance
                && at - start + 8 < LONGEST
                && plain.get(start - 1) == plain.get(start - 1 - distance)
            {
                start -= 1;
            }
            let end = end_of_match(plain, at, distance, same, start + LONGEST);
            block.add(plain.get(literals..start).unwrap_or_default(), end - start, distance);
            literals = end;
            self.remember(plain, at + 1, end);
            at = end;
        }
        // A match may end behind the block; the last step does not count.
        let end = until.max(literals);
        block.end(plain.get(literals..end).unwrap_or_default());
        end
    }

    /// Notes where these bytes stand and returns where they stood before.
    #[inline]
    fn replace(&mut self, bytes: u64, at: usize) -> usize {
        let at = u32::try_from(at).unwrap_or(NOWHERE);
        let place = self.places.get_mut(hash(bytes));
        place.map_or(usize::MAX, |place| {
            usize::try_from(std::mem::replace(place, at)).unwrap_or(usize::MAX)
        })
    }

    /// Notes some of the places inside a match.
    #[inline]
    fn remember(&mut self, plain: &[u8], from: usize, until: usize) {
        for at in (from..until).step_by(STRIDE) {
            if let Some(bytes) = eight(plain, at) {
                self.replace(bytes, at);
            }
        }
    }
}

/// Returns where a match ends that begins with `same` equal bytes, not behind `most`.
#[inline]
fn end_of_match(plain: &[u8], at: usize, distance: usize, same: usize, most: usize) -> usize {
    let most = most.min(plain.len());
    let mut end = at + same;
    if same == 8 {
        while end < most {
            let (Some(here), Some(there)) = (eight(plain, end), eight(plain, end - distance))
            else {
                while end < most && plain.get(end) == plain.get(end - distance) {
                    end += 1;
                }
                break;
            };
            let more = same_bytes(here, there);
            end += more;
            if more < 8 {
                break;
            }
        }
    }
    end.min(most)
}

/// Eight bytes as a number, the first one lowest.
#[inline]
fn eight(plain: &[u8], at: usize) -> Option<u64> {
    plain.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// How many bytes are equal, from the first one.
#[inline]
fn same_bytes(one: u64, other: u64) -> usize {
    usize::try_from((one ^ other).trailing_zeros() / 8).unwrap_or(0)
}

/// Of the first [`LEAST`] bytes.
#[inline]
fn hash(bytes: u64) -> usize {
    let product = (bytes << (64 - 8 * LEAST)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(product >> (64 - HASH_BITS)).unwrap_or(0)
}

/// Shorter ones are seldom shorter than their literals, and finding them is what takes time.
const LEAST: usize = 5;
const HASH_BITS: u32 = 15;
const NOWHERE: u32 = u32::MAX;
/// After 2^this misses the steps grow.
const PATIENCE_BITS: usize = 3;
const LONGEST_STEP: usize = 32;
/// Places inside a match are noted this far apart.
const STRIDE: usize = 4;
/// Plain bytes that share codes. Shorter blocks fit better, and their codes cost more.
const BLOCK_LEN: usize = 96 << 10;
