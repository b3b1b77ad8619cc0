//! A P-384 public key as text: PEM, and the name that follows from the key.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::Error;
use crate::digest::sha256;

/// A point in uncompressed form: `04 ‖ x ‖ y`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey([u8; POINT_LEN]);

impl PublicKey {
    /// Takes a point; whether it lies on the curve shows when a signature is checked.
    pub(crate) fn from_point(point: &[u8]) -> Result<Self, Error> {
        match <[u8; POINT_LEN]>::try_from(point) {
            Ok(point) if point[0] == 4 => Ok(Self(point)),
            _ => Err(malformed()),
        }
    }

    /// Reads one `PUBLIC KEY` block that holds a P-384 `SubjectPublicKeyInfo`.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, Error> {
        let body = pem.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let text: String = body.ok_or_else(malformed)?.split_ascii_whitespace().collect();
        let der = STANDARD.decode(text).map_err(|_| malformed())?;
        Self::from_point(der.strip_prefix(SPKI_P384.as_slice()).ok_or_else(malformed)?)
    }

    /// Writes the PEM block: 64 columns, a newline at the end.
    pub(crate) fn to_pem(&self) -> String {
        let text = STANDARD.encode([SPKI_P384.as_slice(), &self.0].concat());
        let mut pem = String::from(BEGIN);
        for (at, letter) in text.chars().enumerate() {
            if at % 64 == 0 {
                pem.push('\n');
            }
            pem.push(letter);
        }
        pem + "\n" + END + "\n"
    }

    /// Returns the JWK thumbprint ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)) with
    /// SHA-256 in base64url: 43 characters.
    pub(crate) fn kid(&self) -> String {
        let (x, y) = self.0.split_at(1).1.split_at(COORDINATE_LEN);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // The members in the order, and without the blanks, that the RFC asks for.
        let jwk = format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(sha256(jwk.as_bytes()))
    }

    pub(crate) fn point(&self) -> &[u8] {
        &self.0
    }
}

fn malformed() -> Error {
    Error::malformed("public key: not one PEM block of a P-384 key")
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
const COORDINATE_LEN: usize = 48;
const POINT_LEN: usize = 1 + 2 * COORDINATE_LEN;

/// DER up to the point: SEQUENCE { SEQUENCE { ecPublicKey, secp384r1 }, BIT STRING }.
const SPKI_P384: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PublicKey {
        let mut point = [7; POINT_LEN];
        point[0] = 4;
        PublicKey::from_point(&point).unwrap()
    }

    #[test]
    fn pem_has_64_columns_and_the_known_prefix() {
        let pem = key().to_pem();
        let lines: Vec<_> = pem.lines().collect();
        assert_eq!(lines.iter().map(|l| l.len()).collect::<Vec<_>>(), [26, 64, 64, 32, 24]);
        assert!(lines[1].starts_with("MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE"), "{pem}");
        assert!(pem.ends_with("-----END PUBLIC KEY-----\n"));
        assert_eq!(PublicKey::from_pem(&pem).unwrap(), key());
        assert_eq!(PublicKey::from_pem(&pem.replace('\n', "\r\n")).unwrap(), key());
    }

    #[test]
    fn other_keys_and_junk_are_refused() {
        let pem = key().to_pem();
        let two = format!("{pem}{pem}");
        let private = pem.replace("PUBLIC", "PRIVATE");
        let curve = pem.replace("EACID", "EACMD");
        let short = pem.replacen("BwcH", "", 1);
        for bad in ["", "x", &two, &private, &curve, &short] {
            assert_eq!(PublicKey::from_pem(bad).unwrap_err().code(), "malformed", "{bad}");
        }
        assert!(PublicKey::from_point(&[2; POINT_LEN]).is_err());
    }
}
