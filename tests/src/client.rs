//! An HTTP client that shows everything: also how far a body came before its connection broke.

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A client of one server. Each call has a connection of its own, so that a killed daemon leaves nothing behind.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    inner: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Why the body ended too early, if it did.
    pub cut: Option<String>,
}

impl Client {
    /// Makes a client of a base URL.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let inner = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build_http();
        Self { base: base.to_owned(), inner }
    }

    /// Sends a GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Reply> {
        self.send(Method::GET, path, headers, "").await
    }

    /// Sends a request and reads the answer to its end, whatever that is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<Reply> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned())))?;
        let answer = self.inner.request(request).await?;
        let (parts, mut incoming) = answer.into_parts();
        let mut body = Vec::new();
        let mut cut = None;
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => body.extend(frame.into_data().unwrap_or_default()),
                Err(error) => {
                    cut = Some(error.to_string());
                    break;
                }
            }
        }
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body, cut })
    }
}

impl Reply {
    /// Returns the body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{} is no JSON: {}", self.status, self.text()))
    }

    /// Returns a header's text; empty when it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Says whether the whole body of a success came.
    #[must_use]
    pub fn complete(&self) -> bool {
        (200..300).contains(&self.status) && self.cut.is_none()
    }
}
