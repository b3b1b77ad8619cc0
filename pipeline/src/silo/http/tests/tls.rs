//! Whose certificate is believed: one of the authority that settings name, for the service's name, of today.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use antumbra_config::{HttpAuth, SecretRef};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, crypto};
use tokio_rustls::TlsAcceptor;

use super::stub::{Stub, json};
use super::{endpoint, ids, items, read, refused, section, settings, silo};
use crate::SiloError;
use crate::silo::http::HttpSilo;
use crate::silo::{Identifiers, Silo as _};

/// An authority of this test.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, &self.pem).unwrap();
        path
    }

    /// A service with a certificate for `name` that ends with a year.
    async fn service(&self, name: &str, last: i32) -> (Stub, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name = named("the service");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config =
            ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let stub = Stub::start_tls(acceptor, |_, _| json(&items(0..3))).await;
        let url = format!("https://127.0.0.1:{}", stub.address.port());
        (stub, url)
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CommonName, name);
    all
}

fn with_ca(url: &str, ca: Option<PathBuf>) -> antumbra_config::HttpSilo {
    let mut settings = settings(url);
    settings.ca = ca;
    settings.auth = HttpAuth::Bearer(SecretRef::Env("API_SECRET".to_owned()));
    settings
}

#[tokio::test]
async fn only_the_named_authority_is_believed_and_only_for_this_name_and_today() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let ca = ours.write(folder.path(), "ours.pem");
    let other = others.write(folder.path(), "others.pem");
    let (good, url) = ours.service("127.0.0.1", 4000).await;
    let plain = section(&endpoint("/x", &[]));
    let trusting = silo(&with_ca(&url, Some(ca.clone())));
    let (_, batches) = read(&trusting, &plain, &Identifiers::new()).await.unwrap();
    assert_eq!(ids(&batches), [0, 1, 2]);
    let asked = good.received();
    assert_eq!(asked[0].header("authorization"), Some("Bearer canary-secret"));
    let (misnamed, of_another) = ours.service("api.example", 4000).await;
    let (expired, of_yesterday) = ours.service("127.0.0.1", 2021).await;
    for (stub, url, ca) in [
        (&good, &url, Some(other)),
        (&good, &url, None),
        (&misnamed, &of_another, Some(ca.clone())),
        (&expired, &of_yesterday, Some(ca)),
    ] {
        let before = stub.received().len();
        let settings = with_ca(url, ca);
        let error = refused(&settings, &endpoint("/x", &[])).await;
        assert!(
            matches!(&error, SiloError::Settings { what } if what.contains("certificate")),
            "{error}"
        );
        let mut session = silo(&settings).connect().await.unwrap();
        let error = session.explain(&plain, &Identifiers::new()).await.unwrap_err();
        assert_eq!(error.code(), "silo_settings");
        assert_eq!(stub.received().len(), before, "nothing is sent, no secret either");
    }
}

#[tokio::test]
async fn a_file_of_authorities_that_is_none_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("empty.pem", ""),
        ("text.pem", "canary"),
        ("junk.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut settings = settings("https://127.0.0.1:1");
        settings.ca = Some(path);
        let error = HttpSilo::new(&settings, &[]).unwrap_err();
        assert!(error.starts_with("ca ") && !error.contains("canary"), "{error}");
    }
    let mut settings = settings("https://127.0.0.1:1");
    settings.ca = Some(folder.path().join("missing.pem"));
    assert!(HttpSilo::new(&settings, &[]).is_err());
}
