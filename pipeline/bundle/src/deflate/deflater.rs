//! How is a piece deflated? Block by block, each with codes of its own, and flushed at its end.

use super::bits::BitWriter;
use super::block::Block;
use super::matches::Matcher;

/// Deflates pieces.
pub(crate) struct Deflater {
    matcher: Matcher,
    block: Block,
    out: BitWriter,
}

impl Deflater {
    /// Makes one that holds about half a mebibyte of memory.
    pub(crate) fn new() -> Self {
        Self { matcher: Matcher::new(), block: Block::new(), out: BitWriter::new() }
    }

    /// Returns a piece as deflate blocks, none of which sets BFINAL. They refer to nothing before the piece and end with an
    /// empty stored block, so at a byte: more pieces may stand behind it.
    ///
    /// The bytes depend on `plain` alone.
    pub(crate) fn piece(&mut self, plain: &[u8]) -> &[u8] {
        self.out.clear();
        self.matcher.clear();
        let mut from = 0;
        while from < plain.len() {
            let until = self.matcher.block(plain, from, &mut self.block);
            self.block.write(plain.get(from..until).unwrap_or_default(), &mut self.out);
            from = until;
        }
        self.out.stored(&[]);
        self.out.written()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;
    use proptest::prelude::*;

    use super::*;

    /// What zlib-rs and miniz-like readers make of a piece, followed by the end of deflate.
    fn inflated(piece: &[u8]) -> Vec<u8> {
        let whole = [piece, &[3, 0]].concat();
        let mut plain = Vec::new();
        DeflateDecoder::new(whole.as_slice()).read_to_end(&mut plain).unwrap();
        plain
    }

    /// Deflates twice with one deflater, so that nothing of a piece can be left in the next.
    fn comes_back(plain: &[u8]) -> usize {
        let mut deflater = Deflater::new();
        let first = deflater.piece(plain).to_vec();
        assert!(inflated(&first) == plain, "{} bytes", plain.len());
        assert!(deflater.piece(plain) == first, "the same bytes each time");
        first.len()
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn nothing_is_a_flush() {
        assert_eq!(Deflater::new().piece(&[]), [0, 0, 0, 0xff, 0xff]);
    }

    #[test]
    fn short_pieces_are_not_longer_than_their_plain_bytes_and_two_headers() {
        for len in 1..300 {
            assert!(comes_back(&noise(len)) <= len + 10, "{len}");
            assert!(comes_back(&vec![b'a'; len]) < 17 + len / 100, "{len}");
        }
    }

    #[test]
    fn noise_is_stored() {
        for len in [65_535, 65_536, 131_070, 131_073, 1 << 20] {
            assert!(comes_back(&noise(len)) <= len + 200, "{len}");
        }
    }

    #[test]
    fn runs_and_matches_of_every_length_and_distance_come_back() {
        assert!(comes_back(&vec![0; 1 << 20]) < 8_000);
        let seed = noise(70_000);
        for distance in [1, 2, 3, 4, 5, 7, 8, 9, 255, 257, 32_767, 32_768, 32_769, 65_536] {
            let mut plain = seed[..distance].to_vec();
            for (len, between) in (3..=270).zip(&seed) {
                let start = plain.len() - distance;
                for at in start..start + len {
                    plain.push(plain[at]);
                }
                plain.push(*between);
            }
            comes_back(&plain);
        }
    }

    #[test]
    fn frequencies_that_grow_like_fibonacci_need_no_code_that_is_too_long() {
        let (mut plain, mut one, mut other) = (Vec::new(), 1, 1);
        for byte in 0..24 {
            plain.extend(std::iter::repeat_n(byte, one));
            (one, other) = (other, one + other);
        }
        // Shuffled, so that they are literals and not runs.
        let mut places = noise(4 * plain.len()).into_iter();
        for at in (1..plain.len()).rev() {
            let draw: [u8; 4] = std::array::from_fn(|_| places.next().unwrap());
            plain.swap(at, usize::try_from(u32::from_le_bytes(draw)).unwrap() % (at + 1));
        }
        let len = comes_back(&plain);
        assert!(len < plain.len() / 2, "{len} of {}", plain.len());
    }

    #[test]
    fn rows_are_smaller_than_zlib_makes_them_at_its_fastest() {
        let row = |id: u32| {
            format!(
                "{id},\"person{}@example.test\",\"Mozilla/5.0 (X11; rv:{})\",{:08x}\r\n",
                id % 7,
                id % 37,
                id.wrapping_mul(2_654_435_761)
            )
        };
        let plain = (0..12_000).map(row).collect::<String>().into_bytes();
        let len = comes_back(&plain);
        let mut zlib = Vec::new();
        let fastest = flate2::Compression::new(1);
        flate2::read::DeflateEncoder::new(plain.as_slice(), fastest)
            .read_to_end(&mut zlib)
            .unwrap();
        assert!(len < zlib.len(), "{len} against {}", zlib.len());
    }

    /// Bytes with repetitions near and far.
    fn repetitive() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| (bytes, 0, 0)),
            prop::collection::vec(b'a'..=b'f', 0..300).prop_map(|bytes| (bytes, 0, 0)),
            (1_usize..70_000, 1_usize..600).prop_map(|(back, len)| (Vec::new(), back, len)),
        ];
        prop::collection::vec(piece, 0..400).prop_map(|pieces| {
            let mut plain: Vec<u8> = Vec::new();
            for (bytes, back, len) in pieces {
                plain.extend_from_slice(&bytes);
                if back > 0 && back <= plain.len() {
                    for _ in 0..len {
                        plain.push(plain[plain.len() - back]);
                    }
                }
            }
            plain
        })
    }

    proptest! {
        #[test]
        fn what_went_in_comes_out(plain in repetitive()) {
            comes_back(&plain);
        }

        #[test]
        fn any_bytes_come_back(plain: Vec<u8>) {
            comes_back(&plain);
        }
    }
}
