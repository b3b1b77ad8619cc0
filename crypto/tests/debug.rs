//! No secret type prints what it holds.

use antumbra_crypto::stream::{DataKey, Opener, Reader, Sealer};
use antumbra_crypto::{Context, Secret32, SecretBytes, SigningKey};

/// A byte whose decimal and hexadecimal forms are easy to spot.
const MARK: u8 = 0xd7;

#[test]
fn debug_of_every_secret_type_prints_no_key_byte() {
    let secret = Secret32::from_slice(&[MARK; 32]).unwrap();
    let key = DataKey::from_secret(secret.clone());
    let place = Context::new("p").with([MARK; 8]);
    let mut sealed = Vec::new();
    let mut sealer = Sealer::new(&key, &place).unwrap();
    sealer.push(&[MARK; 100], &mut sealed).unwrap();
    let mut texts = vec![
        format!("{secret:?}"),
        format!("{key:?}"),
        format!("{place:?}"),
        format!("{sealer:?}"),
        format!("{:?}", SecretBytes::new(vec![MARK; 32])),
    ];
    sealer.finish(&mut sealed).unwrap();
    let opener = Opener::new(&key, &place, &sealed[..40], sealed.len() as u64).unwrap();
    texts.push(format!("{opener:?}"));
    texts.push(format!("{:?}", Reader::new(sealed.as_slice(), &key, &place)));
    let (signing, _) = SigningKey::generate().unwrap();
    for text in texts {
        assert!(!text.contains("215") && !text.to_lowercase().contains("d7"), "{text}");
    }
    assert_eq!(format!("{signing:?}"), format!("SigningKey({})", signing.kid()));
    assert_eq!(
        format!("{:?}", signing.verifying_key()),
        format!("VerifyingKey({})", signing.kid())
    );
}
