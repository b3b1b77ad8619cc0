//! A whole stream, opened front to back and chunk by chunk.

use std::io::Read as _;

use antumbra_crypto::stream::{HEADER_LEN, Opener, Reader};
use antumbra_crypto::{Context, Error};

use super::fixed::{self, pattern};
use super::recipe::Recipe;

/// Opens the bytes as a stream (first byte even), or seals one and does to it what the bytes say (odd).
///
/// # Panics
/// When anything leaves that was not sealed, when both ways to open disagree, or when a stream of ours does not open.
pub fn stream_open(data: &[u8]) -> bool {
    let Some((way, rest)) = data.split_first() else { return false };
    if way.is_multiple_of(2) {
        return opens(rest);
    }
    let mut recipe = Recipe::new(rest);
    let plain = pattern(recipe.plain_len());
    let sealed = fixed::sealed(plain, &fixed::stream_key(), &fixed::stream_place());
    let sealed = sealed.expect("it seals");
    let mut spoilt = sealed.clone();
    recipe.spoil(&mut spoilt);
    let opened = opens(&spoilt);
    assert_eq!(opened, spoilt == sealed, "a stream opens exactly if it is as it was sealed");
    opened
}

/// Says whether the whole stream opens. Only beginnings of the pattern were ever sealed with this key for this place.
fn opens(stream: &[u8]) -> bool {
    let mut out = Vec::new();
    let front_to_back = Reader::new(stream, &fixed::stream_key(), &fixed::stream_place())
        .read_to_end(&mut out)
        .is_ok();
    assert!(out == pattern(out.len()), "something left that was not sealed");
    let by_chunks = by_chunks(stream, &fixed::stream_place());
    assert_eq!(by_chunks.is_ok(), front_to_back, "one way opens what the other refuses");
    if let Ok(plain) = by_chunks {
        assert!(plain == out, "the two ways open to different bytes");
        let elsewhere = Context::new("antumbra/object").with("tenant").with("job").with("other");
        assert!(self::by_chunks(stream, &elsewhere).is_err(), "it opens elsewhere, too");
    }
    front_to_back
}

/// Opens the chunks from the last to the first.
fn by_chunks(stream: &[u8], place: &Context) -> Result<Vec<u8>, Error> {
    let header = stream.get(..HEADER_LEN).ok_or(Error::Truncated)?;
    let opener = Opener::new(&fixed::stream_key(), place, header, stream.len() as u64)?;
    let mut chunks = Vec::new();
    for index in (0..opener.chunk_count()).rev() {
        let range = opener.chunk_cipher_range(index);
        let bytes = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let bytes = bytes.and_then(|(from, to)| stream.get(from..to));
        let mut chunk = bytes.expect("the division stays inside the stream").to_vec();
        match opener.open_chunk(index, &mut chunk) {
            Ok(plain) => chunks.push(plain.to_vec()),
            Err(error) => {
                assert!(chunk.iter().all(|byte| *byte == 0), "a refused chunk is left behind");
                return Err(error);
            }
        }
    }
    chunks.reverse();
    Ok(chunks.concat())
}
