//! What does the listener show to callers?

use std::path::Path;
use std::sync::Arc;

use antumbra_config::Listen;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::sign::CertifiedKey;

use super::TlsError;
use super::files::{certificates, private_key};
use super::provider::{VERSIONS, provider};

/// Reads certificate and key and makes of them what the listener needs; `None` if settings ask for plain HTTP. Blocks.
///
/// # Errors
/// [`TlsError`], which names the setting and the file.
pub(crate) fn server_config(listen: &Listen) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let (Some(certificate), Some(key)) = (&listen.tls_certificate, &listen.tls_key) else {
        return Ok(None);
    };
    let provider = provider();
    let chain = certificates(CERTIFICATE, certificate)?;
    for one in &chain {
        ParsedCertificate::try_from(one)
            .map_err(|source| unusable(CERTIFICATE, certificate, source))?;
    }
    let private = provider
        .key_provider
        .load_private_key(private_key(KEY, key)?)
        .map_err(|source| unusable(KEY, key, source))?;
    let identity = CertifiedKey::new(chain, private);
    match identity.keys_match() {
        Ok(()) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(TlsError::Mismatch { certificate: certificate.clone(), key: key.clone() });
        }
        Err(source) => return Err(unusable(CERTIFICATE, certificate, source)),
    }
    Ok(Some(Arc::new(config(identity, provider)?)))
}

fn unusable(setting: &'static str, path: &Path, source: rustls::Error) -> TlsError {
    TlsError::Unusable { setting, path: path.to_owned(), source }
}

fn config(identity: CertifiedKey, provider: Arc<CryptoProvider>) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(VERSIONS)
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity)));
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    // Nothing is resumed: connections are few and long, and a ticket's key would outlive their secrets.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// HTTP/2 in a handshake. Spec: RFC 7301, RFC 9113 §3.1.
pub(crate) const H2: &[u8] = b"h2";
/// HTTP/1.1 in a handshake. Spec: RFC 7301.
pub(crate) const HTTP_1_1: &[u8] = b"http/1.1";
const CERTIFICATE: &str = "listen.tls_certificate";
const KEY: &str = "listen.tls_key";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::{Files, identity};

    fn listen(certificate: std::path::PathBuf, key: std::path::PathBuf) -> Listen {
        Listen { tls_certificate: Some(certificate), tls_key: Some(key), ..Listen::default() }
    }

    #[test]
    fn a_certificate_and_its_key_are_served() {
        let files = Files::new();
        let (certificate, key) = identity("localhost");
        let listen = listen(
            files.write("cert.pem", certificate.as_bytes(), 0o644),
            files.write("key.pem", key.as_bytes(), 0o600),
        );
        let config = server_config(&listen).unwrap().unwrap();
        assert_eq!(config.alpn_protocols, [H2.to_vec(), HTTP_1_1.to_vec()]);
        assert_eq!(config.send_tls13_tickets, 0);
        assert!(!config.ticketer.enabled() && !config.session_storage.can_cache());
        assert!(server_config(&Listen::default()).unwrap().is_none());
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_by_name() {
        let files = Files::new();
        let ((certificate, _), (_, key)) = (identity("localhost"), identity("localhost"));
        let listen = listen(
            files.write("cert.pem", certificate.as_bytes(), 0o644),
            files.write("key.pem", key.as_bytes(), 0o600),
        );
        let error = server_config(&listen).unwrap_err();
        let path = |name: &str| files.path().join(name).display().to_string();
        assert_eq!(
            error.to_string(),
            format!(
                "listen.tls_key {} is not the key of the first certificate in listen.tls_certificate {}",
                path("key.pem"),
                path("cert.pem")
            )
        );
    }

    #[test]
    fn what_only_looks_like_a_certificate_or_key_is_refused_by_name() {
        let files = Files::new();
        let (certificate, key) = identity("localhost");
        let good_certificate = files.write("cert.pem", certificate.as_bytes(), 0o644);
        let good_key = files.write("key.pem", key.as_bytes(), 0o600);
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let certificate = files.write("bad.pem", pem("CERTIFICATE").as_bytes(), 0o644);
        let key = files.write("bad.key", pem("PRIVATE KEY").as_bytes(), 0o600);
        for (listen, named) in [
            (listen(certificate, good_key), "listen.tls_certificate"),
            (listen(good_certificate, key), "listen.tls_key"),
        ] {
            let error = server_config(&listen).unwrap_err();
            assert!(
                matches!(error, TlsError::Unusable { setting, .. } if setting == named),
                "{error}"
            );
        }
    }
}
