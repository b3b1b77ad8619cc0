//! Plaintext in, finished chunks out.

use std::fmt;

use ring::aead::{Aad, LessSafeKey};
use zeroize::{Zeroize, Zeroizing};

use super::DataKey;
use super::header::{Header, nonce};
use super::layout::{FIRST_PLAIN, HEADER_LEN, LATER_PLAIN, TAG_LEN};
use crate::{Context, Error};

/// Seals one stream.
///
/// Holds at most one chunk of plaintext (1 MiB); each finished chunk is sealed in place in the
/// caller's buffer. The header comes with the first chunk. A sealer dropped without
/// [`finish`](Self::finish) leaves a stream that no reader accepts.
pub struct Sealer {
    key: LessSafeKey,
    header: Header,
    index: u64,
    pending: Zeroizing<Vec<u8>>,
    plain_len: u64,
}

impl Sealer {
    /// Starts a stream for the place `aad`, with a fresh salt and nonce prefix.
    ///
    /// One data key may seal any number of streams: the salt makes each stream's key its own.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes.
    pub fn new(key: &DataKey, aad: &Context) -> Result<Self, Error> {
        Ok(Self::with_header(key, aad, Header::random()?))
    }

    /// Adds plaintext, and appends to `out` the chunks that it completes.
    ///
    /// # Errors
    ///
    /// [`Error::LimitReached`] when the stream would exceed
    /// [`MAX_CHUNKS`](super::MAX_CHUNKS); the stream cannot be finished then.
    pub fn push(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.plain_len = self.plain_len.saturating_add(plain.len() as u64);
        // A chunk is sealed only when a byte after it is known, because the last one is flagged.
        while let Some((now, rest)) = plain.split_at_checked(self.room())
            && !rest.is_empty()
        {
            self.seal(now, false, out)?;
            plain = rest;
        }
        self.make_room(plain.len());
        self.pending.extend_from_slice(plain);
        Ok(())
    }

    /// Returns how many bytes of plaintext were pushed so far.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// Appends the last chunk to `out`. Only now is the stream readable to its end.
    ///
    /// # Errors
    ///
    /// [`Error::LimitReached`] as for [`push`](Self::push).
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.seal(&[], true, out)
    }

    pub(super) fn with_header(key: &DataKey, aad: &Context, header: Header) -> Self {
        let key = header.chunk_key(key, aad);
        Self { key, header, index: 0, pending: Zeroizing::new(Vec::new()), plain_len: 0 }
    }

    /// Pretends that earlier chunks were sealed; nobody waits for 4 PiB.
    #[cfg(test)]
    pub(super) fn jump_to(&mut self, index: u64) {
        self.index = index;
    }

    /// Grows `pending` by hand: a `Vec` that grows by itself leaves plaintext in freed memory.
    fn make_room(&mut self, more: usize) {
        let needed = self.pending.len() + more;
        if self.pending.capacity() < needed {
            let capacity = needed.next_power_of_two().clamp(4096, LATER_PLAIN);
            let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
            larger.extend_from_slice(&self.pending);
            self.pending = larger;
        }
    }

    /// Bytes that the current chunk still takes.
    fn room(&self) -> usize {
        let capacity = if self.index == 0 { FIRST_PLAIN } else { LATER_PLAIN };
        capacity - self.pending.len()
    }

    /// Seals `pending ‖ tail` as the next chunk, in place at the end of `out`.
    fn seal(&mut self, tail: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        let nonce = nonce(self.header.prefix, self.index, last)?;
        out.reserve(HEADER_LEN + self.pending.len() + tail.len() + TAG_LEN);
        if self.index == 0 {
            out.extend_from_slice(&self.header.to_bytes());
        }
        let start = out.len();
        out.extend_from_slice(&self.pending);
        out.extend_from_slice(tail);
        let (_, chunk) = out.split_at_mut(start);
        match self.key.seal_in_place_separate_tag(nonce, Aad::empty(), chunk) {
            Ok(tag) => out.extend_from_slice(tag.as_ref()),
            Err(_) => {
                chunk.zeroize();
                out.truncate(start);
                return Err(Error::LimitReached { what: "bytes of one chunk" });
            }
        }
        self.pending.clear();
        self.index += 1;
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("plain_len", &self.plain_len).finish_non_exhaustive()
    }
}
