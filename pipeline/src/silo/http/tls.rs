//! Whose certificates are believed?

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, crypto};

/// Makes the client's TLS: with the authorities of a PEM file and no others, or those of the machine. The error names the setting.
pub(super) fn config(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => {
            // Some of a machine's files may be unreadable; a connection shows whether the authority that counts is there.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let read = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>);
            for certificate in read.map_err(|_| "ca names no readable PEM certificates")? {
                roots
                    .add(certificate)
                    .map_err(|_| "ca holds a certificate that is no authority's")?;
            }
            if roots.is_empty() {
                return Err("ca names no readable PEM certificates".to_owned());
            }
        }
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| "TLS cannot be set up")?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
