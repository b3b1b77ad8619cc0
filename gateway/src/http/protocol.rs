//! HTTP/1.1 and HTTP/2 on a connection: hyper's two servers, their limits, and the stack as they call it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use antumbra_config::Listen;
use futures::TryFutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use super::activity::Activity;
use super::stack::Stack;
use super::{Body, BoxError, RequestBody};

/// Both protocols, set up.
pub(super) struct Protocols {
    stack: Stack,
    http1: http1::Builder,
    http2: http2::Builder<Tracked>,
}

impl Protocols {
    /// Sets both up. Requests of HTTP/2 run on `tasks`.
    pub(super) fn new(stack: Stack, listen: &Listen, tasks: TaskTracker) -> Self {
        let mut http1 = http1::Builder::new();
        // Also ends connections that are idle between requests.
        http1.timer(TokioTimer::new()).header_read_timeout(listen.header_timeout.duration());
        let mut http2 = http2::Builder::new(Tracked(tasks));
        // No PINGs of ours: `Activity` finds connections that stand still, and PINGs would look like progress.
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADERS)
            .initial_stream_window_size(UPLOAD)
            .initial_connection_window_size(4 * UPLOAD)
            .max_send_buf_size(SEND_BUFFER)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(ERRORS);
        Self { stack, http1, http2 }
    }

    /// Serves HTTP/1.1.
    pub(super) fn http1<IO>(&self, io: IO) -> http1::Connection<TokioIo<IO>, OneConnection>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let service = OneConnection { stack: self.stack.clone(), activity: None };
        self.http1.serve_connection(TokioIo::new(io), service)
    }

    /// Serves HTTP/2 and notes what happens.
    pub(super) fn http2<IO>(
        &self,
        io: IO,
        activity: Arc<Activity>,
    ) -> http2::Connection<TokioIo<IO>, OneConnection, Tracked>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let service = OneConnection { stack: self.stack.clone(), activity: Some(activity) };
        self.http2.serve_connection(TokioIo::new(io), service)
    }
}

/// A connection that can be asked to end.
pub(super) trait Graceful {
    /// Lets requests in flight finish, takes no new ones, and then closes.
    fn say_goodbye(self: Pin<&mut Self>);
}

impl<IO> Graceful for http1::Connection<TokioIo<IO>, OneConnection>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    fn say_goodbye(self: Pin<&mut Self>) {
        Self::graceful_shutdown(self);
    }
}

impl<IO> Graceful for http2::Connection<TokioIo<IO>, OneConnection, Tracked>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    fn say_goodbye(self: Pin<&mut Self>) {
        Self::graceful_shutdown(self);
    }
}

/// The stack as hyper calls it.
pub(super) struct OneConnection {
    stack: Stack,
    activity: Option<Arc<Activity>>,
}

impl hyper::service::Service<Request<Incoming>> for OneConnection {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let request = request.map(|body| RequestBody::new(body.map_err(BoxError::from)));
        let answer = self.stack.clone().oneshot(request);
        match self.activity.as_ref().map(Activity::request) {
            None => Box::pin(answer),
            Some(answering) => {
                Box::pin(answer.map_ok(|answer| answer.map(|body| answering.body(body))))
            }
        }
    }
}

/// Runs the requests of HTTP/2 connections where the gateway waits for them.
#[derive(Debug, Clone)]
pub(super) struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        // The connection answers for it; nothing else needs its handle.
        drop(self.0.spawn(request.in_current_span()));
    }
}

/// Requests at once on one connection.
const STREAMS: u32 = 64;
/// Bytes of a request's headers, names and all.
const HEADERS: u32 = 16 << 10;
/// Bytes of a request's body on their way; four times as many of all requests of a connection.
const UPLOAD: u32 = 256 << 10;
/// Bytes of one answer that wait to be sent, besides the piece that the answer is sent in.
const SEND_BUFFER: usize = 128 << 10;
/// Requests that a client takes back before they were looked at. More of them are a flood, and end the connection
/// (CVE-2023-44487).
const RESETS: usize = 20;
/// Requests that a client makes us take back by breaking the protocol. More of them end the connection (CVE-2025-8671).
const ERRORS: usize = 128;
