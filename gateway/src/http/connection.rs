//! One connection: its task, its span, its handshake, its ways to end early.

use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use antumbra_config::Listen;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::activity::{Activity, Verdict, Watch};
use super::idle::Impatient;
use super::protocol::{Graceful, Protocols};
use super::stack::Stack;
use crate::tls::H2;

/// Serves connections, whatever they are made of.
pub(super) struct Connections {
    protocols: Protocols,
    tls: Option<TlsAcceptor>,
    header_timeout: Duration,
    write_timeout: Duration,
    tasks: TaskTracker,
    drain: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    /// Prepares serving: TLS with `tls`, plain HTTP/1.1 without. `drain` lets a request in flight finish, `cut` does not.
    ///
    /// A client that does not finish its handshake or sends no headers for `listen.header_timeout`, or takes nothing of an
    /// answer for `listen.request_timeout`, loses its connection: none keeps a permit for ever.
    pub(super) fn new(
        stack: Stack,
        listen: &Listen,
        tls: Option<Arc<ServerConfig>>,
        tasks: TaskTracker,
        drain: CancellationToken,
        cut: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            protocols: Protocols::new(stack, listen, tasks.clone()),
            tls: tls.map(TlsAcceptor::from),
            header_timeout: listen.header_timeout.duration(),
            write_timeout: listen.request_timeout.duration(),
            tasks,
            drain,
            cut,
        })
    }

    /// Serves a connection on a tracked task; `permit` is given back when it ends.
    pub(super) fn spawn<IO, P>(self: &Arc<Self>, io: IO, peer: SocketAddr, permit: P)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        P: Send + 'static,
    {
        let this = Arc::clone(self);
        let span = tracing::debug_span!("connection", %peer);
        let task = async move {
            this.serve(io).await;
            drop(permit);
        };
        // The tracker waits for it; nothing else needs its handle.
        drop(self.tasks.spawn(task.instrument(span)));
    }

    async fn serve<IO>(&self, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = Impatient::new(io, self.write_timeout);
        let Some(tls) = &self.tls else {
            return self.drive(self.protocols.http1(io), None).await;
        };
        let activity = Activity::new();
        let Some(stream) = self.handshake(tls, io.noting(Arc::clone(&activity))).await else {
            return;
        };
        if stream.get_ref().1.alpn_protocol() == Some(H2) {
            activity.stamp();
            let connection = self.protocols.http2(stream, Arc::clone(&activity));
            let watch = Watch::new(activity, self.header_timeout, self.write_timeout);
            self.drive(connection, Some(watch)).await;
        } else {
            self.drive(self.protocols.http1(stream), None).await;
        }
    }

    /// Shakes hands. Whoever speaks something else, plain HTTP for one, is hung up on.
    async fn handshake<IO>(&self, tls: &TlsAcceptor, io: IO) -> Option<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let shaken = tokio::select! {
            shaken = timeout(self.header_timeout, tls.accept(io)) => shaken,
            () = self.drain.cancelled() => return None,
        };
        match shaken {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(%error, "no TLS handshake"),
            Err(_) => tracing::debug!("the TLS handshake took too long"),
        }
        None
    }

    /// Serves a connection until it ends, stands still or is cut.
    async fn drive<C, E>(&self, connection: C, mut watch: Option<Watch>)
    where
        C: Future<Output = Result<(), E>> + Graceful,
        E: Display,
    {
        let mut connection = pin!(connection);
        let mut draining = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection ended with an error");
                    }
                    return;
                }
                () = self.drain.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().say_goodbye();
                }
                () = self.cut.cancelled() => {
                    tracing::debug!("connection cut");
                    return;
                }
                verdict = stands_still(&mut watch) => match verdict {
                    Verdict::Close => connection.as_mut().say_goodbye(),
                    Verdict::Cut => {
                        tracing::debug!("connection stands still: cut");
                        return;
                    }
                }
            }
        }
    }
}

async fn stands_still(watch: &mut Option<Watch>) -> Verdict {
    match watch {
        Some(watch) => watch.verdict().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::sync::Notify;
    use tokio::time::Instant;

    use super::*;
    use crate::http::{RequestBody, full};

    /// A connection whose handler answers when it is told to.
    struct Line {
        client: DuplexStream,
        tasks: TaskTracker,
        drain: CancellationToken,
        cut: CancellationToken,
        asked: Arc<Notify>,
        answer: Arc<Notify>,
    }

    impl Line {
        fn open() -> Self {
            Self::answering("done".to_owned())
        }

        fn answering(text: String) -> Self {
            let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let (told, wait) = (Arc::clone(&asked), Arc::clone(&answer));
            let stack = tower::service_fn(move |_: Request<RequestBody>| {
                let (told, wait, text) = (Arc::clone(&told), Arc::clone(&wait), text.clone());
                async move {
                    told.notify_one();
                    wait.notified().await;
                    Ok(Response::new(full(text)))
                }
            });
            let (tasks, drain, cut) =
                (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
            let connections = Connections::new(
                Stack::new(stack),
                &Listen::default(),
                None,
                tasks.clone(),
                drain.clone(),
                cut.clone(),
            );
            let (client, server) = tokio::io::duplex(1024);
            connections.spawn(server, "127.0.0.1:9".parse().unwrap(), ());
            tasks.close();
            Self { client, tasks, drain, cut, asked, answer }
        }

        async fn ask(&mut self) {
            self.client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            self.asked.notified().await;
        }

        /// Reads until the server closes.
        async fn rest(&mut self) -> String {
            let mut text = String::new();
            self.client.read_to_string(&mut text).await.unwrap();
            text
        }
    }

    #[tokio::test(start_paused = true)]
    async fn draining_lets_a_request_in_flight_finish_and_then_closes() {
        let mut line = Line::open();
        line.ask().await;
        line.drain.cancel();
        line.answer.notify_one();
        let text = line.rest().await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("done"), "{text}");
        line.tasks.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn draining_closes_an_idle_connection_at_once() {
        let mut line = Line::open();
        line.ask().await;
        line.answer.notify_one();
        let mut answer = vec![0; 16];
        line.client.read_exact(&mut answer).await.unwrap();
        let start = Instant::now();
        line.drain.cancel();
        line.rest().await;
        line.tasks.wait().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn cutting_ends_a_request_that_does_not_finish() {
        let mut line = Line::open();
        line.ask().await;
        line.drain.cancel();
        line.cut.cancel();
        assert_eq!(line.rest().await, "");
        line.tasks.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_its_headers_too_slowly_is_cut() {
        let mut line = Line::open();
        let start = Instant::now();
        line.client.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        line.rest().await;
        line.tasks.wait().await;
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answer_is_cut() {
        let mut line = Line::answering("x".repeat(100_000));
        line.ask().await;
        line.answer.notify_one();
        let start = Instant::now();
        let ended = timeout(Duration::from_secs(600), line.tasks.wait()).await;
        assert!(ended.is_ok(), "the connection stays open");
        assert_eq!(start.elapsed().as_secs(), 60);
        assert!(line.rest().await.len() < 100_000);
    }
}
