//! Whose certificates are believed.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::Error;

/// The certificate authorities of one client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// Those in this PEM file, and no others.
    File(&'a Path),
    /// Those that the machine trusts.
    Machine,
    /// None: for addresses without TLS.
    Nobody,
}

impl<'a> Trust<'a> {
    /// Chooses what an address needs.
    pub(crate) fn of(ca: Option<&'a Path>, encrypted: bool) -> Self {
        match ca {
            Some(path) => Self::File(path),
            None if encrypted => Self::Machine,
            None => Self::Nobody,
        }
    }

    /// Makes the TLS settings. Blocks on I/O.
    pub(crate) fn config(self) -> Result<ClientConfig, Error> {
        let authorities = match self {
            Self::File(path) => from_file(path)?,
            Self::Machine => from_machine()?,
            Self::Nobody => RootCertStore::empty(),
        };
        // Named here, so that it does not matter what the process installed as its default.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring implements TLS 1.2 and 1.3")
            .with_root_certificates(authorities)
            .with_no_client_auth();
        Ok(config)
    }
}

fn from_file(path: &Path) -> Result<RootCertStore, Error> {
    let fault = |source| Error::CaFile { path: path.to_owned(), source };
    let mut authorities = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| fault(Box::new(error)))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| fault(Box::new(error)))?;
        authorities.add(certificate).map_err(|error| fault(Box::new(error)))?;
    }
    if authorities.is_empty() {
        return Err(fault("no certificate in PEM is in it".into()));
    }
    Ok(authorities)
}

fn from_machine() -> Result<RootCertStore, Error> {
    let mut authorities = RootCertStore::empty();
    // A single bad file in the system's folder must not stop the others.
    let found = rustls_native_certs::load_native_certs();
    let (added, ignored) = authorities.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, errors = found.errors.len(), "machine's authorities read");
    if authorities.is_empty() {
        return Err(Error::NoAuthorities);
    }
    Ok(authorities)
}
