//! Commands that ask a gateway over TLS, on a real socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::HttpClient;
use crate::http::Gateway;
use crate::http::testing::Rig;
use crate::tls::testing::{Files, identity};
use crate::tls::{Trust, server_config};

/// Serves a gateway with a certificate for `name` while `ask` asks it.
async fn asked<F>(name: &str, ask: impl FnOnce(SocketAddr, PathBuf) -> F)
where
    F: Future<Output = ()>,
{
    let files = Files::new();
    let rig = Rig::with(|settings| files.serve(&mut settings.listen, name)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = server_config(&rig.shared.settings().listen).unwrap();
    let gateway = Gateway::new(Arc::clone(rig.shared.engine())).with_tls(tls);
    let shutdown = CancellationToken::new();
    let asks = async {
        ask(address, files.path().join("cert.pem")).await;
        shutdown.cancel();
    };
    let (served, ()) = tokio::join!(gateway.serve(listener, shutdown.clone()), asks);
    served.unwrap();
}

/// Gets `/health`; the error is a whole line.
async fn health(url: &str, trust: &Trust) -> Result<String, String> {
    let line = |error: anyhow::Error| format!("{error:#}");
    let client = HttpClient::trusting(url, trust).map_err(line)?;
    client.get("/health").await.and_then(|reply| reply.success("health")).map_err(line)
}

#[tokio::test]
async fn a_command_believes_who_its_authorities_vouch_for() {
    asked("localhost", |address, certificate| async move {
        let trust = Trust::Authorities(certificate);
        let url = format!("https://localhost:{}", address.port());
        assert!(health(&url, &trust).await.unwrap().contains(r#""status":"ok""#));
        // The certificate is for a name, not for an address.
        let error = health(&format!("https://{address}"), &trust).await.unwrap_err();
        assert!(
            error.contains("does not answer") && error.contains("not valid for name"),
            "{error}"
        );
        let error = health(&url, &Trust::Machine).await.unwrap_err();
        assert!(error.contains("UnknownIssuer") || error.contains("authorities"), "{error}");
        assert!(health(&format!("http://{address}"), &trust).await.is_err(), "plain HTTP");
    })
    .await;
}

#[tokio::test]
async fn a_health_check_believes_the_configured_certificate_whatever_it_is_called() {
    asked("privacy.example", |address, certificate| async move {
        let url = format!("https://{address}");
        assert!(health(&url, &Trust::Exactly(certificate)).await.is_ok());
        let files = Files::new();
        let other = files.write("other.pem", identity("privacy.example").0.as_bytes(), 0o644);
        assert!(health(&url, &Trust::Exactly(other)).await.is_err(), "another certificate");
    })
    .await;
}
