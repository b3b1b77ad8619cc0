//! The sealed stream against a second implementation, written from the specification alone.

use std::io::{BufRead, Read};

use antumbra_crypto::stream::{CHUNK_LEN, DataKey, HEADER_LEN, Opener, Reader, Sealer, TAG_LEN};
use antumbra_crypto::{Context, Secret32};
use proptest::prelude::*;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

const FIRST: usize = CHUNK_LEN - HEADER_LEN - TAG_LEN;
const LATER: usize = CHUNK_LEN - TAG_LEN;

/// Seals or opens the way `FORMAT.md` says, chunk by chunk, with nothing of the crate's.
mod reference {
    use super::*;

    fn key(ikm: &[u8], salt: &[u8], aad: &[u8]) -> LessSafeKey {
        let prk = Salt::new(HKDF_SHA256, salt).extract(ikm);
        let info = [aad];
        let okm = prk.expand(&info, &AES_256_GCM).expect("32 bytes");
        LessSafeKey::new(UnboundKey::from(okm))
    }

    fn nonce(prefix: &[u8], index: usize, last: bool) -> Nonce {
        let index = u32::try_from(index).expect("tests are short").to_be_bytes();
        let bytes = [prefix, &index[..], &[u8::from(last)][..]].concat();
        Nonce::try_assume_unique_for_key(&bytes).expect("7 + 4 + 1")
    }

    pub(super) fn seal(ikm: &[u8], aad: &[u8], header: &[u8], plain: &[u8]) -> Vec<u8> {
        let (salt, prefix) = header[1..].split_at(32);
        let (key, mut out) = (key(ikm, salt, aad), header.to_vec());
        let (head, tail) = plain.split_at(plain.len().min(FIRST));
        let chunks: Vec<_> = std::iter::once(head).chain(tail.chunks(LATER)).collect();
        for (index, chunk) in chunks.iter().enumerate() {
            let mut chunk = chunk.to_vec();
            let nonce = nonce(prefix, index, index + 1 == chunks.len());
            key.seal_in_place_append_tag(nonce, Aad::empty(), &mut chunk).expect("short");
            out.extend(chunk);
        }
        out
    }

    pub(super) fn open(ikm: &[u8], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
        let (salt, prefix) = sealed[1..HEADER_LEN].split_at(32);
        let key = key(ikm, salt, aad);
        let (count, mut out) = (sealed.len().div_ceil(CHUNK_LEN), Vec::new());
        for (index, block) in sealed.chunks(CHUNK_LEN).enumerate() {
            let mut chunk = block[if index == 0 { HEADER_LEN } else { 0 }..].to_vec();
            let nonce = nonce(prefix, index, index + 1 == count);
            out.extend_from_slice(
                key.open_in_place(nonce, Aad::empty(), &mut chunk).expect("ours"),
            );
        }
        out
    }
}

fn key() -> DataKey {
    DataKey::from_secret(Secret32::from_slice(&[3; 32]).expect("32 bytes"))
}

fn place() -> Context {
    Context::new("antumbra/object").with("tenant").with("job").with("object-1")
}

fn header() -> Vec<u8> {
    [&[40][..], &[0x5a; 32], &[0xc3; 7]].concat()
}

/// Bytes that differ from chunk to chunk.
fn plain(len: usize) -> Vec<u8> {
    (0..251u8).cycle().take(len).collect()
}

fn seal(plain: &[u8], cuts: &[usize]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), plain);
    let mut sealer = Sealer::new(&key(), &place()).expect("random");
    for cut in cuts {
        let (now, later) = rest.split_at((*cut).min(rest.len()));
        sealer.push(now, &mut out).expect("short");
        rest = later;
    }
    sealer.push(rest, &mut out).expect("short");
    assert_eq!(sealer.plain_len(), plain.len() as u64);
    sealer.finish(&mut out).expect("short");
    out
}

/// Seals and takes each finished chunk away at once, as a writer to a store does.
fn seal_taking(plain: &[u8], pieces: &[usize]) -> Vec<Vec<u8>> {
    let (mut chunks, mut rest) = (Vec::new(), plain);
    let mut sealer = Sealer::new(&key(), &place()).expect("random");
    let mut out = Vec::new();
    for piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        sealer.push(now, &mut out).expect("short");
        if !out.is_empty() {
            chunks.push(std::mem::take(&mut out));
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    sealer.finish(&mut out).expect("short");
    chunks.push(out);
    chunks
}

fn at(range: std::ops::Range<u64>) -> std::ops::Range<usize> {
    usize::try_from(range.start).expect("short")..usize::try_from(range.end).expect("short")
}

/// Opens a plaintext range the way a download does.
fn open_range(sealed: &[u8], range: std::ops::Range<u64>) -> Vec<u8> {
    let opener = Opener::new(&key(), &place(), &sealed[..HEADER_LEN], sealed.len() as u64)
        .expect("well-formed");
    let mut out = Vec::new();
    for index in opener.chunk_at(range.start)..=opener.chunk_at(range.end.saturating_sub(1)) {
        let mut chunk = sealed[at(opener.chunk_cipher_range(index))].to_vec();
        let plain = opener.open_chunk(index, &mut chunk).expect("authentic");
        let held = opener.chunk_plain_range(index);
        let from = range.start.max(held.start) - held.start;
        let to = range.end.min(held.end) - held.start;
        out.extend_from_slice(&plain[at(from..to)]);
    }
    out
}

fn read_all(sealed: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Reader::new(sealed, &key(), &place()).read_to_end(&mut out).expect("authentic");
    out
}

#[test]
fn every_edge_round_trips_both_ways() {
    let mut lengths = vec![0, 1, 15, 16, 17, 3 * LATER];
    for edge in [FIRST, FIRST + LATER, FIRST + 2 * LATER] {
        lengths.extend([edge - 1, edge, edge + 1]);
    }
    for len in lengths {
        let plain = plain(len);
        let ours = seal(&plain, &[]);
        assert_eq!(ours.len() as u64, antumbra_crypto::stream::sealed_len(len as u64).unwrap());
        assert!(reference::open(&[3; 32], place().as_bytes(), &ours) == plain, "{len}");
        let theirs = reference::seal(&[3; 32], place().as_bytes(), &header(), &plain);
        assert!(read_all(&theirs) == plain, "{len}");
        assert!(open_range(&theirs, 0..len as u64) == plain, "{len}");
    }
}

#[test]
fn many_chunks_round_trip() {
    let plain = plain(FIRST + 9 * LATER + 77);
    let sealed = seal(&plain, &[1, 700_000, 2_500_000]);
    assert!(read_all(&sealed) == plain);
    assert!(open_range(&sealed, 0..plain.len() as u64) == plain);
}

#[test]
fn plaintext_is_nowhere_in_the_sealed_bytes() {
    let canary = b"ada.lovelace@example.com";
    let sealed = seal(&canary.repeat(60_000), &[17; 500]);
    assert!(!sealed.windows(8).any(|window| window == &canary[..8]));
}

#[test]
fn reader_asked_for_one_byte_at_a_time_gives_all() {
    let plain = plain(300);
    let sealed = seal(&plain, &[]);
    let mut reader = Reader::new(OneByte(&sealed), &key(), &place());
    let (mut got, mut byte) = (Vec::new(), [0]);
    while reader.read(&mut byte).unwrap() > 0 {
        got.extend_from_slice(&byte);
    }
    assert_eq!(got, plain);
}

/// An input that gives as little as an input may.
struct OneByte<'a>(&'a [u8]);

impl Read for OneByte<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = out.len().min(1);
        self.0.read(&mut out[..n])
    }
}

#[test]
fn small_pieces_come_out_as_whole_chunks() {
    let plain = plain(FIRST + 2 * LATER + 7);
    let chunks = seal_taking(&plain, &[64 << 10]);
    let lengths: Vec<_> = chunks.iter().map(Vec::len).collect();
    assert_eq!(lengths, [CHUNK_LEN, CHUNK_LEN, CHUNK_LEN, 7 + TAG_LEN]);
    assert!(chunks.iter().take(3).all(|chunk| chunk.capacity() == CHUNK_LEN), "allocated once");
    assert!(read_all(&chunks.concat()) == plain);
}

#[test]
fn room_that_the_caller_reserved_is_kept() {
    let plain = plain(FIRST + LATER + 7);
    let mut out = Vec::with_capacity(4 * CHUNK_LEN);
    let mut sealer = Sealer::new(&key(), &place()).expect("random");
    for piece in plain.chunks(100_000) {
        sealer.push(piece, &mut out).expect("short");
    }
    sealer.finish(&mut out).expect("short");
    assert_eq!(out.capacity(), 4 * CHUNK_LEN);
    assert!(read_all(&out) == plain);
}

#[test]
fn reader_shows_each_chunk_where_it_is() {
    let plain = plain(FIRST + LATER + 7);
    let sealed = seal(&plain, &[]);
    let mut reader = Reader::new(&sealed[..], &key(), &place());
    let (mut got, mut lengths) = (Vec::new(), Vec::new());
    loop {
        let chunk = reader.fill_buf().expect("authentic");
        if chunk.is_empty() {
            break;
        }
        let n = chunk.len();
        lengths.push(n);
        got.extend_from_slice(chunk);
        reader.consume(n);
    }
    assert_eq!(lengths, [FIRST, LATER, 7]);
    assert!(got == plain);
    reader.consume(9);
    assert!(reader.fill_buf().expect("the end stays the end").is_empty());
}

#[test]
fn opener_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Opener>();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn cuts_of_push_do_not_matter(
        len in 0..3 * CHUNK_LEN,
        cuts in prop::collection::vec(0..CHUNK_LEN + CHUNK_LEN / 2, 0..6),
    ) {
        let plain = plain(len);
        let sealed = seal(&plain, &cuts);
        prop_assert!(reference::open(&[3; 32], place().as_bytes(), &sealed) == plain);
    }

    #[test]
    fn chunks_that_are_taken_away_are_the_stream(
        len in 0..3 * CHUNK_LEN,
        pieces in prop::collection::vec(1..CHUNK_LEN + CHUNK_LEN / 2, 1..5),
    ) {
        let plain = plain(len);
        let sealed = seal_taking(&plain, &pieces).concat();
        prop_assert!(reference::open(&[3; 32], place().as_bytes(), &sealed) == plain);
    }

    #[test]
    fn any_range_opens_alone(len in 1..3 * CHUNK_LEN, a in any::<u64>(), b in any::<u64>()) {
        let plain = plain(len);
        let sealed = reference::seal(&[3; 32], place().as_bytes(), &header(), &plain);
        let (a, b) = (a % len as u64, b % len as u64);
        let (from, to) = (a.min(b), a.max(b) + 1);
        prop_assert!(open_range(&sealed, from..to) == plain[at(from..to)]);
    }
}
