//! How are figures handed out? Plain HTTP/1.1, one path, nobody asked for a key.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use antumbra_config::Metrics;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::recorder::recorder;
use crate::http::accept;

/// A bound listener and the figures it shows.
pub(crate) struct MetricsListener {
    listener: TcpListener,
    address: SocketAddr,
    figures: PrometheusHandle,
}

impl MetricsListener {
    /// Binds `metrics.listen` and has figures counted from now on; `None` if settings name no address.
    pub(crate) async fn open(settings: &Metrics) -> Result<Option<Self>, (SocketAddr, io::Error)> {
        let Some(address) = settings.listen else { return Ok(None) };
        let failed = |error| (address, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let taken = || failed(io::Error::other("the figures of this process are kept elsewhere"));
        let figures = recorder().ok_or_else(taken)?;
        Ok(Some(Self { listener, address: bound, figures }))
    }

    /// Returns the address that it answers at.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`, then lets answers in flight finish; for a few seconds at most.
    pub(crate) async fn serve(self, shutdown: CancellationToken) {
        tracing::info!(address = %self.address, "metrics are answered");
        let tasks = TaskTracker::new();
        accept(self.listener, CONNECTIONS, &shutdown, |stream, _peer, permit| {
            let (figures, shutdown) = (self.figures.clone(), shutdown.clone());
            let connection = async move {
                // Whoever neither asks nor reads loses the connection.
                if timeout(LONGEST, converse(stream, figures, shutdown)).await.is_err() {
                    tracing::debug!("a connection for metrics was cut");
                }
                drop(permit);
            };
            // The tracker waits for it; nothing else needs its handle.
            drop(tasks.spawn(connection));
        })
        .await;
        tasks.close();
        if timeout(LAST_WORDS, tasks.wait()).await.is_err() {
            tracing::debug!(connections = tasks.len(), "connections for metrics are left");
        }
    }
}

impl fmt::Debug for MetricsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsListener").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn converse(stream: TcpStream, figures: PrometheusHandle, shutdown: CancellationToken) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &figures);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection for metrics ended with an error");
    }
}

fn answer(method: &Method, path: &str, figures: &PrometheusHandle) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if path != PATH {
        *answer.status_mut() = StatusCode::NOT_FOUND;
    } else if method != Method::GET && method != Method::HEAD {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    } else {
        headers.insert(CONTENT_TYPE, TEXT);
        figures.run_upkeep();
        *answer.body_mut() = Full::new(figures.render().into());
    }
    answer
}

const PATH: &str = "/metrics";
/// Spec: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// Monitoring systems are few.
const CONNECTIONS: usize = 16;
/// The head of a request, and nothing else, is read.
const BUFFER: usize = 16 << 10;
/// How long the head of a request may take, and a connection may be idle between two.
const HEADERS: Duration = Duration::from_secs(10);
/// How long a connection may last.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How long answers in flight may take when the daemon stops.
const LAST_WORDS: Duration = Duration::from_secs(5);
