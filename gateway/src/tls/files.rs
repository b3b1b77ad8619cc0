//! What do the files hold that settings and flags name?

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use antumbra_crypto::SecretBytes;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// Reads every certificate of a PEM file, at least one, in order. Blocks.
pub(super) fn certificates(
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(setting, path, Access::Anybody)?;
    let content = |what| TlsError::Content { setting, path: path.to_owned(), what };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.expose()).collect();
    let certificates = read.map_err(|_| content(BROKEN))?;
    if certificates.is_empty() {
        return Err(content("holds no certificate (`-----BEGIN CERTIFICATE-----`)"));
    }
    Ok(certificates)
}

/// Reads the one private key of a PEM file, which nobody but its owner and its group may read. Blocks.
pub(super) fn private_key(
    setting: &'static str,
    path: &Path,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(setting, path, Access::OwnerAndGroup)?;
    let content = |what| TlsError::Content { setting, path: path.to_owned(), what };
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.expose()) {
        let (kind, bytes) = section.map_err(|_| content(BROKEN))?;
        keys.extend(PrivateKeyDer::from_pem(kind, bytes));
    }
    let encrypted = b"ENCRYPTED";
    match keys.len() {
        1 => keys.pop().ok_or_else(|| content("holds no private key")),
        0 if text.expose().windows(encrypted.len()).any(|part| part == encrypted) => {
            Err(content("holds a private key that is encrypted; TLS needs it in clear"))
        }
        0 => Err(content("holds no private key (PKCS#8, SEC1 or PKCS#1 in PEM)")),
        _ => Err(content("holds several private keys")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Anybody,
    /// Group, too: certificates of a machine are commonly given out through one, and systemd's credentials carry the right
    /// of their service there.
    OwnerAndGroup,
}

/// Reads a small file. What was read is wiped when it is dropped.
fn read(setting: &'static str, path: &Path, access: Access) -> Result<SecretBytes, TlsError> {
    let fault = |source| TlsError::File { setting, path: path.to_owned(), source };
    let file = File::open(path).map_err(fault)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let metadata = file.metadata().map_err(fault)?;
    if !metadata.is_file() {
        return Err(fault(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if access == Access::OwnerAndGroup && mode & 0o027 != 0 {
        return Err(TlsError::Open { setting, path: path.to_owned(), mode });
    }
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let size = usize::try_from(metadata.len()).ok().filter(|size| *size <= LONGEST);
    let Some(size) = size else {
        return Err(TlsError::Content {
            setting,
            path: path.to_owned(),
            what: "is longer than 1 MiB",
        });
    };
    let mut bytes = Vec::with_capacity(size + 1);
    let read = file.take(metadata.len()).read_to_end(&mut bytes);
    let bytes = SecretBytes::new(bytes);
    read.map_err(fault)?;
    Ok(bytes)
}

const BROKEN: &str = "is not whole PEM";
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::{Files, identity};

    #[test]
    fn every_wrong_file_is_named_with_what_is_wrong() {
        let files = Files::new();
        let (certificate, key) = identity("localhost");
        let cases = [
            ("text", b"hello".to_vec(), "holds no private key (PKCS#8, SEC1 or PKCS#1 in PEM)"),
            ("empty", Vec::new(), "holds no private key (PKCS#8, SEC1 or PKCS#1 in PEM)"),
            ("certificate", certificate.into_bytes(), "holds no private key (PKCS#8, SEC1 or PKCS#1 in PEM)"),
            ("two", [key.as_bytes(), key.as_bytes()].concat(), "holds several private keys"),
            (
                "encrypted",
                b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n".to_vec(),
                "holds a private key that is encrypted; TLS needs it in clear",
            ),
            ("cut", key.as_bytes()[..key.len() - 20].to_vec(), "is not whole PEM"),
            ("long", vec![b'x'; LONGEST + 1], "is longer than 1 MiB"),
        ];
        for (name, bytes, what) in cases {
            let path = files.write(name, &bytes, 0o600);
            let error = private_key("listen.tls_key", &path).unwrap_err().to_string();
            assert_eq!(error, format!("listen.tls_key {}: {what}", path.display()));
        }
        let path = files.write("key", key.as_bytes(), 0o600);
        let error = certificates("listen.tls_certificate", &path).unwrap_err().to_string();
        assert!(error.ends_with("holds no certificate (`-----BEGIN CERTIFICATE-----`)"), "{error}");
        let nothing = files.path().join("nothing");
        let error = certificates("listen.tls_certificate", &nothing).unwrap_err().to_string();
        assert_eq!(error, format!("cannot read listen.tls_certificate {}", nothing.display()));
        assert!(certificates("listen.tls_certificate", files.path()).is_err(), "a directory");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let files = Files::new();
        let (_, key) = identity("localhost");
        for (mode, fine) in [
            (0o600, true),
            (0o400, true),
            (0o640, true),
            (0o440, true),
            (0o644, false),
            (0o602, false),
            (0o660, false),
        ] {
            let path = files.write(&format!("{mode:o}"), key.as_bytes(), mode);
            let read = private_key("listen.tls_key", &path);
            assert_eq!(read.is_ok(), fine, "{mode:o}");
            if let Err(error) = read {
                assert!(
                    matches!(error, TlsError::Open { mode: found, .. } if found == mode),
                    "{error}"
                );
                assert!(!format!("{error} {error:?}").contains("PRIVATE"), "{error}");
            }
        }
    }

    #[test]
    fn a_key_beside_its_certificate_is_found() {
        let files = Files::new();
        let (certificate, key) = identity("localhost");
        let both = files.write("both", [certificate, key].concat().as_bytes(), 0o600);
        assert!(private_key("listen.tls_key", &both).is_ok());
        assert_eq!(certificates("listen.tls_certificate", &both).unwrap().len(), 1);
    }
}
