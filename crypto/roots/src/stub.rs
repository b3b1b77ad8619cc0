//! A server in this process that answers as a test tells it to.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Listens on a free port until it is dropped.
pub(crate) struct Stub {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

/// A request that came.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the server does.
pub(crate) enum Reply {
    /// A status and a body.
    Is(u16, String),
    /// 302 to this place.
    Redirect(String),
    /// Nothing, for ever.
    Hang,
    /// Half of an answer.
    Break,
}

impl Stub {
    /// Calls `reply` with the number of the request, from 0, and the request.
    pub(crate) async fn start(
        reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(None, reply).await
    }

    /// The same behind TLS.
    pub(crate) async fn start_tls(
        tls: TlsAcceptor,
        reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(tls), reply).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen().len()
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Shared { seen: Arc::clone(&seen), reply: Box::new(reply) });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                connections.spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                serve(socket, shared).await;
                            }
                        }
                        None => serve(socket, shared).await,
                    }
                });
            }
        });
        Self { port, seen, _tasks: tasks }
    }
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("plain text"))
    }
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Is(status, body.to_string())
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stub({})", self.port)
    }
}

type Answers = Box<dyn Fn(usize, &Seen) -> Reply + Send + Sync>;

struct Shared {
    seen: Arc<Mutex<Vec<Seen>>>,
    reply: Answers,
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(request, Arc::clone(&shared)));
    // A client that leaves is no fault of the server.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let seen = Seen { path: parts.uri.path().to_owned(), headers: parts.headers, body };
    let number = {
        let mut all = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen.clone());
        all.len() - 1
    };
    let response = Response::builder();
    let response = match (shared.reply)(number, &seen) {
        Reply::Is(status, body) => response.status(status).body(Full::from(body)),
        Reply::Redirect(to) => response.status(302).header("location", to).body(Full::default()),
        Reply::Hang => match pending::<Infallible>().await {},
        Reply::Break => return Err(io::Error::other("broken on purpose")),
    };
    Ok(response.expect("statuses and headers of tests are valid"))
}
