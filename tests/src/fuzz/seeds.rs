//! What the fuzzer starts from: for each target what is genuine, and what is nearly so.

use antumbra_crypto::stream::{CHUNK_LEN, HEADER_LEN};
use antumbra_crypto::{Context, Error, InternalKeys, KeyRing};

use super::download_key::{USE, genuine_claims};
use super::fixed::{self, now, pattern, sealed};

/// A file of a corpus.
#[derive(Debug)]
pub struct Seed {
    /// Whose corpus.
    pub target: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Makes the seeds of the ring anew. All others are made with the one that is called `fixed.json`, so they have to follow.
///
/// # Errors
/// [`Error::Random`]; others only if a ring refuses what it must not.
pub fn ring_seeds() -> Result<Vec<Seed>, Error> {
    let (created, first) = now(KeyRing::create(&fixed::roots(), "2026-01-02T03:04:05Z"))?;
    let (rotated, second) = now(created.rotated("2026-02-02T03:04:05Z"))?;
    let (rewrapped, third) = now(rotated.rewrapped())?.ok_or(Error::Random)?;
    let (rotated, _) = now(rewrapped.rotated("2026-03-02T03:04:05Z"))?;
    let (_, fixed) = rotated.retired(created.active_id())?;
    let half = first.get(..first.len() / 2).unwrap_or_default().to_vec();
    let text = String::from_utf8_lossy(&third).into_owned();
    let old = String::from_utf8_lossy(&first).replace("      \"root\": \"fuzz:1\",\n", "");
    let old = old.replacen("\"version\": 2", "\"version\": 1,\n  \"root\": \"fuzz:1\"", 1);
    Ok(seeds_of(
        "ring_file",
        vec![
            ("fixed.json", fixed),
            ("created.json", first),
            ("version-1.json", old.into_bytes()),
            ("rotated.json", second),
            ("rewrapped.json", third),
            ("cut-in-half.json", half),
            ("two-active.json", text.replace("\"readable\"", "\"active\"").into_bytes()),
            ("none-active.json", text.replace("\"active\"", "\"readable\"").into_bytes()),
            ("exchanged.json", text.replace("\"field\"", "\"index\"").into_bytes()),
            ("version-9.json", text.replacen("\"version\": 2", "\"version\": 9", 1).into_bytes()),
        ],
    ))
}

/// Makes all other seeds anew.
///
/// # Errors
/// [`Error::Random`].
pub fn seeds() -> Result<Vec<Seed>, Error> {
    let mut all = seeds_of("header", headers());
    all.extend(seeds_of("stream_open", streams()?));
    all.extend(seeds_of("envelope", envelopes()?));
    all.extend(seeds_of("download_key", download_keys()?));
    all.extend(seeds_of("internal_key", internal_keys()?));
    Ok(all)
}

type Named = Vec<(&'static str, Vec<u8>)>;

fn seeds_of(target: &'static str, seeds: Named) -> Vec<Seed> {
    seeds.into_iter().map(|(name, bytes)| Seed { target, name, bytes }).collect()
}

fn headers() -> Named {
    let header = [&[40][..], pattern(HEADER_LEN - 1)].concat();
    let of = |len: u64, header: &[u8]| [&len.to_be_bytes(), header].concat();
    let (chunk, most) = (CHUNK_LEN as u64, u64::from(u32::MAX));
    vec![
        ("shortest", of(56, &header)),
        ("too-short", of(55, &header)),
        ("one-chunk", of(chunk, &header)),
        ("empty-second-chunk", of(chunk + 16, &header)),
        ("two-chunks", of(chunk + 17, &header)),
        ("longest", of(chunk * most, &header)),
        ("too-long", of(chunk * most + 17, &header)),
        ("aes-128", of(100, &[&[24][..], pattern(HEADER_LEN - 1)].concat())),
        ("header-cut", of(100, &header[..HEADER_LEN - 1])),
    ]
}

fn streams() -> Result<Named, Error> {
    let (key, place) = (fixed::stream_key(), fixed::stream_place());
    let raw = |stream: &[u8]| [&[0][..], stream].concat();
    let hundred = sealed(pattern(100), &key, &place)?;
    let elsewhere = sealed(pattern(100), &key, &place.with("more"))?;
    // The last whole first chunk, as `Recipe` reads lengths.
    let border = [0x0f, 0xff, 0xc8];
    Ok(vec![
        ("empty", raw(&sealed(&[], &key, &fixed::stream_place())?)),
        ("one-byte", raw(&sealed(pattern(1), &key, &fixed::stream_place())?)),
        ("hundred-bytes", raw(&hundred)),
        ("elsewhere", raw(&elsewhere)),
        ("header-alone", raw(hundred.get(..HEADER_LEN).unwrap_or_default())),
        ("made-border", [&[1][..], &border].concat()),
        ("made-two-chunks", vec![1, 0x18, 0, 0]),
        ("made-flipped", vec![1, 0x18, 0, 0, 0, 0x10, 0, 0]),
        ("made-cut-at-border", vec![1, 0x18, 0, 0, 1, 0x10, 0, 0]),
        ("made-doubled", vec![1, 0x18, 0, 0, 2, 0x10, 0, 0]),
        ("made-exchanged", vec![1, 0x18, 0, 0, 5, 0, 0, 0, 0x10, 0, 0]),
    ])
}

fn envelopes() -> Result<Named, Error> {
    let key = fixed::wrapped_key();
    let wrap = |ring: &KeyRing, place: &Context| now(ring.wrap(&key, place)).map(|key| key.bytes);
    let opened = |file: &[u8]| now(KeyRing::open(file, &fixed::roots()));
    let active = wrap(fixed::ring(), &fixed::envelope_place())?;
    let readable = opened(REWRAPPED)?;
    let retired = opened(CREATED)?;
    let changed = |at: usize, to: u8| {
        let mut bytes = active.clone();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = to;
        }
        bytes
    };
    Ok(vec![
        ("under-readable", wrap(&readable, &fixed::envelope_place())?),
        ("under-retired", wrap(&retired, &fixed::envelope_place())?),
        ("elsewhere", wrap(fixed::ring(), &fixed::envelope_place().with("more"))?),
        ("version-2", changed(0, 2)),
        ("longer-name", changed(1, 64)),
        ("no-name", changed(1, 0)),
        ("altered", changed(active.len() - 1, 0)),
        ("name-alone", active.get(..22).unwrap_or_default().to_vec()),
        ("under-active", active),
    ])
}

fn download_keys() -> Result<Named, Error> {
    let tokens = fixed::ring().tokens();
    let genuine = tokens.sign(USE, &genuine_claims())?;
    let nonce = tokens.sign("antumbra-nonce", &genuine_claims())?;
    let unsigned = genuine.rsplit_once('.').map(|(head, _)| format!("{head}.")).unwrap_or_default();
    let raw = |token: &str| [&[0][..], token.as_bytes()].concat();
    let claims = |json: &str| [&[1][..], json.as_bytes()].concat();
    Ok(vec![
        ("genuine", raw(&genuine)),
        ("of-another-use", raw(&nonce)),
        ("unsigned", raw(&unsigned)),
        ("no-algorithm", raw("eyJ0eXAiOiJhbnR1bWJyYS1kb3dubG9hZCIsImFsZyI6Im5vbmUifQ.e30.")),
        ("two-parts", raw("e30.e30")),
        ("claims", claims(&genuine_claims().to_string())),
        ("claims-without-end", claims("{\"gid\":\"\"}")),
        ("claims-end-in-a-fraction", claims("{\"exp\":1.5}")),
        ("claims-end-before-all-time", claims("{\"exp\":-1}")),
        ("claims-a-list", claims("[1]")),
    ])
}

fn internal_keys() -> Result<Named, Error> {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let hash = InternalKeys::hash(key)?;
    let other = InternalKeys::hash("AQ==")?;
    let of = |list: &str, presented: &str| format!("{list}\n{presented}").into_bytes();
    Ok(vec![
        ("admitted", of(&hash, key)),
        ("admitted-without-padding", of(&hash, key.trim_end_matches('='))),
        ("admitted-as-second", of(&format!("{other} , {hash}"), key)),
        ("not-listed", of(&other, key)),
        ("empty-key", of(&hash, "")),
        ("no-list", of("", key)),
        ("hash-cut", of(hash.get(..40).unwrap_or_default(), key)),
        ("the-hash-itself", of(&hash, &hash)),
        ("another-alphabet", of(&hash, "-_-_")),
    ])
}

const CREATED: &[u8] = include_bytes!("../../fuzz/corpus/ring_file/created.json");
const REWRAPPED: &[u8] = include_bytes!("../../fuzz/corpus/ring_file/rewrapped.json");
