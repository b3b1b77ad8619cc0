//! Random access: any chunk of a stream, opened by itself.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ring::aead::{Aad, LessSafeKey};
use zeroize::Zeroize;

use super::DataKey;
use super::header::{Header, nonce};
use super::layout::Layout;
use crate::{Context, Error};

/// Opens the chunks of one stream whose length is known, in any order and from any thread.
///
/// Cloning is cheap. What opens is the chunk that was sealed at this index of this stream for
/// this place, and the last one only at the end: a wrong `ciphertext_len` shows when the last
/// chunk is opened, not before.
#[derive(Clone)]
pub struct Opener {
    key: Arc<LessSafeKey>,
    prefix: [u8; 7],
    layout: Layout,
}

impl Opener {
    /// Prepares to open a stream from its first [`HEADER_LEN`](super::HEADER_LEN) bytes and its
    /// whole length, header included. Nothing is authenticated yet.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] if header or length is too short for any stream,
    /// [`Error::Malformed`] if the header is not one, [`Error::LimitReached`] if the length is
    /// beyond [`MAX_CHUNKS`](super::MAX_CHUNKS).
    pub fn new(
        key: &DataKey,
        aad: &Context,
        header: &[u8],
        ciphertext_len: u64,
    ) -> Result<Self, Error> {
        let header = Header::parse(header)?;
        let layout = Layout::new(ciphertext_len)?;
        Ok(Self { key: Arc::new(header.chunk_key(key, aad)), prefix: header.prefix, layout })
    }

    /// Returns the length of the plaintext in bytes.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.layout.plain_len()
    }

    /// Returns the number of chunks, at least 1.
    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        self.layout.chunks()
    }

    /// Returns the chunk that holds a plaintext offset; at or past the end, the last chunk.
    #[must_use]
    pub fn chunk_at(&self, plain_offset: u64) -> u64 {
        self.layout.chunk_at(plain_offset)
    }

    /// Returns the plaintext bytes that a chunk holds; empty past the last chunk.
    #[must_use]
    pub fn chunk_plain_range(&self, index: u64) -> Range<u64> {
        self.layout.plain_range(index)
    }

    /// Returns the bytes of the sealed stream that are a chunk, tag included and header excluded;
    /// empty past the last chunk.
    #[must_use]
    pub fn chunk_cipher_range(&self, index: u64) -> Range<u64> {
        self.layout.cipher_range(index)
    }

    /// Opens a chunk in place and returns its plaintext.
    ///
    /// `ciphertext` is exactly [`chunk_cipher_range`](Self::chunk_cipher_range) of the stream. On
    /// error the buffer holds zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] or [`Error::Malformed`] if the buffer is shorter or longer than the
    /// chunk or there is no such chunk, [`Error::Authentication`] if its bytes are not what was
    /// sealed here.
    pub fn open_chunk<'a>(
        &self,
        index: u64,
        ciphertext: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        let range = self.layout.cipher_range(index);
        let (got, want) = (ciphertext.len() as u64, range.end - range.start);
        if want == 0 || got != want {
            ciphertext.zeroize();
            return Err(match got < want {
                true => Error::Truncated,
                false => Error::malformed("chunk: longer than its place"),
            });
        }
        let last = index + 1 == self.layout.chunks();
        open(&self.key, self.prefix, index, last, ciphertext)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// Opens one chunk in place; on error the whole buffer is zeros.
pub(super) fn open<'a>(
    key: &LessSafeKey,
    prefix: [u8; 7],
    index: u64,
    last: bool,
    chunk: &'a mut [u8],
) -> Result<&'a mut [u8], Error> {
    let plain_len = chunk.len().saturating_sub(super::TAG_LEN);
    let opened = nonce(prefix, index, last).and_then(|nonce| {
        let opened = key.open_in_place(nonce, Aad::empty(), chunk);
        opened.map(|_| ()).map_err(|_| Error::Authentication)
    });
    match opened {
        Ok(()) => Ok(chunk.split_at_mut(plain_len).0),
        Err(error) => {
            chunk.zeroize();
            Err(error)
        }
    }
}
