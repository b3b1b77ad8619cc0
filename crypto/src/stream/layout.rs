//! Where chunks begin and end. Lengths only; no key is needed here.

use std::ops::Range;

use crate::Error;

/// Bytes of ciphertext in a chunk, its tag included. The first chunk also counts the header.
pub const CHUNK_LEN: usize = 1 << 20;
/// Bytes of the tag at the end of each chunk.
pub const TAG_LEN: usize = 16;
/// Bytes of the header: its own length, salt, nonce prefix.
pub const HEADER_LEN: usize = 40;
/// Chunks a stream may have: 2^32 − 1, about 4 PiB (Tink for Go refuses one more).
pub const MAX_CHUNKS: u64 = u32::MAX as u64;

/// Bytes of plaintext that fill the first chunk.
pub(super) const FIRST_PLAIN: usize = CHUNK_LEN - HEADER_LEN - TAG_LEN;
/// Bytes of plaintext that fill any later chunk.
pub(super) const LATER_PLAIN: usize = CHUNK_LEN - TAG_LEN;

/// Returns the length of the sealed stream for a plaintext of `plain_len` bytes.
///
/// # Errors
///
/// [`Error::LimitReached`] if it would need more than [`MAX_CHUNKS`] chunks.
pub fn sealed_len(plain_len: u64) -> Result<u64, Error> {
    let beyond = plain_len.saturating_sub(FIRST_PLAIN as u64);
    let chunks = 1 + beyond.div_ceil(LATER_PLAIN as u64);
    if chunks > MAX_CHUNKS {
        return Err(TOO_MANY);
    }
    Ok(HEADER_LEN as u64 + plain_len + chunks * TAG_LEN as u64)
}

/// The division of a stream of known length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    sealed: u64,
    chunks: u64,
}

impl Layout {
    /// Checks that a stream can have this length, header included.
    pub(super) fn new(sealed: u64) -> Result<Self, Error> {
        let chunks = sealed.div_ceil(CHUNK);
        if chunks > MAX_CHUNKS {
            return Err(TOO_MANY);
        }
        let last = sealed - chunks.saturating_sub(1) * CHUNK;
        let least = if chunks > 1 { TAG + 1 } else { HEADER + TAG };
        if last < least {
            return Err(Error::Truncated);
        }
        Ok(Self { sealed, chunks })
    }

    pub(super) fn chunks(self) -> u64 {
        self.chunks
    }

    pub(super) fn plain_len(self) -> u64 {
        self.sealed - HEADER - self.chunks * TAG
    }

    pub(super) fn chunk_at(self, plain_offset: u64) -> u64 {
        let index = match plain_offset.checked_sub(FIRST_PLAIN as u64) {
            None => 0,
            Some(beyond) => 1 + beyond / LATER_PLAIN as u64,
        };
        index.min(self.chunks - 1)
    }

    pub(super) fn plain_range(self, index: u64) -> Range<u64> {
        let start = |index: u64| match index {
            0 => 0,
            _ => {
                (FIRST_PLAIN as u64).saturating_add((index - 1).saturating_mul(LATER_PLAIN as u64))
            }
        };
        let end = self.plain_len();
        start(index).min(end)..start(index.saturating_add(1)).min(end)
    }

    pub(super) fn cipher_range(self, index: u64) -> Range<u64> {
        let start = index.saturating_mul(CHUNK).max(HEADER);
        let end = index.saturating_add(1).saturating_mul(CHUNK);
        start.min(self.sealed)..end.min(self.sealed)
    }
}

/// Says that a stream would pass [`MAX_CHUNKS`].
pub(super) const TOO_MANY: Error = Error::LimitReached { what: "chunks of one stream" };

const CHUNK: u64 = CHUNK_LEN as u64;
const TAG: u64 = TAG_LEN as u64;
const HEADER: u64 = HEADER_LEN as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_no_stream_has_are_refused() {
        for sealed in [0, 39, 40, 55, CHUNK + 1, CHUNK + 16, 3 * CHUNK + 16] {
            assert!(matches!(Layout::new(sealed), Err(Error::Truncated)), "{sealed}");
        }
        for sealed in [56, 57, CHUNK, CHUNK + 17, 2 * CHUNK] {
            assert!(Layout::new(sealed).is_ok(), "{sealed}");
        }
    }

    #[test]
    fn too_long_is_a_limit_not_an_overflow() {
        assert!(matches!(Layout::new(u64::MAX), Err(Error::LimitReached { .. })));
        assert!(matches!(sealed_len(u64::MAX), Err(Error::LimitReached { .. })));
        assert!(Layout::new(MAX_CHUNKS * CHUNK).is_ok());
        assert!(matches!(Layout::new(MAX_CHUNKS * CHUNK + 17), Err(Error::LimitReached { .. })));
    }

    #[test]
    fn ranges_tile_the_stream() {
        let first = FIRST_PLAIN as u64;
        let later = LATER_PLAIN as u64;
        for plain in [0, 1, first - 1, first, first + 1, first + later, first + later + 1] {
            let layout = Layout::new(sealed_len(plain).unwrap()).unwrap();
            assert_eq!(layout.plain_len(), plain);
            let (mut at_plain, mut at_cipher) = (0, HEADER);
            for index in 0..layout.chunks() {
                let (p, c) = (layout.plain_range(index), layout.cipher_range(index));
                assert_eq!((p.start, c.start), (at_plain, at_cipher));
                assert_eq!(p.end - p.start + TAG, c.end - c.start);
                if !p.is_empty() {
                    assert_eq!(layout.chunk_at(p.start), index);
                    assert_eq!(layout.chunk_at(p.end - 1), index);
                }
                (at_plain, at_cipher) = (p.end, c.end);
            }
            assert_eq!((at_plain, at_cipher), (plain, sealed_len(plain).unwrap()));
            assert_eq!(layout.chunk_at(u64::MAX), layout.chunks() - 1);
            assert!(layout.plain_range(layout.chunks()).is_empty());
            assert!(layout.cipher_range(u64::MAX).is_empty());
        }
    }
}
