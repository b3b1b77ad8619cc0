//! A key wrapped under a KEK: `version ‖ len ‖ KEK id ‖ nonce ‖ ciphertext ‖ tag`.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::kek::Kek;
use crate::{Context, Error, SecretBytes, random};

/// Reads from an envelope which key-encryption key wrapped it; nothing is checked but the shape.
///
/// # Errors
///
/// [`Error::Truncated`] or [`Error::Malformed`] if it is no envelope.
pub fn envelope_key_id(envelope: &[u8]) -> Result<&str, Error> {
    Envelope::parse(envelope).map(|envelope| envelope.id)
}

/// Seals `plain` under `kek`, bound to the header and to `context`.
pub(super) fn seal(kek: &Kek, plain: &[u8], context: &Context) -> Result<Vec<u8>, Error> {
    seal_with_nonce(kek, plain, context, random::array()?)
}

/// Opens an envelope with whichever of `keks` it names.
pub(super) fn open(keks: &[Kek], sealed: &[u8], context: &Context) -> Result<SecretBytes, Error> {
    let Envelope { header, id, body } = Envelope::parse(sealed)?;
    let kek = keks
        .iter()
        .find(|kek| kek.id == id)
        .ok_or_else(|| Error::UnknownKey { id: id.to_owned() })?;
    let (nonce, body) = body.split_first_chunk::<NONCE_LEN>().ok_or(Error::Truncated)?;
    if body.len() < AES_256_GCM.tag_len() {
        return Err(Error::Truncated);
    }
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let mut buffer = Zeroizing::new(body.to_vec());
    let plain = key(kek)
        .open_in_place(nonce, aad(header, context), &mut buffer)
        .map_err(|_| Error::Authentication)?;
    Ok(SecretBytes::from_slice(plain))
}

fn seal_with_nonce(
    kek: &Kek,
    plain: &[u8],
    context: &Context,
    nonce: [u8; NONCE_LEN],
) -> Result<Vec<u8>, Error> {
    let id_len = u8::try_from(kek.id.len()).map_err(|_| Error::malformed("key id: too long"))?;
    let mut out = vec![VERSION, id_len];
    out.extend_from_slice(kek.id.as_bytes());
    let aad = aad(&out, context);
    let mut buffer = Zeroizing::new(plain.to_vec());
    let tag = key(kek)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut buffer)
        .map_err(|_| Error::LimitReached { what: "bytes of one envelope" })?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&buffer);
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

/// The parts of an envelope that can be told apart without a key.
struct Envelope<'a> {
    header: &'a [u8],
    id: &'a str,
    body: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn parse(sealed: &'a [u8]) -> Result<Self, Error> {
        let [version, id_len, ..] = sealed else { return Err(Error::Truncated) };
        if *version != VERSION {
            return Err(Error::malformed("envelope: version"));
        }
        let header_len = 2 + usize::from(*id_len);
        let (header, body) = sealed.split_at_checked(header_len).ok_or(Error::Truncated)?;
        let id = header.get(2..).and_then(|id| std::str::from_utf8(id).ok());
        let id = id.filter(|id| super::file::is_key_id(id));
        Ok(Self { header, id: id.ok_or_else(|| Error::malformed("envelope: key id"))?, body })
    }
}

fn key(kek: &Kek) -> LessSafeKey {
    let unbound = UnboundKey::new(&AES_256_GCM, kek.secret.expose());
    LessSafeKey::new(unbound.expect("AES-256 takes any 32 bytes as its key"))
}

/// The header delimits itself, so appending the context stays unambiguous.
fn aad(header: &[u8], context: &Context) -> Aad<Vec<u8>> {
    Aad::from([header, context.as_bytes()].concat())
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret32;

    fn kek(id: &str, byte: u8) -> Kek {
        Kek { id: id.to_owned(), secret: Secret32::from_slice(&[byte; 32]).unwrap() }
    }

    fn context() -> Context {
        Context::new("antumbra/test").with("t1").with("job-1")
    }

    #[test]
    fn bytes_are_frozen() {
        let sealed = seal_with_nonce(&kek("kek_1", 1), &[2; 32], &context(), [3; 12]).unwrap();
        assert_eq!(hex(&sealed), GOLDEN);
        let opened = open(&[kek("kek_0", 9), kek("kek_1", 1)], &sealed, &context()).unwrap();
        assert_eq!(opened.expose(), [2; 32]);
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let keks = [kek("kek_1", 1)];
        let sealed = seal(&keks[0], &[2; 32], &context()).unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut bad = sealed.clone();
                bad[at] ^= 1 << bit;
                assert!(open(&keks, &bad, &context()).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn truncated_at_any_byte_is_refused() {
        let keks = [kek("kek_1", 1)];
        let sealed = seal(&keks[0], &[2; 32], &context()).unwrap();
        for len in 0..sealed.len() {
            assert!(open(&keks, &sealed[..len], &context()).is_err(), "{len}");
        }
    }

    #[test]
    fn wrong_place_or_wrong_key_is_refused() {
        let sealed = seal(&kek("kek_1", 1), &[2; 32], &context()).unwrap();
        let moved = Context::new("antumbra/test").with("t1").with("job-2");
        assert_eq!(
            open(&[kek("kek_1", 1)], &sealed, &moved).unwrap_err().code(),
            "authentication_failed"
        );
        let same_name = open(&[kek("kek_1", 4)], &sealed, &context());
        assert_eq!(same_name.unwrap_err().code(), "authentication_failed");
        let absent = open(&[kek("kek_2", 1)], &sealed, &context()).unwrap_err();
        assert!(matches!(absent, Error::UnknownKey { id } if id == "kek_1"));
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Computed by pyca/cryptography from `FORMAT.md`.
    const GOLDEN: &str = concat!(
        "01056b656b5f31",
        "030303030303030303030303",
        "fa631698fd86356baffee465ce1b26aaba31a34f85cdc0b0ae12bf44a84884718ddd43cb83f48b50ab546c34a98f3103",
    );
}
