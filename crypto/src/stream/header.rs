//! The header of a stream, and the key and nonces that follow from it.

use ring::aead::{AES_256_GCM, LessSafeKey, Nonce, UnboundKey};

use super::DataKey;
use super::layout::{HEADER_LEN, MAX_CHUNKS, TOO_MANY};
use crate::{Context, Error, derive, random};

/// `[40] ‖ salt ‖ nonce prefix`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) salt: [u8; 32],
    pub(super) prefix: [u8; 7],
}

impl Header {
    pub(super) fn random() -> Result<Self, Error> {
        Ok(Self { salt: random::array()?, prefix: random::array()? })
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() < HEADER_LEN {
            return Err(Error::Truncated);
        }
        let malformed = || Error::malformed("stream header");
        let (len, rest) = bytes.split_first().ok_or_else(malformed)?;
        let (salt, prefix) = rest.split_first_chunk().ok_or_else(malformed)?;
        if usize::from(*len) != HEADER_LEN {
            return Err(malformed());
        }
        Ok(Self { salt: *salt, prefix: prefix.try_into().map_err(|_| malformed())? })
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [HEADER_LEN_BYTE; HEADER_LEN];
        bytes[1..33].copy_from_slice(&self.salt);
        bytes[33..].copy_from_slice(&self.prefix);
        bytes
    }

    /// Derives the key that seals the chunks of this stream and no other.
    pub(super) fn chunk_key(self, key: &DataKey, aad: &Context) -> LessSafeKey {
        let derived = derive::hkdf(key.secret().expose(), &self.salt, aad.as_bytes());
        let unbound = UnboundKey::new(&AES_256_GCM, derived.expose());
        LessSafeKey::new(unbound.expect("AES-256 takes any 32 bytes as its key"))
    }
}

/// `prefix ‖ index ‖ last`: a chunk opens only as this one of the stream.
pub(super) fn nonce(prefix: [u8; 7], index: u64, last: bool) -> Result<Nonce, Error> {
    let index = u32::try_from(index).ok().filter(|index| u64::from(*index) < MAX_CHUNKS);
    let mut bytes = [0; 12];
    bytes[..7].copy_from_slice(&prefix);
    bytes[7..11].copy_from_slice(&index.ok_or(TOO_MANY)?.to_be_bytes());
    bytes[11] = u8::from(last);
    Ok(Nonce::assume_unique_for_key(bytes))
}

const HEADER_LEN_BYTE: u8 = 40;
const _: () = assert!(HEADER_LEN_BYTE as usize == HEADER_LEN && 1 + 32 + 7 == HEADER_LEN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip() {
        let header = Header { salt: [0xaa; 32], prefix: [0xbb; 7] };
        let bytes = header.to_bytes();
        assert_eq!(
            (bytes[0], bytes[1], bytes[32], bytes[33], bytes[39]),
            (40, 0xaa, 0xaa, 0xbb, 0xbb)
        );
        assert_eq!(Header::parse(&bytes).unwrap().to_bytes(), bytes);
    }

    #[test]
    fn header_of_wrong_length_or_length_byte_is_refused() {
        let mut bytes = [40; 41];
        assert!(matches!(Header::parse(&bytes[..39]), Err(Error::Truncated)));
        assert!(matches!(Header::parse(&bytes), Err(Error::Malformed { .. })));
        bytes[0] = 24; // Tink's header with AES-128
        assert!(matches!(Header::parse(&bytes[..40]), Err(Error::Malformed { .. })));
    }

    #[test]
    fn nonce_counts_big_endian_and_ends_before_it_repeats() {
        let bytes = *nonce([9; 7], 0x0102_0304, true).unwrap().as_ref();
        assert_eq!(bytes, [9, 9, 9, 9, 9, 9, 9, 1, 2, 3, 4, 1]);
        assert!(nonce([0; 7], MAX_CHUNKS - 1, true).is_ok());
        for index in [MAX_CHUNKS, MAX_CHUNKS + 1, u64::MAX] {
            assert!(matches!(nonce([0; 7], index, false), Err(Error::LimitReached { .. })));
        }
    }
}
