//! A root key derived from `JWT_ECDSA_KEY`, for those who come from Sombra and keep its key.

use std::fmt;

use antumbra_crypto::{Context, Error as CryptoError, Root, SecretBytes};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p384::SecretKey;
use zeroize::Zeroizing;

use crate::Error;
use crate::derived::{DerivedKey, Labels};

/// Wraps with AES-256-GCM under a key derived from a P-384 private key.
///
/// Its id is `sombra:` and 8 hex digits that follow from the key and do not lead back to it. The
/// bytes of a wrap are in `crypto/FORMAT.md` § Sombra root.
pub struct SombraRoot(DerivedKey);

impl SombraRoot {
    /// Reads the text of `JWT_ECDSA_KEY`: a list separated by commas, newest first, of any number
    /// of keys. Each is the base64 of what `openssl ecparam -genkey -name secp384r1 -noout`
    /// prints; white space is allowed anywhere, and so is the `EC PARAMETERS` block that openssl
    /// prints without `-noout`. The first root of the result wraps, the others unwrap; a key that
    /// is there twice counts once.
    ///
    /// # Errors
    ///
    /// [`Error::SombraKey`] with the position of the first entry that is no such key.
    pub fn list(text: &str) -> Result<Vec<Self>, Error> {
        let mut roots: Vec<Self> = Vec::new();
        for (at, entry) in text.split(',').enumerate() {
            let root = read(entry).map_err(|what| Error::SombraKey { position: at + 1, what })?;
            if roots.iter().all(|known| known.0.id() != root.0.id()) {
                roots.push(root);
            }
        }
        Ok(roots)
    }
}

#[async_trait]
impl Root for SombraRoot {
    fn id(&self) -> &str {
        self.0.id()
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, CryptoError> {
        self.0.wrap(secret, context)
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, CryptoError> {
        self.0.unwrap(wrapped, context)
    }

    async fn rewrap(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, CryptoError> {
        self.0.rewrap(wrapped, context)
    }
}

impl fmt::Debug for SombraRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SombraRoot({})", self.0.id())
    }
}

fn read(entry: &str) -> Result<SombraRoot, &'static str> {
    let entry = without_space(entry);
    if entry.is_empty() {
        return Err("is empty");
    }
    let pem = decode(&entry).ok_or("is not base64")?;
    let pem = std::str::from_utf8(&pem).map_err(|_| "is not the base64 of a PEM text")?;
    let der = sec1(pem)?;
    if !der.windows(P384_OID.len()).any(|window| window == P384_OID) {
        return Err("is not a key of the curve P-384 (secp384r1)");
    }
    // ring reads PKCS #8 only.
    let key = SecretKey::from_sec1_der(&der).map_err(|_| "is damaged")?;
    let scalar = Zeroizing::new(<[u8; 48]>::from(key.to_bytes()));
    Ok(SombraRoot(DerivedKey::new(scalar.as_slice(), &LABELS)))
}

/// Takes the DER out of the one `EC PRIVATE KEY` block.
fn sec1(pem: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let Some((_, rest)) = pem.split_once(BEGIN) else {
        return Err(if pem.contains("-----BEGIN PRIVATE KEY-----") {
            "is PKCS #8; `openssl ec` prints it as SEC1"
        } else if pem.contains("ENCRYPTED") {
            "is encrypted"
        } else {
            "holds no `EC PRIVATE KEY`"
        });
    };
    let Some((body, rest)) = rest.split_once(END) else {
        return Err("has no end line");
    };
    if body.contains(':') {
        return Err("is encrypted");
    }
    if rest.contains(BEGIN) {
        return Err("holds two keys; keys are separated by commas outside of the base64");
    }
    decode(&without_space(body)).ok_or("is damaged")
}

fn without_space(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    out.extend(text.chars().filter(|c| !c.is_ascii_whitespace()));
    out
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    STANDARD.decode(text).ok().map(Zeroizing::new)
}

const LABELS: Labels =
    Labels { scheme: "sombra", id: b"antumbra/sombra-root/id", wrap: b"antumbra/sombra-root/wrap" };

const BEGIN: &str = "-----BEGIN EC PRIVATE KEY-----";
const END: &str = "-----END EC PRIVATE KEY-----";

/// 1.3.132.0.34 in DER. openssl always writes it; a key without it could be of any curve.
const P384_OID: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::conformance;

    fn one(text: &str) -> SombraRoot {
        SombraRoot::list(text).unwrap().remove(0)
    }

    fn fault(text: &str) -> String {
        let error = SombraRoot::list(text).unwrap_err();
        assert_eq!(error.code(), "sombra_key_malformed");
        format!("{error} {error:?}")
    }

    fn openssl(arguments: &[&str]) -> String {
        let output = Command::new("openssl").args(arguments).output().expect("openssl runs");
        assert!(output.status.success(), "openssl {arguments:?}");
        STANDARD.encode(output.stdout)
    }

    #[test]
    fn id_and_bytes_are_frozen() {
        let root = one(KEY);
        assert_eq!(root.id(), "sombra:d2992ef0");
        let context = Context::new("antumbra/kek").with("kek_1");
        let sealed = root.0.seal(&SecretBytes::new(vec![2; 32]), &context, [3; 12]).unwrap();
        let hex: String = sealed.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, GOLDEN);
        assert_eq!(format!("{root:?}"), "SombraRoot(sombra:d2992ef0)");
    }

    #[tokio::test]
    async fn keys_of_a_list_conform_and_are_strangers() {
        let roots = SombraRoot::list(&format!("{KEY},{WITH_PARAMETERS}")).unwrap();
        let [a, b] = roots.as_slice() else { panic!("two keys") };
        conformance::every(a).await;
        conformance::strangers(a, b).await;
    }

    #[test]
    fn list_keeps_its_order_and_counts_a_key_once() {
        let ids = |text: &str| -> Vec<String> {
            SombraRoot::list(text).unwrap().iter().map(|root| root.id().to_owned()).collect()
        };
        let (a, b) = (ids(KEY).remove(0), ids(WITH_PARAMETERS).remove(0));
        let wide: String = KEY.chars().flat_map(|c| [c, ' ']).collect();
        let text = format!(" {WITH_PARAMETERS}\n,\t{wide}\r\n, {KEY}");
        assert_eq!(ids(&text), [b, a]);
    }

    #[test]
    fn keys_that_openssl_prints_are_read() {
        for arguments in [
            &["ecparam", "-genkey", "-name", "secp384r1", "-noout"][..],
            &["ecparam", "-genkey", "-name", "secp384r1"],
        ] {
            let text = openssl(arguments);
            assert_eq!(one(&text).id(), one(&text).id());
            assert_ne!(one(&text).id(), one(KEY).id());
        }
    }

    #[test]
    fn other_keys_that_openssl_prints_are_refused() {
        for (arguments, want) in [
            (&["ecparam", "-genkey", "-name", "prime256v1", "-noout"][..], "P-384"),
            (&["ecparam", "-genkey", "-name", "secp521r1", "-noout"], "P-384"),
            (&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "PKCS #8"),
            (&["genpkey", "-algorithm", "ED25519"], "PKCS #8"),
        ] {
            let text = fault(&format!("{KEY},{}", openssl(arguments)));
            assert!(text.contains("key 2 of the list") && text.contains(want), "{text}");
        }
    }

    #[test]
    fn entries_that_are_no_keys_are_named_by_position_and_not_quoted() {
        let pem = |text: &str| STANDARD.encode(text);
        let whole = String::from_utf8(STANDARD.decode(KEY).unwrap()).unwrap();
        let cut = pem(&whole.replace("MIGk", "MIGj"));
        let endless = pem(&whole.replace(END, ""));
        let encrypted = whole.replace(BEGIN, &format!("{BEGIN}\nProc-Type: 4,ENCRYPTED\n"));
        // The public half of another key.
        let (head, _) = whole.split_once("ZANi").unwrap();
        let other = String::from_utf8(STANDARD.decode(WITH_PARAMETERS).unwrap()).unwrap();
        let (_, tail) = other.split_once("ZANi").unwrap();
        for (entry, want) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("s3cret!", "is not base64"),
            (whole.as_str(), "is not base64"),
            (&pem("s3cret"), "holds no `EC PRIVATE KEY`"),
            (&STANDARD.encode([0xff; 9]), "PEM text"),
            (&pem(&encrypted), "is encrypted"),
            (&cut, "is damaged"),
            (&endless, "has no end line"),
            (&pem(&format!("{whole}{whole}")), "holds two keys"),
            (&pem(&format!("{head}ZANi{tail}")), "is damaged"),
        ] {
            let text = fault(&format!("{KEY},{entry}"));
            assert!(text.contains("key 2 of the list") && text.contains(want), "{want}: {text}");
            assert!(!text.contains("s3cret") && !text.contains("MIGk"), "{text}");
        }
    }

    /// `openssl ecparam -genkey -name secp384r1 -noout`, made for this test.
    const KEY: &str = concat!(
        "LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1JR2tBZ0VCQkRCU3lNNlpkRW9VT2NuMDd1d2NOTzNONUFh",
        "aFB0WEhYd2E3Szh5MUxFSUFDTjNITitxZWhCRzQKcjlHUlRkbEUrU09nQndZRks0RUVBQ0toWkFOaUFBUjlESU5r",
        "aitOamJCWHdobkdnUGFSUUQ0WkZLTVBjR1p2UApra2JSOEtPc3hYU0o2KytSOHlLSUVqajQvN2hEMnhvVmtlTHA2",
        "eFZRN3lEb3VZZlM0aU9tZS9SSHlqY3BXeU9jCjVQUkZvYTZJTURSTFpraERqckpPQTMvTWFKOVJPZGs9Ci0tLS0t",
        "RU5EIEVDIFBSSVZBVEUgS0VZLS0tLS0K",
    );

    /// `openssl ecparam -genkey -name secp384r1`, made for this test.
    const WITH_PARAMETERS: &str = concat!(
        "LS0tLS1CRUdJTiBFQyBQQVJBTUVURVJTLS0tLS0KQmdVcmdRUUFJZz09Ci0tLS0tRU5EIEVDIFBBUkFNRVRFUlMt",
        "LS0tLQotLS0tLUJFR0lOIEVDIFBSSVZBVEUgS0VZLS0tLS0KTUlHa0FnRUJCREI2d2owcS83Wm9NSUN4OW92T2VZ",
        "TitxVUJ0UjVNa3dCN25leVJJZ09Td1QwY3NTZ0V3bENXZQpDM0lFaHJCeVAvZWdCd1lGSzRFRUFDS2haQU5pQUFS",
        "VkxvdTFqT3NVV25MTm9qWEkyaDNTUm1qUkl6S0ljT1Z4CmlvbkszY0dMZWtEK09BaWFLL1ZsMFVWNG82cEg5T0V6",
        "MXhaMjJsNU5RYWdaRmZHdDJueW5kU2dzU2JrNlhWeHgKWVFwWTFic2lDZUJrZDhUVDNwL3h0TkxKYnB1dldEZz0K",
        "LS0tLS1FTkQgRUMgUFJJVkFURSBLRVktLS0tLQo=",
    );

    /// Computed by pyca/cryptography from `FORMAT.md`.
    const GOLDEN: &str = concat!(
        "010303030303030303030303039f80408e8c576e599e4e74122b40f062",
        "d58e03e74e40738478c2a22e1a4e5fdfad955a492dc38f769d6de1c7d4730ba8",
    );
}
