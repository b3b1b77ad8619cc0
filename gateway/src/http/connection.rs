//! One connection: its task, its span, its two ways to end early.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use antumbra_config::Listen;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use super::idle::Impatient;
use super::stack::Stack;
use super::{Body, BoxError, RequestBody};

/// Serves connections, whatever they are made of: a socket now, TLS over one later.
pub(super) struct Connections {
    stack: Stack,
    http: http1::Builder,
    write_timeout: Duration,
    tasks: TaskTracker,
    drain: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    /// Prepares serving. `drain` lets a request in flight finish, `cut` does not.
    ///
    /// A client that sends no headers for `listen.header_timeout`, or takes nothing of an answer for
    /// `listen.request_timeout`, loses its connection: neither keeps a permit for ever.
    pub(super) fn new(
        stack: Stack,
        listen: &Listen,
        tasks: TaskTracker,
        drain: CancellationToken,
        cut: CancellationToken,
    ) -> Self {
        let mut http = http1::Builder::new();
        // Also ends connections that are idle between requests.
        http.timer(TokioTimer::new()).header_read_timeout(listen.header_timeout.duration());
        let write_timeout = listen.request_timeout.duration();
        Self { stack, http, write_timeout, tasks, drain, cut }
    }

    /// Serves a connection on a tracked task; `permit` is given back when it ends.
    pub(super) fn spawn<IO, P>(&self, io: IO, peer: SocketAddr, permit: P)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        P: Send + 'static,
    {
        let service = OneConnection(self.stack.clone());
        let io = TokioIo::new(Impatient::new(io, self.write_timeout));
        let connection = self.http.serve_connection(io, service);
        let (drain, cut) = (self.drain.clone(), self.cut.clone());
        let span = tracing::debug_span!("connection", %peer);
        let task = async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = drain.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection.as_mut() => Some(ended),
                        () = cut.cancelled() => None,
                    }
                }
            };
            match ended {
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::debug!(%error, "connection ended with an error"),
                None => tracing::debug!("connection cut"),
            }
            drop(permit);
        };
        // The tracker waits for it; nothing else needs its handle.
        drop(self.tasks.spawn(task.instrument(span)));
    }
}

/// The stack as hyper calls it.
struct OneConnection(Stack);

impl hyper::service::Service<Request<Incoming>> for OneConnection {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let request = request.map(|body| RequestBody::new(body.map_err(BoxError::from)));
        Box::pin(self.0.clone().oneshot(request))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::sync::Notify;
    use tokio::time::Instant;

    use super::*;
    use crate::http::full;

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
        let ended = tokio::time::timeout(Duration::from_secs(600), line.tasks.wait()).await;
        assert!(ended.is_ok(), "the connection stays open");
        assert_eq!(start.elapsed().as_secs(), 60);
        assert!(line.rest().await.len() < 100_000);
    }
}
