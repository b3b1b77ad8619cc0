//! Which servers does a command believe?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::TlsError;
use super::files::certificates;
use super::provider::{VERSIONS, provider};

/// Says which servers are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that the machine's authorities vouch for, by name.
    Machine,
    /// Those that the authorities in a PEM file vouch for, by name.
    Authorities(PathBuf),
    /// The holder of the key of the first certificate in a PEM file, whatever it is called and however old it is.
    ///
    /// For the daemon that this machine's own settings describe: they say which certificate it shows, and that is a stronger
    /// statement than a name.
    Exactly(PathBuf),
}

/// Makes of it what a TLS client needs. Blocks: reads files.
///
/// # Errors
/// [`TlsError`], which names the file.
pub(crate) fn client_config(trust: &Trust) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Machine => by_authority(machine()?, &provider)?,
        Trust::Authorities(path) => by_authority(listed(path)?, &provider)?,
        Trust::Exactly(path) => {
            let first = certificates("listen.tls_certificate", path)?.into_iter().next();
            let certificate = first.ok_or(TlsError::NoAuthorities)?;
            Arc::new(Pinned { certificate, provider: Arc::clone(&provider) })
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(VERSIONS)
        .map_err(TlsError::Setup)?
        .dangerous() // the verifiers are those above
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![super::identity::HTTP_1_1.to_vec()];
    Ok(config)
}

fn by_authority(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    match builder.build() {
        Ok(verifier) => Ok(verifier),
        Err(_) => Err(TlsError::NoAuthorities),
    }
}

/// What cannot be read or understood is passed over: a machine's list is never of one piece.
fn machine() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 { Err(TlsError::NoAuthorities) } else { Ok(roots) }
}

fn listed(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, path)? {
        let added = roots.add(certificate);
        added.map_err(|source| TlsError::Unusable {
            setting: CA,
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(roots)
}

/// Believes one certificate. That its holder has the key is proven by the handshake's signature, as ever.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

const CA: &str = "--ca";
