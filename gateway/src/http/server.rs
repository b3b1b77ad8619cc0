//! Serving on a socket until told to stop, then ending in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use antumbra_config::Listen;
use antumbra_pipeline::Engine;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Shared;
use super::accept::accept;
use super::connection::Connections;
use super::stack::stack;

/// The HTTP side of the daemon: accepts, admits, routes and answers.
#[derive(Debug)]
pub struct Gateway {
    engine: Arc<Engine>,
    tls: Option<Arc<ServerConfig>>,
}

impl Gateway {
    /// Prepares a gateway on an engine. Nothing is accepted before [`Self::serve`].
    #[must_use]
    pub const fn new(engine: Arc<Engine>) -> Self {
        Self { engine, tls: None }
    }

    /// Serves TLS with `tls`, if that is something.
    #[must_use]
    pub fn with_tls(self, tls: Option<Arc<ServerConfig>>) -> Self {
        Self { tls, ..self }
    }

    /// Serves on `listener` until `shutdown`, then drains: TLS with HTTP/1.1 and HTTP/2, or plain HTTP/1.1 without TLS.
    ///
    /// Draining accepts nothing new, closes idle connections, and lets requests in flight finish for
    /// `listen.drain_timeout`; what is still open then is cut. Returns when every connection ended and every download is
    /// recorded. Errors of `accept` (no file descriptors left, for one) are waited out.
    ///
    /// # Errors
    /// When the listener cannot say where it listens, or settings ask for TLS and there is none.
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting but leaves connections running; cancel `shutdown` instead.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let address = listener.local_addr()?;
        let tasks = TaskTracker::new();
        let listen = self.engine.settings().listen.clone();
        if listen.serves_tls() && self.tls.is_none() {
            return Err(io::Error::other("settings ask for TLS, and there is none"));
        }
        let base = base_url(&listen, address);
        let shared = Arc::new(Shared::new(self.engine, base, tasks.clone(), shutdown.clone()));

        let drain = CancellationToken::new();
        let cut = CancellationToken::new();
        let connections = Connections::new(
            stack(Arc::clone(&shared)),
            &listen,
            self.tls,
            tasks.clone(),
            drain.clone(),
            cut.clone(),
        );
        let most = usize::try_from(listen.max_connections.get()).unwrap_or(usize::MAX);
        accept(listener, most, &shutdown, move |stream, peer, permit| {
            connections.spawn(stream, peer, permit);
        })
        .await;

        drain.cancel();
        tasks.close();
        let patience = listen.drain_timeout.duration();
        tracing::info!(connections = tasks.len(), ?patience, "draining");
        if tokio::time::timeout(patience, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "cutting what is still open");
            cut.cancel();
        }
        // Cut connections record their downloads as they go.
        if tokio::time::timeout(LAST_WORDS, tasks.wait()).await.is_err() {
            tracing::warn!(tasks = tasks.len(), "leaving with tasks unfinished");
        }
        Ok(())
    }
}

/// Returns what links begin with: the public URL, or the one that callers on this machine reach the address by.
fn base_url(listen: &Listen, address: SocketAddr) -> String {
    if let Some(url) = &listen.public_url {
        return url.as_str().to_owned();
    }
    let scheme = if listen.serves_tls() { "https" } else { "http" };
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}

/// How long records of cut downloads may take.
const LAST_WORDS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::http::testing::Rig;

    async fn ask(stream: &mut TcpStream, close: bool) -> String {
        let connection = if close { "close" } else { "keep-alive" };
        let request =
            format!("GET /health HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        while !text.ends_with('}') {
            let mut piece = [0; 512];
            let len = stream.read(&mut piece).await.unwrap();
            assert!(len > 0, "closed after {text:?}");
            text.push_str(std::str::from_utf8(&piece[..len]).unwrap());
        }
        text
    }

    #[tokio::test]
    async fn a_gateway_serves_at_most_its_connections_and_returns_when_told() {
        let rig = Rig::with(|settings| {
            settings.listen.max_connections = serde_json::from_value(1.into()).unwrap();
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let gateway = Gateway::new(Arc::clone(rig.shared.engine()));
        let client = async {
            let mut first = TcpStream::connect(address).await.unwrap();
            assert!(ask(&mut first, false).await.starts_with("HTTP/1.1 200 OK"));
            // The second waits in the queue until the first leaves.
            let mut second = TcpStream::connect(address).await.unwrap();
            let early = tokio::time::timeout(Duration::from_millis(50), ask(&mut second, true));
            assert!(early.await.is_err());
            drop(first);
            let mut third = TcpStream::connect(address).await.unwrap();
            assert!(ask(&mut third, false).await.starts_with("HTTP/1.1 200 OK"));
            shutdown.cancel();
            let mut rest = String::new();
            third.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "", "an idle connection is closed");
        };
        let (served, ()) = tokio::join!(gateway.serve(listener, shutdown.clone()), client);
        served.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
    }

    #[test]
    fn links_point_to_where_the_gateway_listens() {
        let mut listen = Listen::default();
        let url = |listen: &Listen, address: &str| base_url(listen, address.parse().unwrap());
        assert_eq!(url(&listen, "127.0.0.1:5039"), "http://127.0.0.1:5039");
        assert_eq!(url(&listen, "[::1]:80"), "http://[::1]:80");
        assert_eq!(url(&listen, "0.0.0.0:80"), "http://localhost:80");
        assert_eq!(url(&listen, "[::]:80"), "http://localhost:80");
        listen.tls_certificate = Some("cert.pem".into());
        listen.tls_key = Some("key.pem".into());
        assert_eq!(url(&listen, "127.0.0.1:5039"), "https://127.0.0.1:5039");
        assert_eq!(url(&listen, "[::]:443"), "https://localhost:443");
        listen.public_url = Some("https://privacy.example/x/".parse().unwrap());
        assert_eq!(url(&listen, "0.0.0.0:443"), "https://privacy.example/x");
    }

    #[tokio::test]
    async fn a_gateway_that_should_serve_tls_serves_nothing_without() {
        let rig = Rig::with(|settings| {
            settings.listen.tls_certificate = Some("cert.pem".into());
            settings.listen.tls_key = Some("key.pem".into());
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Gateway::new(Arc::clone(rig.shared.engine()));
        assert!(gateway.serve(listener, CancellationToken::new()).await.is_err());
    }
}
