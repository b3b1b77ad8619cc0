//! How is the ciphertext of a message hashed? With GHASH, as fast as the processor can.

use ghash::GHash;
use ghash::universal_hash::UniversalHash;

use super::Block;
#[cfg(target_arch = "x86_64")]
use super::wide::WideHash;

/// A GHASH under way. Overwritten when dropped.
pub(super) enum Hash {
    /// Sixteen blocks at a time.
    #[cfg(target_arch = "x86_64")]
    Wide(Box<WideHash>),
    /// On every other processor.
    Narrow(Box<GHash>),
}

impl Hash {
    /// Starts a hash.
    pub(super) fn new(key: &Block) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(wide) = WideHash::new(key) {
            return Self::Wide(wide);
        }
        Self::narrow(key)
    }

    /// Hashes blocks.
    pub(super) fn update(&mut self, blocks: &[ghash::Block]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(wide) => wide.update(aes::cipher::Array::slice_as_flattened(blocks)),
            Self::Narrow(narrow) => narrow.update(blocks),
        }
    }

    /// Hashes bytes and zeros up to the end of their last block.
    pub(super) fn update_padded(&mut self, bytes: &[u8]) {
        let (blocks, rest) = ghash::Block::slice_as_chunks(bytes);
        self.update(blocks);
        if !rest.is_empty() {
            let mut last = Block::default();
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.update(&[last.into()]);
        }
    }

    /// Returns the hash of what was hashed so far.
    ///
    /// Where it is not wide it is read through a copy: moved out of its box, it would leave its key in freed memory.
    pub(super) fn value(&self) -> Block {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(wide) => wide.value(),
            Self::Narrow(narrow) => (**narrow).clone().finalize().into(),
        }
    }

    fn narrow(key: &Block) -> Self {
        Self::Narrow(Box::new(GHash::new(key.into())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The hash of blocks that come in two runs.
    fn hashed(mut hash: Hash, bytes: &[u8], cut: usize) -> Block {
        let (blocks, _) = ghash::Block::slice_as_chunks(bytes);
        let (first, second) = blocks.split_at(cut.min(blocks.len()));
        hash.update(first);
        hash.update(second);
        hash.value()
    }

    /// The example of [GCM's specification](https://csrc.nist.gov/publications/detail/sp/800-38d/final), test case 2: one block
    /// and the lengths, hashed under the key of the zero block.
    #[test]
    fn both_hash_the_example_of_the_specification() {
        let key = 0x66e9_4bd4_ef8a_2c3b_884c_fa59_ca34_2b2e_u128.to_be_bytes();
        let blocks = [0x0388_dace_60b6_a392_f328_c2b9_71b2_fe78_u128, 0x80];
        let bytes: Vec<u8> = blocks.iter().flat_map(|block| block.to_be_bytes()).collect();
        let expected = 0xf38c_bb1a_d692_23dc_c345_7ae5_b6b0_f885_u128.to_be_bytes();
        assert_eq!(hashed(Hash::new(&key), &bytes, 1), expected);
        assert_eq!(hashed(Hash::narrow(&key), &bytes, 1), expected);
    }

    #[test]
    fn keys_at_the_edges_of_the_field_hash_alike() {
        let bytes: Vec<u8> = (0..16 * 35).map(|i: u32| (i * 7 % 251).to_le_bytes()[0]).collect();
        for key in [
            [0; 16],
            [0xff; 16],
            1_u128.to_le_bytes(),
            1_u128.to_be_bytes(),
            (1_u128 << 127).to_le_bytes(),
        ] {
            assert_eq!(hashed(Hash::new(&key), &bytes, 3), hashed(Hash::narrow(&key), &bytes, 5));
        }
    }

    #[test]
    fn what_is_no_whole_block_is_filled_with_zeros() {
        for len in [0, 1, 15, 16, 17, 255, 256, 257, 300] {
            let bytes = vec![0x5a; len];
            let mut filled = bytes.clone();
            filled.resize(len.next_multiple_of(16), 0);
            let mut hash = Hash::new(&[0x42; 16]);
            hash.update_padded(&bytes);
            assert_eq!(hash.value(), hashed(Hash::narrow(&[0x42; 16]), &filled, 0), "{len}");
        }
    }

    proptest! {
        #[test]
        fn wide_and_narrow_are_one_function(key: [u8; 16], bytes in prop::collection::vec(any::<u8>(), 0..1_500), cut in 0_usize..90) {
            prop_assert_eq!(hashed(Hash::new(&key), &bytes, cut), hashed(Hash::narrow(&key), &bytes, 0));
        }
    }
}
