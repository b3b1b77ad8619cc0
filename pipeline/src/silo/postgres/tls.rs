//! How is the line to the server encrypted, and what is asked of its certificate?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What is asked of the server, by the words of `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// `disable`: clear text.
    Off,
    /// `require`: encrypted; whoever answers is believed, unless authorities are named.
    Nothing,
    /// `verify-ca`: its certificate is from an authority, whatever its name.
    Authority,
    /// `verify-full`: and it has the name of the host.
    Full,
}

/// Files that a URL names.
pub(super) struct TlsFiles {
    /// Authorities; `system` or nothing: those of the machine.
    pub(super) root: Option<String>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    /// The handshake begins at once, so the protocol is named in it.
    pub(super) direct: bool,
}

/// The line.
#[derive(Clone)]
pub(super) enum Tls {
    Off,
    On(MakeRustlsConnect),
}

impl Tls {
    /// Reads certificates; the error names the parameter.
    pub(super) fn on(check: Check, files: &TlsFiles) -> Result<Self, String> {
        let provider = Arc::new(crypto::ring::default_provider());
        // As libpq does: authorities that are named are asked.
        let check = match (check, &files.root) {
            (Check::Nothing, Some(_)) => Check::Authority,
            (check, _) => check,
        };
        let inner =
            if check == Check::Nothing { None } else { Some(authorities(files, &provider)?) };
        let verifier = Arc::new(Verifier { inner, check, provider: Arc::clone(&provider) });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| "url: TLS cannot be set up")?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match (&files.certificate, &files.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|_| "url: parameter sslkey names no readable PEM key")?;
                builder.with_client_auth_cert(certificates("sslcert", certificate)?, key).map_err(
                    |error| match error {
                        Error::InconsistentKeys(_) => {
                            "url: parameter sslkey does not fit sslcert".to_owned()
                        }
                        // One of version 1, most likely; `openssl x509 -req` makes such without `-extfile`.
                        other => {
                            format!("url: parameter sslcert names no certificate to show: {other}")
                        }
                    },
                )?
            }
            (Some(_), None) => {
                return Err("url: parameter sslkey is missing beside sslcert".to_owned());
            }
            (None, Some(_)) => {
                return Err("url: parameter sslcert is missing beside sslkey".to_owned());
            }
        };
        if files.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(Self::On(MakeRustlsConnect::new(config)))
    }
}

fn authorities(
    files: &TlsFiles,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    match files.root.as_deref() {
        None | Some("system") => {
            // Some of a machine's files may be unreadable; what counts is whether any authority is left.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            for certificate in certificates("sslrootcert", Path::new(path))? {
                roots.add(certificate).map_err(
                    |_| "url: parameter sslrootcert holds a certificate that is no authority's",
                )?;
            }
        }
    }
    if roots.is_empty() {
        return Err(
            "url: parameter sslrootcert is missing, and this machine knows no authority".to_owned()
        );
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|_| "url: parameter sslrootcert holds no usable authority".to_owned())
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("url: parameter {name} names no readable PEM certificates")),
    }
}

/// Asks of a certificate what [`Check`] says.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    check: Check,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        let verified =
            inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last: everything else holds.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.check == Check::Authority => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
