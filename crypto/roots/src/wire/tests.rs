//! The client against servers that misbehave.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antumbra_crypto::Retry;
use bytes::Bytes;
use http::Request;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, crypto};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::Error;
use crate::stub::{Reply, Stub};

/// Long enough for a machine under load.
const PATIENT: Duration = Duration::from_secs(60);

fn client(trust: Trust<'_>, timeout: Duration) -> Client {
    Client::new(trust, timeout).unwrap()
}

async fn get(client: &Client, url: &str) -> Result<Answer, Error> {
    client.send(Request::get(url).body(Bytes::new()).unwrap()).await
}

async fn fault(client: &Client, url: &str) -> (&'static str, Retry) {
    let error = get(client, url).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    (error.code(), error.retry())
}

#[tokio::test]
async fn redirect_is_an_answer_and_not_followed() {
    let stub = Stub::start(|_, _| Reply::Redirect("/elsewhere".to_owned())).await;
    let answer = get(&client(Trust::Nobody, PATIENT), &stub.url()).await.unwrap();
    assert_eq!((answer.status.as_u16(), stub.count()), (302, 1));
}

#[tokio::test]
async fn longest_answer_is_read_and_a_longer_one_is_not() {
    for (len, fits) in [(64 * 1024, true), (64 * 1024 + 1, false), (10 * 1024 * 1024, false)] {
        let stub = Stub::start(move |_, _| Reply::Is(200, "x".repeat(len))).await;
        match get(&client(Trust::Nobody, PATIENT), &stub.url()).await {
            Ok(answer) => assert!(fits && answer.body.len() == len, "{len}"),
            Err(error) => assert!(!fits && error.code() == "root_answer_malformed", "{error:?}"),
        }
    }
}

#[tokio::test]
async fn silence_and_broken_connections_are_passing() {
    let stub = Stub::start(|_, _| Reply::Hang).await;
    let hasty = client(Trust::Nobody, Duration::from_millis(50));
    assert_eq!(fault(&hasty, &stub.url()).await, ("root_timeout", Retry::Later));

    let patient = client(Trust::Nobody, PATIENT);
    let stub = Stub::start(|_, _| Reply::Break).await;
    assert_eq!(fault(&patient, &stub.url()).await, ("root_unreachable", Retry::Later));

    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}");
    assert_eq!(fault(&patient, &url).await, ("root_unreachable", Retry::Later));
}

/// A server with a certificate of its own, and that certificate in PEM.
async fn tls_stub(name: &str) -> (Stub, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    (Stub::start_tls(acceptor, |_, _| Reply::Is(200, "ok".to_owned())).await, cert.pem())
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn certificate_is_believed_only_from_the_given_authorities() {
    let folder = tempfile::tempdir().unwrap();
    let (stub, pem) = tls_stub("127.0.0.1").await;
    let (_, stranger) = tls_stub("127.0.0.1").await;
    let url = format!("https://127.0.0.1:{}", stub.port);

    let ca = write(folder.path(), "ca.pem", &pem);
    let answer = get(&client(Trust::File(&ca), PATIENT), &url).await.unwrap();
    assert_eq!(answer.body.expose(), b"ok");

    let untrusted = ("root_untrusted", Retry::Operator);
    let other = write(folder.path(), "other.pem", &stranger);
    assert_eq!(fault(&client(Trust::File(&other), PATIENT), &url).await, untrusted);
    assert_eq!(fault(&client(Trust::Nobody, PATIENT), &url).await, untrusted);
    assert_eq!(stub.count(), 1);

    let (misnamed, pem) = tls_stub("vault.internal").await;
    let ca = write(folder.path(), "misnamed.pem", &pem);
    let url = format!("https://127.0.0.1:{}", misnamed.port);
    assert_eq!(fault(&client(Trust::File(&ca), PATIENT), &url).await, untrusted);
}

#[tokio::test]
async fn plain_server_behind_an_https_address_is_not_talked_to() {
    let stub = Stub::start(|_, _| Reply::Is(200, String::new())).await;
    let url = format!("https://127.0.0.1:{}", stub.port);
    let (code, _) = fault(&client(Trust::Nobody, PATIENT), &url).await;
    assert_eq!((code, stub.count()), ("root_unreachable", 0));
}

#[test]
fn certificate_file_without_certificates_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [
        write(folder.path(), "empty.pem", ""),
        write(folder.path(), "text.pem", "no certificate"),
        write(folder.path(), "cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
        write(
            folder.path(),
            "junk.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        folder.path().join("missing.pem"),
    ];
    for path in paths {
        let error = Client::new(Trust::File(&path), PATIENT).unwrap_err();
        assert_eq!((error.code(), error.retry()), ("ca_file_unusable", Retry::Operator));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
}
