//! Bytes that say how long a stream is and what is done to it: so the fuzzer reaches streams that are longer than its inputs.

use antumbra_crypto::stream::CHUNK_LEN;

use super::fixed::LONGEST;

/// Reads a recipe from its front.
#[derive(Debug)]
pub(super) struct Recipe<'d> {
    rest: &'d [u8],
}

impl<'d> Recipe<'d> {
    /// Takes the bytes.
    pub(super) fn new(data: &'d [u8]) -> Self {
        Self { rest: data }
    }

    /// Reads how long the plaintext is.
    pub(super) fn plain_len(&mut self) -> usize {
        self.number(LONGEST)
    }

    /// Does to a stream what the rest says.
    pub(super) fn spoil(mut self, stream: &mut Vec<u8>) {
        while let Some((step, rest)) = self.rest.split_first() {
            self.rest = rest;
            let len = stream.len();
            let at = self.number(len);
            match step % 6 {
                0 => {
                    if let Some(byte) = stream.get_mut(at) {
                        *byte ^= 1 << (step >> 5);
                    }
                }
                1 => stream.truncate(at),
                // Doubling again and again would fill the memory with what is no stream anyway.
                2 if len > 2 * LONGEST => {}
                2 => stream.extend_from_within(at..),
                3 => drop(stream.drain(at..at + self.number(len - at))),
                4 => stream.insert(at, *step),
                // Two chunks change places; the same one twice is no change.
                _ => {
                    let (one, two) = (at / CHUNK_LEN, self.number(len) / CHUNK_LEN);
                    for offset in 0..CHUNK_LEN {
                        let (one, two) = (one * CHUNK_LEN + offset, two * CHUNK_LEN + offset);
                        if one < len && two < len {
                            stream.swap(one, two);
                        }
                    }
                }
            }
        }
    }

    /// Reads three bytes as a number up to `most`; what is missing is zero.
    fn number(&mut self, most: usize) -> usize {
        let (head, rest) = self.rest.split_at(self.rest.len().min(3));
        self.rest = rest;
        let number = head.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        number % (most + 1)
    }
}
