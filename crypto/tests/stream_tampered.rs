//! Every way to spoil a sealed stream is an error, and no byte of the bad chunk comes out.

use std::io::Read;

use antumbra_crypto::stream::{CHUNK_LEN, DataKey, HEADER_LEN, Opener, Reader, Sealer, TAG_LEN};
use antumbra_crypto::{Context, Error, Secret32};

const FIRST: usize = CHUNK_LEN - HEADER_LEN - TAG_LEN;
const LATER: usize = CHUNK_LEN - TAG_LEN;

fn key(byte: u8) -> DataKey {
    DataKey::from_secret(Secret32::from_slice(&[byte; 32]).expect("32 bytes"))
}

fn place(object: &str) -> Context {
    Context::new("antumbra/object").with("tenant").with("job").with(object)
}

fn plain(len: usize) -> Vec<u8> {
    (1..=251u8).cycle().take(len).collect()
}

fn seal(plain: &[u8]) -> Vec<u8> {
    let (mut sealer, mut out) = (Sealer::new(&key(1), &place("o")).expect("random"), Vec::new());
    sealer.push(plain, &mut out).expect("short");
    sealer.finish(&mut out).expect("short");
    out
}

/// Three full chunks and a short one.
fn four_chunks() -> (Vec<u8>, Vec<u8>) {
    let plain = plain(FIRST + 2 * LATER + 1000);
    let sealed = seal(&plain);
    (plain, sealed)
}

/// Reads to the error; checks that what came before it is a prefix of whole chunks.
fn read_until_error(
    sealed: &[u8],
    key: &DataKey,
    place: &Context,
    plain: &[u8],
) -> (usize, String) {
    let (mut reader, mut got, mut buffer) =
        (Reader::new(sealed, key, place), Vec::new(), [0; 8192]);
    let error = loop {
        match reader.read(&mut buffer) {
            Ok(n) => {
                assert!(n > 0, "a spoiled stream was read to its end");
                got.extend_from_slice(&buffer[..n]);
            }
            Err(error) => break error,
        }
    };
    assert!(plain.starts_with(&got), "bytes that were never sealed came out");
    let whole = got.is_empty() || (got.len() - FIRST).is_multiple_of(LATER);
    assert!(whole, "{} bytes came out, part of a chunk", got.len());
    assert!(reader.read(&mut buffer).is_err(), "an error must be final");
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>()).expect("ours");
    (got.len(), inner.code().to_owned())
}

/// Opens every chunk; checks the buffer of each that fails; returns which do.
fn failing_chunks(sealed: &[u8], key: &DataKey, place: &Context) -> Result<Vec<u64>, Error> {
    let header = sealed.get(..HEADER_LEN).unwrap_or(sealed);
    let opener = Opener::new(key, place, header, sealed.len() as u64)?;
    let mut failing = Vec::new();
    for index in 0..opener.chunk_count() {
        let range = opener.chunk_cipher_range(index);
        let at = |n| usize::try_from(n).expect("short");
        let mut chunk = sealed[at(range.start)..at(range.end)].to_vec();
        if opener.open_chunk(index, &mut chunk).is_err() {
            assert!(chunk.iter().all(|b| *b == 0), "chunk {index} left bytes behind");
            failing.push(index);
        }
    }
    Ok(failing)
}

fn refused(sealed: &[u8], plain: &[u8]) -> (usize, String, Vec<u64>) {
    let (read, code) = read_until_error(sealed, &key(1), &place("o"), plain);
    (read, code, failing_chunks(sealed, &key(1), &place("o")).expect("a possible length"))
}

#[test]
fn truncated_at_a_chunk_border() {
    let (plain, sealed) = four_chunks();
    for chunks in 1..=3 {
        let (read, code, failing) = refused(&sealed[..chunks * CHUNK_LEN], &plain);
        assert_eq!(code, "authentication_failed");
        assert_eq!(failing, [chunks as u64 - 1], "the chunk that is now last must not open");
        assert_eq!(read, if chunks == 1 { 0 } else { FIRST + (chunks - 2) * LATER });
    }
}

#[test]
fn truncated_inside_a_chunk() {
    let (plain, sealed) = four_chunks();
    for len in [57, CHUNK_LEN - 1, CHUNK_LEN + 17, 2 * CHUNK_LEN - 1, sealed.len() - 1] {
        let (_, code, failing) = refused(&sealed[..len], &plain);
        assert_eq!(code, "authentication_failed", "{len}");
        assert_eq!(failing, [(len as u64 - 1) / CHUNK_LEN as u64], "{len}");
    }
}

#[test]
fn truncated_to_less_than_a_tag() {
    let (plain, sealed) = four_chunks();
    for len in [0, 1, 39, 40, 55, CHUNK_LEN + 1, CHUNK_LEN + 16, 3 * CHUNK_LEN + 16] {
        let (_, code) = read_until_error(&sealed[..len], &key(1), &place("o"), &plain);
        // One byte after a chunk already says that the chunk is not the last.
        assert_eq!(code, "truncated", "{len}");
        let opener = failing_chunks(&sealed[..len], &key(1), &place("o"));
        assert!(matches!(opener, Err(Error::Truncated)), "{len}");
    }
}

#[test]
fn extended() {
    let (plain, sealed) = four_chunks();
    for more in [1, 16, 17, CHUNK_LEN] {
        let longer = [&sealed[..], &vec![0; more]].concat();
        let (read, code, failing) = refused(&longer, &plain);
        assert_eq!(code, "authentication_failed", "{more}");
        assert_eq!((read, failing[0]), (FIRST + 2 * LATER, 3), "{more}");
    }
    let full = seal(&plain[..FIRST]);
    let (read, code, failing) = refused(&[&full[..], &[0; 40]].concat(), &plain);
    assert_eq!((read, code.as_str(), failing), (0, "authentication_failed", vec![0, 1]));
}

#[test]
fn extended_by_an_empty_last_chunk() {
    // Chunks 0 and 1 are full and genuine; sixteen bytes can never be a later chunk.
    let (plain, sealed) = four_chunks();
    let longer = [&sealed[..2 * CHUNK_LEN], &[0; TAG_LEN]].concat();
    let (read, code) = read_until_error(&longer, &key(1), &place("o"), &plain);
    assert_eq!((read, code.as_str()), (FIRST + LATER, "truncated"));
}

#[test]
fn reordered() {
    let (plain, sealed) = four_chunks();
    let (a, b) = (&sealed[CHUNK_LEN..2 * CHUNK_LEN], &sealed[2 * CHUNK_LEN..3 * CHUNK_LEN]);
    let swapped = [&sealed[..CHUNK_LEN], b, a, &sealed[3 * CHUNK_LEN..]].concat();
    let (read, code, failing) = refused(&swapped, &plain);
    assert_eq!((read, code.as_str(), failing), (FIRST, "authentication_failed", vec![1, 2]));
}

#[test]
fn duplicated_and_dropped() {
    let (plain, sealed) = four_chunks();
    let twice = [&sealed[..2 * CHUNK_LEN], &sealed[CHUNK_LEN..]].concat();
    assert_eq!(refused(&twice, &plain).2, [2, 3, 4]);
    let dropped = [&sealed[..CHUNK_LEN], &sealed[2 * CHUNK_LEN..]].concat();
    assert_eq!(refused(&dropped, &plain).2, [1, 2]);
}

#[test]
fn flipped_bit_in_header() {
    let (plain, sealed) = four_chunks();
    for at in 0..HEADER_LEN {
        let mut bad = sealed.clone();
        bad[at] ^= 1;
        let (read, code) = read_until_error(&bad, &key(1), &place("o"), &plain);
        let want = if at == 0 { "malformed" } else { "authentication_failed" };
        assert_eq!((read, code.as_str()), (0, want), "{at}");
        if at > 0 {
            assert_eq!(failing_chunks(&bad, &key(1), &place("o")).unwrap(), [0, 1, 2, 3], "{at}");
        }
    }
}

#[test]
fn flipped_bit_in_body_or_tag_spoils_that_chunk_alone() {
    let (plain, sealed) = four_chunks();
    let end = sealed.len();
    let places = [
        (HEADER_LEN, 0),
        (CHUNK_LEN - TAG_LEN, 0),
        (CHUNK_LEN - 1, 0),
        (CHUNK_LEN, 1),
        (CHUNK_LEN + 500_000, 1),
        (2 * CHUNK_LEN - 1, 1),
        (3 * CHUNK_LEN, 3),
        (end - TAG_LEN, 3),
        (end - 1, 3),
    ];
    for (at, chunk) in places {
        let mut bad = sealed.clone();
        bad[at] ^= 0x10;
        let (read, code, failing) = refused(&bad, &plain);
        assert_eq!((code.as_str(), failing), ("authentication_failed", vec![chunk]), "{at}");
        let want = usize::try_from(chunk).unwrap();
        assert_eq!(read, if want == 0 { 0 } else { FIRST + (want - 1) * LATER }, "{at}");
    }
}

#[test]
fn wrong_key_or_wrong_place() {
    let (plain, sealed) = four_chunks();
    for (key, place) in [(key(2), place("o")), (key(1), place("p"))] {
        let (read, code) = read_until_error(&sealed, &key, &place, &plain);
        assert_eq!((read, code.as_str()), (0, "authentication_failed"));
        assert_eq!(failing_chunks(&sealed, &key, &place).unwrap(), [0, 1, 2, 3]);
    }
}

#[test]
fn chunk_of_another_stream_of_the_same_key_and_place() {
    let (plain, sealed) = four_chunks();
    let other = seal(&plain);
    let mut mixed = sealed;
    mixed[CHUNK_LEN..2 * CHUNK_LEN].copy_from_slice(&other[CHUNK_LEN..2 * CHUNK_LEN]);
    let (read, code, failing) = refused(&mixed, &plain);
    assert_eq!((read, code.as_str(), failing), (FIRST, "authentication_failed", vec![1]));
}

#[test]
fn stream_dropped_before_its_end() {
    let plain = plain(FIRST + LATER + 5);
    let mut out = Vec::new();
    let mut sealer = Sealer::new(&key(1), &place("o")).unwrap();
    sealer.push(&plain, &mut out).unwrap();
    drop(sealer);
    assert_eq!(out.len(), 2 * CHUNK_LEN);
    assert_eq!(refused(&out, &plain).2, [1]);
}

#[test]
fn buffer_of_another_length_is_zeroed() {
    let (_, sealed) = four_chunks();
    let opener =
        Opener::new(&key(1), &place("o"), &sealed[..HEADER_LEN], sealed.len() as u64).unwrap();
    for (index, len) in [(1, CHUNK_LEN - 1), (1, CHUNK_LEN + 1), (0, CHUNK_LEN), (4, 17), (9, 0)] {
        let mut chunk = vec![7; len];
        assert!(opener.open_chunk(index, &mut chunk).is_err(), "{index} {len}");
        assert!(chunk.iter().all(|b| *b == 0), "{index} {len}");
    }
}
