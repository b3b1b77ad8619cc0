//! The header of a stream, and the division that follows from a length.

use antumbra_crypto::Error;
use antumbra_crypto::stream::{CHUNK_LEN, HEADER_LEN, MAX_CHUNKS, Opener, TAG_LEN, sealed_len};

use super::fixed;

/// Takes eight bytes for a length and the rest for a header.
///
/// # Panics
/// When another header than `FORMAT.md` allows is taken or refused, or when the chunks do not make up the stream.
pub fn header(data: &[u8]) -> bool {
    let Some((len, header)) = data.split_first_chunk() else { return false };
    let len = u64::from_be_bytes(*len);
    let opener = Opener::new(&fixed::stream_key(), &fixed::stream_place(), header, len);
    let allowed = header.len() == HEADER_LEN && header.first() == Some(&40) && is_a_length(len);
    match opener {
        Ok(opener) => {
            assert!(allowed, "a header or length was taken that is none");
            division_is_whole(&opener, len);
        }
        Err(Error::Truncated | Error::Malformed { .. } | Error::LimitReached { .. }) => {
            assert!(!allowed, "a header and length were refused");
        }
        Err(error) => unreachable!("{error:?}"),
    }
    allowed
}

/// `FORMAT.md` § Stream, in words of its own.
fn is_a_length(len: u64) -> bool {
    let (chunk, tag) = (CHUNK_LEN as u64, TAG_LEN as u64);
    let last = match len % chunk {
        0 => chunk,
        rest => rest,
    };
    match len.div_ceil(chunk) {
        0 => false,
        1 => len >= HEADER_LEN as u64 + tag,
        chunks => chunks <= MAX_CHUNKS && last > tag,
    }
}

fn division_is_whole(opener: &Opener, len: u64) {
    let count = opener.chunk_count();
    assert_eq!(sealed_len(opener.plain_len()).ok(), Some(len));
    assert_eq!(opener.chunk_plain_range(0).start, 0);
    assert_eq!(opener.chunk_cipher_range(0).start, HEADER_LEN as u64);
    assert_eq!(opener.chunk_plain_range(count - 1).end, opener.plain_len());
    assert_eq!(opener.chunk_cipher_range(count - 1).end, len);
    assert!(
        opener.chunk_plain_range(count).is_empty() && opener.chunk_cipher_range(count).is_empty()
    );
    for index in [0, 1, 2, count / 2, count.saturating_sub(2), count - 1] {
        if index >= count {
            continue;
        }
        let (plain, cipher) = (opener.chunk_plain_range(index), opener.chunk_cipher_range(index));
        assert_eq!(cipher.end - cipher.start, plain.end - plain.start + TAG_LEN as u64);
        if !plain.is_empty() {
            assert_eq!(opener.chunk_at(plain.start), index);
            assert_eq!(opener.chunk_at(plain.end - 1), index);
        }
        if index + 1 < count {
            assert_eq!(opener.chunk_plain_range(index + 1).start, plain.end);
            assert_eq!(opener.chunk_cipher_range(index + 1).start, cipher.end);
        }
    }
}
