//! Pieces in, ciphertext in their place, the tag at the end.

use std::fmt;

use aes::Aes256Enc;
use aes::cipher::{Array, InnerIvInit, KeyInit, StreamCipherCore};
use ctr::CtrCore;
use ctr::flavors::Ctr32BE;
use zeroize::{Zeroize, Zeroizing};

use super::hash::Hash;
use super::{BLOCK_LEN, Block};
use crate::{Error, Secret32};

/// Bytes of the nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes of the tag.
pub const TAG_LEN: usize = 16;
/// Bytes that one message may have: 2^36 − 32, where the counter of
/// [NIST SP 800-38D](https://doi.org/10.6028/NIST.SP.800-38D) § 5.2.1.1 ends.
pub const MAX_LEN: u64 = (1 << 36) - 32;

/// Seals one message with AES-256-GCM, in any number of pieces, in order and in place.
///
/// How the message is cut does not matter: ciphertext and tag are those of GCM over the whole. Holds no piece. Dropped
/// before [`finish`](Self::finish) it leaves ciphertext that nobody can authenticate; what it holds of the key
/// is overwritten either way.
pub struct MessageSealer {
    keystream: Box<CtrCore<Aes256Enc, Ctr32BE>>,
    hash: Hash,
    /// What hides the hash: the first block of the keystream.
    mask: Zeroizing<Block>,
    /// The block that the last piece ended in: its keystream, its ciphertext (zeros behind it), how far it is filled.
    pad: Zeroizing<Block>,
    partial: Block,
    filled: usize,
    aad_len: u64,
    len: u64,
}

impl MessageSealer {
    /// Starts a message.
    ///
    /// **The nonce must be fresh for the key.** Two messages under one key and one nonce show the difference of their
    /// plaintexts and the key of the tag: anybody can forge messages of that key then. A key that seals one
    /// message only is the easy way to be sure; with random nonces 2^32 messages are the most that one key may seal.
    #[must_use]
    pub fn new(key: &Secret32, nonce: [u8; NONCE_LEN], aad: &[u8]) -> Self {
        let mut first = Block::default();
        let (front, counter) = first.split_at_mut(NONCE_LEN);
        front.copy_from_slice(&nonce);
        counter.copy_from_slice(&1_u32.to_be_bytes());
        let cipher = Aes256Enc::new(key.expose().into());
        let mut hash_key = Zeroizing::new(Block::default());
        aes::cipher::BlockCipherEncrypt::encrypt_block(&cipher, (&mut *hash_key).into());
        let mut hash = Hash::new(&hash_key);
        hash.update_padded(aad);
        let mut keystream = Box::new(CtrCore::inner_iv_init(cipher, (&first).into()));
        let mut mask = Zeroizing::new(Block::default());
        keystream.write_keystream_block((&mut *mask).into());
        Self {
            keystream,
            hash,
            mask,
            pad: Zeroizing::new(Block::default()),
            partial: Block::default(),
            filled: 0,
            aad_len: aad.len() as u64,
            len: 0,
        }
    }

    /// Returns how many bytes were sealed so far.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Says whether no byte was sealed so far.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Turns the next piece of the message into ciphertext.
    ///
    /// # Errors
    ///
    /// [`Error::LimitReached`] when the message would exceed [`MAX_LEN`]; the piece is as it was, and shorter ones that
    /// fit may follow.
    pub fn seal(&mut self, mut piece: &mut [u8]) -> Result<(), Error> {
        let len = self.len.checked_add(piece.len() as u64).filter(|len| *len <= MAX_LEN);
        self.len = len.ok_or(Error::LimitReached { what: "bytes of one message" })?;
        if self.filled > 0 {
            let (now, rest) = piece.split_at_mut(piece.len().min(BLOCK_LEN - self.filled));
            self.fill(now);
            piece = rest;
        }
        let (blocks, tail) = Array::slice_as_chunks_mut(piece);
        // In runs, so that what was encrypted is hashed while it is still near.
        for run in blocks.chunks_mut(RUN) {
            self.keystream.apply_keystream_blocks(run);
            self.hash.update(run);
        }
        if !tail.is_empty() {
            self.keystream.write_keystream_block((&mut *self.pad).into());
            self.fill(tail);
        }
        Ok(())
    }

    /// Ends the message and returns its tag.
    #[must_use]
    pub fn finish(mut self) -> [u8; TAG_LEN] {
        if self.filled > 0 {
            self.hash.update(&[self.partial.into()]);
        }
        // No address space holds 2^61 bytes, and `len` is bounded: bits fit.
        let mut lengths = Block::default();
        let (of_aad, of_message) = lengths.split_at_mut(BLOCK_LEN / 2);
        of_aad.copy_from_slice(&self.aad_len.saturating_mul(8).to_be_bytes());
        of_message.copy_from_slice(&(self.len * 8).to_be_bytes());
        self.hash.update(&[lengths.into()]);
        let mut tag = self.hash.value();
        tag.iter_mut().zip(*self.mask).for_each(|(byte, mask)| *byte ^= mask);
        tag
    }

    /// Seals bytes that stay within the block under way.
    fn fill(&mut self, bytes: &mut [u8]) {
        let places = self.pad.iter().zip(&mut self.partial).skip(self.filled);
        for (byte, (pad, sealed)) in bytes.iter_mut().zip(places) {
            *byte ^= pad;
            *sealed = *byte;
        }
        self.filled += bytes.len();
        if self.filled == BLOCK_LEN {
            self.hash.update(&[self.partial.into()]);
            self.partial = Block::default();
            self.pad.zeroize();
            self.filled = 0;
        }
    }
}

impl fmt::Debug for MessageSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSealer").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Blocks that are encrypted and then hashed: 64 KiB. Shorter runs pay more often for setting up cipher and hash.
const RUN: usize = 4096;

#[cfg(test)]
mod tests {
    use aes::cipher::{BlockCipherEncrypt, StreamCipherSeekCore};
    use proptest::prelude::*;
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    use super::*;

    fn key() -> Secret32 {
        Secret32::from_slice(&[0x42; 32]).unwrap()
    }

    /// What ring makes of the whole message at once.
    fn one_shot(nonce: [u8; NONCE_LEN], aad: &[u8], plain: &[u8]) -> (Vec<u8>, [u8; TAG_LEN]) {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key().expose()).unwrap());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut sealed = plain.to_vec();
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut sealed).unwrap();
        (sealed, tag.as_ref().try_into().unwrap())
    }

    fn in_pieces(
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plain: &[u8],
        cuts: &[usize],
    ) -> (Vec<u8>, [u8; TAG_LEN]) {
        let mut sealed = plain.to_vec();
        let (mut sealer, mut rest) = (MessageSealer::new(&key(), nonce, aad), &mut *sealed);
        for cut in cuts {
            let (now, later) = rest.split_at_mut((*cut).min(rest.len()));
            sealer.seal(now).unwrap();
            rest = later;
        }
        sealer.seal(rest).unwrap();
        assert_eq!(sealer.len(), plain.len() as u64);
        assert_eq!(sealer.is_empty(), plain.is_empty());
        (sealed, sealer.finish())
    }

    #[test]
    fn every_short_length_cut_at_every_byte_is_gcm() {
        let plain: Vec<u8> = (0..70).collect();
        for len in 0..=plain.len() {
            let want = one_shot([1; NONCE_LEN], b"aad", &plain[..len]);
            for cut in 0..=len {
                let got = in_pieces([1; NONCE_LEN], b"aad", &plain[..len], &[cut]);
                assert!(got == want, "{len} bytes cut at {cut}");
            }
        }
    }

    #[test]
    fn one_byte_at_a_time_is_gcm() {
        let plain = [9; 1000];
        assert!(in_pieces([2; 12], b"", &plain, &[1; 1000]) == one_shot([2; 12], b"", &plain));
    }

    #[test]
    fn a_message_of_many_runs_is_gcm() {
        let plain: Vec<u8> = (0..=255).cycle().take(3 * RUN * BLOCK_LEN + 21).collect();
        let want = one_shot([4; 12], b"aad", &plain);
        for cuts in [vec![], vec![5], vec![RUN * BLOCK_LEN], vec![RUN * BLOCK_LEN - 1, 2, 100_000]]
        {
            assert!(in_pieces([4; 12], b"aad", &plain, &cuts) == want, "{cuts:?}");
        }
    }

    proptest! {
        #[test]
        fn any_cutting_is_gcm_over_the_whole(
            nonce in any::<[u8; NONCE_LEN]>(),
            aad in prop::collection::vec(any::<u8>(), 0..50),
            plain in prop::collection::vec(any::<u8>(), 0..20_000),
            cuts in prop::collection::vec(prop_oneof![0..40_usize, 0..9000_usize], 0..12),
        ) {
            prop_assert!(in_pieces(nonce, &aad, &plain, &cuts) == one_shot(nonce, &aad, &plain));
        }
    }

    /// A sealer that pretends to have sealed `len` bytes, a whole number of blocks; nobody waits for 64 GiB.
    fn far_along(len: u64) -> MessageSealer {
        let mut sealer = MessageSealer::new(&key(), [3; NONCE_LEN], b"");
        sealer.keystream.set_block_pos(u32::try_from(len / 16 + 1).unwrap());
        sealer.len = len;
        sealer
    }

    #[test]
    fn beyond_the_limit_is_an_error_and_no_byte_is_touched() {
        for (sealed, piece) in [(MAX_LEN, 1), (MAX_LEN - 16, 17), (MAX_LEN - 4096, 5000)] {
            let mut sealer = far_along(sealed);
            let mut bytes = vec![5; piece];
            assert_eq!(sealer.seal(&mut bytes).unwrap_err().code(), "limit_reached");
            assert!(bytes.iter().all(|byte| *byte == 5));
            assert_eq!(sealer.len(), sealed);
        }
        let mut sealer = far_along(MAX_LEN);
        sealer.len = u64::MAX - 3;
        assert!(matches!(sealer.seal(&mut [0; 9]), Err(Error::LimitReached { .. })), "overflow");
    }

    #[test]
    fn last_block_has_the_last_counter_and_none_is_used_twice() {
        let mut sealer = far_along(MAX_LEN - 32);
        let mut bytes = [0; 32];
        sealer.seal(&mut bytes).unwrap();
        let cipher = Aes256Enc::new(key().expose().into());
        for (at, counter) in [(0, u32::MAX - 1), (16, u32::MAX)] {
            let mut block = [3; BLOCK_LEN];
            block[NONCE_LEN..].copy_from_slice(&counter.to_be_bytes());
            cipher.encrypt_block((&mut block).into());
            assert_eq!(bytes[at..at + 16], block, "{counter}");
        }
        sealer.seal(&mut []).unwrap();
        assert!(sealer.seal(&mut [0]).is_err());
    }

    #[test]
    fn debug_prints_lengths_only() {
        let text = format!("{:?}", MessageSealer::new(&key(), [3; NONCE_LEN], b"ada@example.com"));
        assert_eq!(text, "MessageSealer { len: 0, .. }");
    }
}
