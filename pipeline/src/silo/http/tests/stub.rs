//! A service that answers what a test wants, byte by byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A server of this machine, gone with the test.
pub(super) struct Stub {
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    _stop: DropGuard,
}

/// A request.
#[derive(Clone)]
pub(super) struct Received {
    /// Method and target, such as `GET /x?page=2`.
    pub(super) line: String,
    /// Headers in lower case, a line each.
    pub(super) head: String,
    pub(super) body: String,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value)
    }

    /// A parameter of the query, as it was sent.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.line.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v)
    }
}

impl Stub {
    /// Answers each request with what `answer` makes of its number, from 0, and the request.
    pub(super) async fn start(
        answer: impl Fn(usize, &Received) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(None, answer).await
    }

    /// As [`start`](Self::start), behind TLS.
    pub(super) async fn start_tls(
        acceptor: TlsAcceptor,
        answer: impl Fn(usize, &Received) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(acceptor), answer).await
    }

    async fn listen(
        acceptor: Option<TlsAcceptor>,
        answer: impl Fn(usize, &Received) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (log, answer, token, workers) =
            (Arc::clone(&received), Arc::new(answer), stop.clone(), tasks.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                let acceptor = acceptor.clone();
                workers.spawn(token.clone().run_until_cancelled_owned(async move {
                    match acceptor {
                        None => serve(stream, log, answer).await,
                        Some(acceptor) => {
                            // Whoever does not believe the certificate goes away.
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            serve(stream, log, answer).await;
                        }
                    }
                }));
            }
        }));
        Self { address, received, _stop: stop.drop_guard() }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.received().into_iter().map(|received| received.line).collect()
    }
}

async fn serve<
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(usize, &Received) -> Vec<u8> + Send + Sync,
>(
    mut stream: S,
    log: Arc<Mutex<Vec<Received>>>,
    answer: Arc<A>,
) {
    let mut bytes = Vec::new();
    loop {
        let Some(received) = request(&mut stream, &mut bytes).await else { return };
        let number = {
            let mut log = log.lock().unwrap();
            log.push(received.clone());
            log.len() - 1
        };
        let reply = answer(number, &received);
        let reply = if received.line.starts_with("HEAD ") { head_of(reply) } else { reply };
        let closes = !reply.windows(15).any(|window| window == b"content-length:");
        if stream.write_all(&reply).await.is_err() || closes {
            return;
        }
    }
}

/// An answer up to its body.
fn head_of(mut reply: Vec<u8>) -> Vec<u8> {
    if let Some(end) = reply.windows(4).position(|window| window == b"\r\n\r\n") {
        reply.truncate(end + 4);
    }
    reply
}

async fn request<S: AsyncRead + Unpin>(stream: &mut S, bytes: &mut Vec<u8>) -> Option<Received> {
    loop {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let (line, head) = head.split_once("\r\n").unwrap_or((head, ""));
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
            });
            let length: usize = length.unwrap_or(0);
            if rest.len() >= length {
                let line = line.trim_end_matches(" HTTP/1.1").to_owned();
                let received =
                    Received { line, head: head.to_owned(), body: rest[..length].to_owned() };
                *bytes = rest.as_bytes()[length..].to_vec();
                return Some(received);
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// An answer with headers, each line ended by `\r\n`.
pub(super) fn reply(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Canary\r\n{headers}content-length:{}\r\n\r\n{body}", body.len())
        .into_bytes()
}

pub(super) fn json(body: &str) -> Vec<u8> {
    reply(200, "content-type: application/json\r\n", body)
}
