//! Front to back: a sealed stream of unknown length as [`std::io::Read`].

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read};

use ring::aead::LessSafeKey;
use zeroize::Zeroizing;

use super::DataKey;
use super::header::Header;
use super::layout::{CHUNK_LEN, HEADER_LEN, TAG_LEN};
use super::opener::open;
use crate::{Context, Error};

/// Reads the plaintext of a sealed stream from front to back.
///
/// Every byte it returns is authentic and in its place, but only `Ok(0)` says that the stream is
/// complete: a caller that stops early has not seen a truncation. Holds one chunk.
///
/// Errors are [`io::Error`]s with a [`crate::Error`] inside, of kind `UnexpectedEof` for a stream
/// that ends too early and `InvalidData` otherwise; those of the inner reader pass unchanged. An
/// error is final: every later read fails too.
pub struct Reader<R> {
    inner: R,
    state: State,
    buffer: Zeroizing<Vec<u8>>,
    /// Plaintext in `buffer` that was not handed out yet.
    from: usize,
    to: usize,
}

enum State {
    Header { key: DataKey, aad: Context },
    Chunks { key: Box<LessSafeKey>, prefix: [u8; 7], index: u64, peeked: Option<u8> },
    Complete,
    Failed,
}

impl<R: Read> Reader<R> {
    /// Prepares to read `inner` from its first byte; nothing is read yet.
    #[must_use]
    pub fn new(inner: R, key: &DataKey, aad: &Context) -> Self {
        let state = State::Header { key: key.clone(), aad: aad.clone() };
        Self { inner, state, buffer: Zeroizing::new(Vec::new()), from: 0, to: 0 }
    }

    /// Makes the next plaintext available, or reports the end.
    fn advance(&mut self) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::Header { key, aad } => {
                let mut bytes = [0; HEADER_LEN];
                let got = fill(&mut self.inner, &mut bytes)?;
                let header = Header::parse(bytes.get(..got).unwrap_or(&[])).map_err(into_io)?;
                self.buffer.resize(CHUNK_LEN + 1, 0);
                let key = Box::new(header.chunk_key(&key, &aad));
                State::Chunks { key, prefix: header.prefix, index: 0, peeked: None }
            }
            State::Chunks { key, prefix, index, peeked } => {
                self.chunk(key, prefix, index, peeked)?
            }
            State::Complete => State::Complete,
            State::Failed => return Err(into_io(Error::Authentication)),
        };
        Ok(())
    }

    fn chunk(
        &mut self,
        key: Box<LessSafeKey>,
        prefix: [u8; 7],
        index: u64,
        peeked: Option<u8>,
    ) -> io::Result<State> {
        let full = if index == 0 { CHUNK_LEN - HEADER_LEN } else { CHUNK_LEN };
        // One byte more than a chunk: whether it comes decides which nonce the chunk has.
        let (window, _) = self.buffer.split_at_mut(full + 1);
        let have = match (peeked, window.first_mut()) {
            (Some(byte), Some(first)) => {
                *first = byte;
                1
            }
            _ => 0,
        };
        let have = have + fill(&mut self.inner, window.split_at_mut(have).1)?;
        let last = have <= full;
        let least = if index == 0 { TAG_LEN } else { TAG_LEN + 1 };
        if have < least {
            return Err(into_io(Error::Truncated));
        }
        let (chunk, after) = window.split_at_mut(have.min(full));
        let plain = open(&key, prefix, index, last, chunk).map_err(into_io)?;
        (self.from, self.to) = (0, plain.len());
        Ok(match last {
            true => State::Complete,
            false => {
                State::Chunks { key, prefix, index: index + 1, peeked: after.first().copied() }
            }
        })
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let n = self.fill_buf()?.read(out)?;
        self.consume(n);
        Ok(n)
    }
}

/// Hands out each chunk where it was opened, without a copy.
impl<R: Read> BufRead for Reader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.from == self.to && !matches!(self.state, State::Complete) {
            self.advance()?;
        }
        Ok(self.buffer.get(self.from..self.to).unwrap_or(&[]))
    }

    fn consume(&mut self, n: usize) {
        self.from = self.from.saturating_add(n).min(self.to);
    }
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// Reads until `out` is full or the input ends; returns how much was read.
fn fill(input: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn into_io(error: Error) -> io::Error {
    let kind = match error {
        Error::Truncated => ErrorKind::UnexpectedEof,
        _ => ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}
