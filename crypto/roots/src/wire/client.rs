//! One try of one request.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use antumbra_crypto::SecretBytes;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client as Hyper};
use hyper_util::rt::TokioExecutor;
use zeroize::Zeroizing;

use super::Trust;
use crate::Error;

/// Sends requests and takes answers of at most [`MAX_BODY`] bytes.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: Hyper<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Client {
    /// Reads the certificates to trust. Blocks on I/O.
    pub(crate) fn new(trust: Trust<'_>, timeout: Duration) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust.config()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let inner = Hyper::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(4)
            .http1_max_buf_size(2 * MAX_BODY)
            .build(connector);
        Ok(Self { inner, timeout })
    }

    /// Sends a request and reads the whole answer, whatever its status, within the time of one
    /// try. A redirect is an answer like any other.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Answer, Error> {
        let host = host(request.uri());
        let exchange = self.exchange(request, &host);
        tokio::time::timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(Error::NoAnswer { host: host.clone(), limit: self.timeout }))
    }

    async fn exchange(&self, request: Request<Bytes>, host: &str) -> Result<Answer, Error> {
        let sent = self.inner.request(request.map(Full::new)).await;
        let (parts, body) = sent.map_err(|error| broken(host, error))?.into_parts();
        let body = read(body, host).await?;
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: SecretBytes,
}

async fn read(mut body: Incoming, host: &str) -> Result<SecretBytes, Error> {
    // Room for all of it from the beginning: a vector that grows leaves copies behind.
    let mut whole = Zeroizing::new(Vec::with_capacity(MAX_BODY));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Unreachable {
            host: host.to_owned(),
            source: Box::new(error),
        })?;
        let Some(data) = frame.data_ref() else { continue };
        if data.len() > MAX_BODY - whole.len() {
            return Err(Error::Answer { host: host.to_owned(), what: "it is too long" });
        }
        whole.extend_from_slice(data);
    }
    Ok(SecretBytes::from_slice(&whole))
}

/// Tells a bad certificate, which stays bad, from a network that is down.
fn broken(host: &str, error: legacy::Error) -> Error {
    let host = host.to_owned();
    match certificate_fault(&error) {
        Some(fault) => Error::Untrusted { host, source: Box::new(fault) },
        None => Error::Unreachable { host, source: Box::new(error) },
    }
}

fn certificate_fault(error: &(dyn StdError + 'static)) -> Option<rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An `io::Error` hides what it was made of from `source()`.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = match inner {
            Some(inner) => inner.downcast_ref::<rustls::Error>(),
            None => error.downcast_ref::<rustls::Error>(),
        };
        if let Some(fault @ rustls::Error::InvalidCertificate(_)) = tls {
            return Some(fault.clone());
        }
        next = match inner {
            Some(inner) if tls.is_none() => Some(inner),
            _ => error.source(),
        };
    }
    None
}

/// Host and port, without anything that could be secret.
fn host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Hundreds of times what a KMS or a vault says.
pub(crate) const MAX_BODY: usize = 64 * 1024;
