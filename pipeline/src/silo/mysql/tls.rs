//! How is the line to the server encrypted, and what is asked of its certificate?

use std::fs;
use std::path::{Path, PathBuf};

use mysql_async::{ClientIdentity, SslOpts};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, RootCertStore};

/// What is asked of the server, by the words of `ssl-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// `disabled`: clear text.
    Off,
    /// `required`: encrypted; whoever answers is believed, unless authorities are named.
    Nothing,
    /// `verify-ca`: its certificate is from an authority, whatever its name.
    Authority,
    /// `verify-identity`: and it has the name of the host.
    Full,
}

/// Files that a URL names.
#[derive(Default)]
pub(super) struct TlsFiles {
    /// Authorities; nothing: those of the machine.
    pub(super) root: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

impl TlsFiles {
    /// Says whether a file is given that has no meaning without encryption.
    pub(super) const fn are_given(&self) -> bool {
        self.root.is_some() || self.certificate.is_some() || self.key.is_some()
    }
}

/// Reads certificates; the error names the parameter.
pub(super) fn options(check: Check, files: &TlsFiles) -> Result<SslOpts, String> {
    // Authorities that are named are asked.
    let check = match (check, &files.root) {
        (Check::Nothing, Some(_)) => Check::Authority,
        (check, _) => check,
    };
    // The driver's own list goes where no certificate is looked at: a verifier without authorities cannot be made.
    let mut options = SslOpts::default();
    if check != Check::Nothing {
        options = options
            .with_disable_built_in_roots(true)
            .with_root_certs(authorities(files)?.into_iter().map(Into::into).collect());
    }
    options = options
        .with_danger_accept_invalid_certs(check == Check::Nothing)
        // The driver looks for words that its TLS does not say any more, so that `link.rs` sees to it; said here, it is known there.
        .with_danger_skip_domain_validation(check == Check::Authority);
    match (&files.certificate, &files.key) {
        (None, None) => Ok(options),
        (Some(certificate), Some(key)) => {
            let identity = ClientIdentity::new(chain(certificate)?.into(), private(key)?.into());
            Ok(options.with_client_identity(Some(identity)))
        }
        (Some(_), None) => Err("url: parameter ssl-key is missing beside ssl-cert".to_owned()),
        (None, Some(_)) => Err("url: parameter ssl-cert is missing beside ssl-key".to_owned()),
    }
}

/// A name of the certificate that was refused for nothing but its name: authorities are asked first.
pub(super) fn name_of_refused(error: &rustls::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
        presented,
        ..
    }) = error
    else {
        return None;
    };
    let names =
        presented.iter().filter_map(|name| name.strip_prefix("DnsName(\"")?.strip_suffix("\")"));
    // Any name that the wildcard stands for will do.
    names.map(|name| name.replace('*', "any")).next()
}

fn authorities(files: &TlsFiles) -> Result<Vec<Vec<u8>>, String> {
    let (found, named) = match &files.root {
        // Some of a machine's files may be unreadable; what counts is whether any authority is left.
        None => (rustls_native_certs::load_native_certs().certs, false),
        Some(path) => (certificates("ssl-ca", path)?, true),
    };
    let mut usable = Vec::with_capacity(found.len());
    for certificate in found {
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            usable.push(certificate.to_vec());
        } else if named {
            return Err(
                "url: parameter ssl-ca holds a certificate that is no authority's".to_owned()
            );
        }
    }
    if usable.is_empty() {
        return Err(
            "url: parameter ssl-ca is missing, and this machine knows no authority".to_owned()
        );
    }
    Ok(usable)
}

fn chain(path: &Path) -> Result<Vec<u8>, String> {
    certificates("ssl-cert", path)?;
    read("ssl-cert", path)
}

fn private(path: &Path) -> Result<Vec<u8>, String> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|_| "url: parameter ssl-key names no readable PEM key")?;
    read("ssl-key", path)
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|_| format!("url: parameter {name} names no readable file"))
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("url: parameter {name} names no readable PEM certificates")),
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn only_a_certificate_whose_name_alone_is_wrong_has_a_name() {
        let refused = |presented: &[&str]| {
            let presented = presented.iter().map(|name| (*name).to_owned()).collect();
            let expected = ServerName::try_from("127.0.0.1").unwrap();
            let why = CertificateError::NotValidForNameContext { expected, presented };
            name_of_refused(&rustls::Error::InvalidCertificate(why))
        };
        let names = ["IpAddress(10.0.0.1)", "DnsName(\"*.db.internal\")", "DnsName(\"b\")"];
        assert_eq!(refused(&names).as_deref(), Some("any.db.internal"));
        assert_eq!(refused(&[]), None);
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(name_of_refused(&unknown), None);
    }
}
