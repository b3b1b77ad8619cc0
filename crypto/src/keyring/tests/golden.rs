//! Ring files and envelopes that pyca/cryptography made from `FORMAT.md`.

use std::sync::Arc;

use proptest::prelude::*;

use super::room::*;
use crate::keyring::file::RingFile;
use crate::stream::DataKey;
use crate::{KeyRing, KeyState, Roots};

const V1: &str = include_str!("golden/ring-v1.json");
const V2: &str = include_str!("golden/ring-v2.json");

async fn open_both() -> [KeyRing; 2] {
    let roots = Roots::new(Arc::new(TestRoot::new("test-root", 1)))
        .with_older(Arc::new(TestRoot::new("old-root", 2)));
    let one = KeyRing::open(V1.as_bytes(), &roots).await.unwrap();
    let two = KeyRing::open(V2.as_bytes(), &roots).await.unwrap();
    [one, two]
}

#[tokio::test]
async fn both_versions_give_the_keys_that_were_put_in() {
    let [one, two] = open_both().await;
    assert!(one.is_of_same_installation(&two));
    for (ring, roots) in [(&one, ["test-root"; 2]), (&two, ["old-root", "test-root"])] {
        let keys = ring.keys();
        let states: Vec<_> = keys.iter().map(|key| key.state).collect();
        assert_eq!(states, [KeyState::Retired, KeyState::Readable, KeyState::Active]);
        assert_eq!(keys[1].root.as_deref(), Some(roots[0]));
        assert_eq!(keys[2].root.as_deref(), Some(roots[1]));
        assert_eq!(ring.active_id(), "kek_00000000000000b2");

        assert_eq!(unwrapped(ring, &unhex(UNDER_A)).await, [0x33; 32]);
        assert_eq!(unwrapped(ring, &unhex(UNDER_B)).await, [0x35; 32]);
        let tenant = ring.tenant_secret("redact", "t").unwrap();
        assert_eq!(tenant.expose().as_slice(), unhex(TENANT));
        assert_eq!(ring.index().lookup("t", "k", "v").as_slice(), unhex(INDEX));
        assert_eq!(ring.pseudonyms().of("t", "s"), "ps_33qummtpetjw7te6m2lvvli4s4");
        assert_eq!(ring.signing().kid(), "Mc3D_z41wMVWkEGrDd7droXaF-gjCKAkfbc1RqmwJJA");
        let field = ring.fields().open(&place(), &unhex(FIELD)).unwrap();
        assert_eq!(field.expose(), b"x");
    }
    assert_eq!(one.keys()[1].services, 6);
    assert_eq!((two.keys()[1].services, two.keys()[2].services), (2, 4));
}

#[test]
fn version_2_is_written_byte_for_byte() {
    let file = RingFile::parse(V2.as_bytes()).unwrap().to_json();
    assert_eq!(String::from_utf8(file).unwrap(), V2);
}

#[tokio::test]
async fn version_1_becomes_version_2_at_its_first_change() {
    let [one, _] = open_both().await;
    assert!(one.retired("kek_0000000000000000").unwrap().1 == V1.as_bytes(), "no change");
    let (_, file) = one.rotated(NOW).await.unwrap();
    let text = String::from_utf8(file).unwrap();
    assert!(text.starts_with("{\n  \"version\": 2,\n  \"keys\""), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Neither a panic nor other keys: states and times may change, service keys may not.
    #[test]
    fn altered_file_is_refused_or_holds_the_same_service_keys(
        at in 0..V2.len(),
        byte in any::<u8>(),
        len in 0..8usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let [_, good] = open_both().await;
            let mut bad = V2.as_bytes().to_vec();
            let end = (at + len).min(bad.len());
            bad.splice(at..end, [byte]);
            if let Ok(ring) = KeyRing::open(&bad, &good.roots).await {
                assert!(ring.is_of_same_installation(&good));
                assert!(ring.wrap(&DataKey::generate().unwrap(), &place()).await.is_ok());
            }
        });
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// A data key of bytes 33 for `place()`, nonce of bytes 44.
const UNDER_A: &str = concat!(
    "01146b656b5f30303030303030303030303030306131",
    "444444444444444444444444",
    "110ebeca537c447956ebd0860bd3f51c857f30761a6178ca8a9e58c42af5f245",
    "6e81c180f3b7cd2a0b97a59b731db8da",
);
/// A data key of bytes 35 for `place()`, nonce of bytes 46.
const UNDER_B: &str = concat!(
    "01146b656b5f30303030303030303030303030306232",
    "464646464646464646464646",
    "dc1e4e92d2c713ec87853c74faf6cd32d2e9cddfb7d32d6649367892896c92a7",
    "527c8887f94476f73930b7de78a555b7",
);
const TENANT: &str = "0ab616ce862a434cfa0976023d8112d7e091c5d5a128b03276169af115850624";
const INDEX: &str = "46a1ffb3d84e671ca5f5893d77eb475de18a8d109e57a34f2d65a79fdfbe49a5";
const FIELD: &str = "01070707070707070707070707f6982c6a1a41a3f52c590933166f30815c";
