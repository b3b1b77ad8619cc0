//! Plaintext in, finished chunks out.

use std::fmt;

use ring::aead::{Aad, LessSafeKey, Nonce};
use zeroize::{Zeroize, Zeroizing};

use super::DataKey;
use super::header::{Header, nonce};
use super::layout::{CHUNK_LEN, HEADER_LEN, TAG_LEN};
use crate::{Context, Error};

/// Seals one stream.
///
/// Holds at most one chunk (1 MiB). Plaintext is copied once, to where it is sealed in place; whoever takes finished
/// chunks away before pushing more pays for no second copy. The header comes with the first chunk. A sealer dropped
/// without [`finish`](Self::finish) leaves a stream that no reader accepts.
pub struct Sealer {
    key: LessSafeKey,
    header: Header,
    index: u64,
    /// The chunk under way: the header if it is the first one, then plaintext.
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
    /// An `out` that is empty, and no larger than a chunk, may be exchanged for the buffer of a chunk.
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
        self.take(plain);
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
        let pending = Zeroizing::new(header.to_bytes().to_vec());
        Self { key, header, index: 0, pending, plain_len: 0 }
    }

    /// Pretends that earlier chunks were sealed; nobody waits for 4 PiB.
    #[cfg(test)]
    pub(super) fn jump_to(&mut self, index: u64) {
        self.index = index;
        self.pending.clear();
    }

    /// Bytes that the current chunk still takes.
    fn room(&self) -> usize {
        CHUNK_LEN - TAG_LEN - self.pending.len()
    }

    /// Adds plaintext to the current chunk, which has room for it.
    fn take(&mut self, plain: &[u8]) {
        let needed = self.pending.len() + plain.len() + TAG_LEN;
        if self.pending.capacity() < needed {
            // By hand: a `Vec` that grows by itself leaves plaintext in freed memory. A second chunk will be full.
            let least =
                if self.index == 0 { needed.next_power_of_two().max(4096) } else { CHUNK_LEN };
            let mut larger = Zeroizing::new(Vec::with_capacity(least.min(CHUNK_LEN)));
            larger.extend_from_slice(&self.pending);
            self.pending = larger;
        }
        self.pending.extend_from_slice(plain);
    }

    /// Seals `pending ‖ tail` as the next chunk, in place: in `pending`, or at the end of `out` if `pending` has nothing yet.
    fn seal(&mut self, tail: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        let nonce = nonce(self.header.prefix, self.index, last)?;
        let front = if self.index == 0 { HEADER_LEN } else { 0 };
        if self.pending.len() == front {
            out.reserve(front + tail.len() + TAG_LEN);
            out.extend_from_slice(&self.pending);
            let start = out.len();
            out.extend_from_slice(tail);
            seal_in_place(&self.key, nonce, out, start)?;
        } else {
            self.take(tail);
            seal_in_place(&self.key, nonce, &mut self.pending, front)?;
            if out.is_empty() && out.capacity() <= CHUNK_LEN {
                std::mem::swap(out, &mut *self.pending);
            } else {
                out.extend_from_slice(&self.pending);
            }
        }
        self.pending.clear();
        self.index += 1;
        Ok(())
    }
}

/// Seals the bytes from `start` on and appends the tag; on error they are overwritten and cut off.
fn seal_in_place(
    key: &LessSafeKey,
    nonce: Nonce,
    buffer: &mut Vec<u8>,
    start: usize,
) -> Result<(), Error> {
    let (_, chunk) = buffer.split_at_mut(start);
    match key.seal_in_place_separate_tag(nonce, Aad::empty(), chunk) {
        Ok(tag) => buffer.extend_from_slice(tag.as_ref()),
        Err(_) => {
            chunk.zeroize();
            buffer.truncate(start);
            return Err(Error::LimitReached { what: "bytes of one chunk" });
        }
    }
    Ok(())
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("plain_len", &self.plain_len).finish_non_exhaustive()
    }
}
