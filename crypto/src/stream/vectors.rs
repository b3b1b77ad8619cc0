//! Streams that Google's Tink wrote (version 1.16.1), made again byte for byte.
//!
//! Key: bytes 00 to 1f. Associated data: the context below. Plaintext: byte `i` is `i % 251`.

use ring::digest::{SHA256, digest};

use super::header::Header;
use super::{DataKey, Reader, Sealer};
use crate::{Context, Error, Secret32};

fn key() -> DataKey {
    let bytes: Vec<u8> = (0..32).collect();
    DataKey::from_secret(Secret32::from_slice(&bytes).unwrap())
}

fn place() -> Context {
    Context::new("antumbra/object").with("tenant").with("job").with("object")
}

fn plain(len: usize) -> Vec<u8> {
    (0..251u8).cycle().take(len).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn seal_with(header: &str, plain: &[u8]) -> Vec<u8> {
    let header = Header::parse(&unhex(header)).unwrap();
    let mut sealer = Sealer::with_header(&key(), &place(), header);
    let mut out = Vec::new();
    sealer.push(plain, &mut out).unwrap();
    sealer.finish(&mut out).unwrap();
    out
}

#[test]
fn short_streams_of_tink_are_made_again() {
    for (len, want) in SHORT {
        assert_eq!(hex(&seal_with(&want[..80], &plain(len))), want, "{len}");
    }
}

#[test]
fn short_streams_of_tink_are_read() {
    for (len, sealed) in SHORT {
        let (sealed, mut got) = (unhex(sealed), Vec::new());
        let mut reader = Reader::new(sealed.as_slice(), &key(), &place());
        std::io::Read::read_to_end(&mut reader, &mut got).unwrap();
        assert_eq!(got, plain(len));
    }
}

#[test]
fn long_streams_of_tink_are_made_again() {
    for (plain_len, sealed_len, header, sha256) in LONG {
        let sealed = seal_with(header, &plain(plain_len));
        assert_eq!(sealed.len(), sealed_len, "{plain_len}");
        assert_eq!(hex(digest(&SHA256, &sealed).as_ref()), sha256, "{plain_len}");
    }
}

#[test]
fn chunk_counter_ends_with_an_error_and_no_plaintext() {
    let header = Header::parse(&unhex(&SHORT[0].1[..80])).unwrap();
    let mut sealer = Sealer::with_header(&key(), &place(), header);
    sealer.jump_to(super::MAX_CHUNKS);
    let mut out = Vec::new();
    let long = vec![1; super::CHUNK_LEN + 1];
    assert!(matches!(sealer.push(&long, &mut out), Err(Error::LimitReached { .. })));
    assert!(matches!(sealer.finish(&mut out), Err(Error::LimitReached { .. })));
    assert!(out.is_empty());
}

/// Plaintext length and sealed stream.
const SHORT: [(usize, &str); 2] = [
    (
        0,
        concat!(
            "28b60a71ca5763785d1c1e938d2c94bcfb4b0ad70ed3fe7a11c487956df3b06bcf674e512aecc3d5",
            "421a036c7f584c7bcd7246f5147ed4d2",
        ),
    ),
    (
        20,
        concat!(
            "280d29a6a88f0633d5be3a27b0bea9ea844969120a8b0b3ba967c960ca38400cc4e7bfd1690a2ee7",
            "5f3f0ee553fad06940d67a9f801c5acf3f9adc680bab2d204888557c7d5d472a0fc8c835",
        ),
    ),
];

/// Plaintext length, sealed length, header, SHA-256 of the sealed stream.
const LONG: [(usize, usize, &str, &str); 5] = [
    (
        1_048_520,
        1_048_576,
        "287b11117a1d4b064297384dd6ce88709480225cc36ff54989b472b0845b7370666daea903fc5e12",
        "e2c4f9b02b3c2eee995b90d8fd7322376ab67ff43c9bdf50fbe1edd304e5b710",
    ),
    (
        1_048_521,
        1_048_593,
        "285c4682cce4301605c5e57787d990ab3ca18101b7b529bd6c6d4ea8ee68414a0886566f24efb77d",
        "7028a84bbecd4526100f476b27b73e9a77a016680135eb2683ae83b2e678b893",
    ),
    (
        2_097_080,
        2_097_152,
        "28a22f07db54ea6401f7ff926e056fd408bb216878060e8b29f0a34362318e41b6cd57fd4e1558e2",
        "5e06de3513e476fc491ba891c91847719d3ae1ae332e50a3103eb5054887c730",
    ),
    (
        2_097_081,
        2_097_169,
        "28bd5f05d60cf2bf7784a610cf6c5bcc2010691f6724fa7b946de8d52837fadb531fe6c3d43d7c91",
        "2e718ec066a18e6b326a0e19c005856e05b038eae0811a3192f310b13bf6cf4b",
    ),
    (
        3_157_985,
        3_158_089,
        "2859f97dedd7df83f99882d0129b2027ee7122e26854fe86a6de3e43b5d5548187f717983056e4af",
        "9033838df80454a42951b362ebc51db0a569013231f4236d9ad037a68daf3074",
    ),
];
