//! A server over TLS without sockets.

use std::sync::Arc;

use antumbra_config::Listen;
use http::{Request, Response};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::io::DuplexStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::connection::Connections;
use crate::http::stack::Stack;
use crate::http::{Body, RequestBody, full};
use crate::tls::testing::Files;
use crate::tls::{Trust, client_config, server_config};

/// Serves connections of tests with a certificate for `localhost`.
pub(super) struct Server {
    connections: Arc<Connections>,
    files: Files,
    pub(super) tasks: TaskTracker,
    pub(super) drain: CancellationToken,
    pub(super) cut: CancellationToken,
}

impl Server {
    /// Answers "done".
    pub(super) fn new() -> Self {
        Self::answering(|_| async { Response::new(full("done")) })
    }

    pub(super) fn answering<F>(
        answer: impl Fn(Request<RequestBody>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let stack = tower::service_fn(move |request| {
            let answer = answer(request);
            async move { Ok(answer.await) }
        });
        let (files, mut listen) = (Files::new(), Listen::default());
        files.serve(&mut listen, "localhost");
        let tls = server_config(&listen).unwrap();
        let (tasks, drain, cut) =
            (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let connections = Connections::new(
            Stack::new(stack),
            &listen,
            tls,
            tasks.clone(),
            drain.clone(),
            cut.clone(),
        );
        Self { connections, files, tasks, drain, cut }
    }

    /// Opens a connection that nobody spoke on yet.
    pub(super) fn dial(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(1 << 20);
        self.connections.spawn(server, "127.0.0.1:9".parse().unwrap(), ());
        client
    }

    /// Returns settings of a client that believes this server and offers `protocols`.
    pub(super) fn client(&self, protocols: &[&[u8]]) -> ClientConfig {
        let mut config = client_config(&self.trust()).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config
    }

    /// As [`Self::client`], in one version only.
    pub(super) fn client_of(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        let pem = std::fs::read(self.files.path().join("cert.pem")).unwrap();
        roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::Authorities(self.files.path().join("cert.pem"))
    }
}

/// Shakes hands on a connection, as a client of `localhost`.
pub(super) async fn shake(
    config: impl Into<Arc<ClientConfig>>,
    stream: DuplexStream,
) -> std::io::Result<TlsStream<DuplexStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config.into()).connect(name, stream).await
}
