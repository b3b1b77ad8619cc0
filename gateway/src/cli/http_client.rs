//! How does a command talk to a daemon? A small HTTP/1.1 client, over TLS or on this machine without.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::tls::{Connector, Trust, client_config};

/// Asks one daemon.
#[derive(Debug)]
pub(crate) struct HttpClient {
    client: Client<Connector, Full<Bytes>>,
    base: String,
    headers: HeaderMap,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl HttpClient {
    /// Makes a client of the daemon at `base`: `https://privacy.example` if the machine's authorities vouch for it, or
    /// `http://127.0.0.1:5039`. Blocks: reads the machine's authorities.
    ///
    /// # Errors
    /// When `base` is not the address of a server, or plain HTTP would leave the machine.
    pub(crate) fn new(base: &str) -> anyhow::Result<Self> {
        Self::trusting(base, &Trust::Machine)
    }

    /// As [`Self::new`], and believes who `trust` says.
    ///
    /// # Errors
    /// As [`Self::new`], and when what `trust` names cannot be read.
    pub(crate) fn trusting(base: &str, trust: &Trust) -> anyhow::Result<Self> {
        let client = Self::even_in_clear(base, trust)?;
        let uri = &client.base;
        ensure!(
            uri.starts_with("https:") || is_loopback(uri),
            "{uri} would send keys and data in clear: use https://"
        );
        Ok(client)
    }

    /// As [`Self::trusting`], and lets plain HTTP leave the machine: for what is no secret, or whoever says so in so many words.
    ///
    /// # Errors
    /// When `base` is not the address of a server, or what `trust` names cannot be read.
    pub(crate) fn even_in_clear(base: &str, trust: &Trust) -> anyhow::Result<Self> {
        // Not quoted: a password would be beside the user.
        ensure!(!base.contains('@'), "the URL names a user; keys are not part of it");
        let base = base.trim_end_matches('/');
        let uri: http::Uri = base.parse().with_context(|| format!("{base} is not a URL"))?;
        let named = uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none();
        let tls = match uri.scheme_str() {
            Some("https") if named => Some(client_config(trust)?),
            Some("http") if named => None,
            _ => bail!("{base} is not an https:// or http:// URL"),
        };
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(Connector::new(tls)),
            base: base.to_owned(),
            headers: HeaderMap::new(),
        })
    }

    /// Sends `Bearer <secret>` with every request; it is never printed.
    ///
    /// # Errors
    /// When the secret has characters that no header can carry.
    pub(crate) fn with_bearer(mut self, name: &'static str, secret: &str) -> anyhow::Result<Self> {
        let mut value = HeaderValue::try_from(format!("Bearer {secret}"))
            .ok()
            .with_context(|| format!("the key for {name} is not one line of text"))?;
        value.set_sensitive(true);
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// Gets a path.
    ///
    /// # Errors
    /// When no answer arrives in time; an answer with an error status is an answer.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.whole(Method::GET, path, Bytes::new()).await
    }

    /// Posts JSON to a path.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.whole(Method::POST, path, Bytes::from(body.to_string())).await
    }

    /// Downloads to a file of the owner's, which appears once it is complete and on the disk. Returns its length.
    ///
    /// # Errors
    /// When the answer is an error, ends early, or stands still for half a minute. No file is left then.
    pub(crate) async fn download(&self, path: &str, to: &Path) -> anyhow::Result<u64> {
        let mut unfinished = to.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = Path::new(&unfinished);
        let ended = self.download_to(path, unfinished).await;
        match &ended {
            Ok(_) => tokio::fs::rename(unfinished, to)
                .await
                .with_context(|| format!("cannot write {}", to.display()))?,
            Err(_) => drop(tokio::fs::remove_file(unfinished).await),
        }
        ended
    }

    async fn download_to(&self, path: &str, to: &Path) -> anyhow::Result<u64> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        let status = response.status();
        if status != StatusCode::OK {
            let body = read(response.into_body()).await?;
            Reply { status, body }.success("the download was refused")?;
            bail!("the download was answered with {status}");
        }
        let cannot = || format!("cannot write {}", to.display());
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(to).await.with_context(cannot)?;
        let mut body = response.into_body();
        let mut length = 0;
        while let Some(frame) =
            timeout(PATIENCE, body.frame()).await.context("the download stands still")?
        {
            let frame = frame.context("the download broke off")?;
            if let Ok(data) = frame.into_data() {
                file.write_all(&data).await.with_context(cannot)?;
                length += u64::try_from(data.len()).unwrap_or(u64::MAX);
            }
        }
        file.flush().await.with_context(cannot)?;
        file.sync_all().await.with_context(cannot)?;
        Ok(length)
    }

    async fn whole(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Reply> {
        let asked = async {
            let response = self.send(method, path, body).await?;
            let status = response.status();
            Ok(Reply { status, body: read(response.into_body()).await? })
        };
        match timeout(PATIENCE, asked).await {
            Ok(answered) => answered,
            Err(_) => bail!("{} did not answer in time", self.base),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        request.headers_mut().extend(self.headers.clone());
        self.client.request(request).await.with_context(|| format!("{} does not answer", self.base))
    }
}

impl Reply {
    /// Returns the text of a successful answer.
    ///
    /// # Errors
    /// `what`, the status and the answer's message.
    pub(crate) fn success(self, what: &str) -> anyhow::Result<String> {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        if self.status.is_success() {
            return Ok(text);
        }
        let message = message(&text).unwrap_or_default();
        bail!("{what}: {} {message}", self.status)
    }

    /// Returns the JSON of a successful answer.
    ///
    /// # Errors
    /// As [`Self::success`], and when it is not JSON.
    pub(crate) fn json(self, what: &str) -> anyhow::Result<Value> {
        let text = self.success(what)?;
        serde_json::from_str(&text).with_context(|| format!("{what}: the answer is not JSON"))
    }

    /// Returns the answer's JSON, whatever its status; `None` if it is none.
    pub(crate) fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Says whether the answer speaks of `words`.
    pub(crate) fn mentions(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(words)
    }
}

/// The message of an error, in any of the shapes the daemon answers with.
fn message(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let places = ["/message", "/detail", "/error", "/error/message"];
    let found = places.into_iter().find_map(|place| value.pointer(place)?.as_str());
    found.map(str::to_owned)
}

/// Says whether a URL leads to this machine. Names are not looked up: `localhost` is the only one that is known.
fn is_loopback(url: &str) -> bool {
    let uri: Option<http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

async fn read(body: Incoming) -> anyhow::Result<Bytes> {
    match Limited::new(body, LONGEST).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(anyhow::anyhow!(error).context("the answer broke off")),
    }
}

/// How long a daemon may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer but a download is longer.
const LONGEST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &'static str) -> Reply {
        Reply { status: StatusCode::from_u16(status).unwrap(), body: Bytes::from(body) }
    }

    #[test]
    fn plain_http_stays_on_the_machine_unless_somebody_says_otherwise() {
        for url in ["http://127.0.0.1:1/", "http://localhost", "http://[::1]:1", "http://127.8.9.1"]
        {
            assert!(HttpClient::new(url).is_ok(), "{url}");
        }
        for url in [
            "http://192.0.2.7:1",
            "http://privacy.example",
            "http://localhost.example",
            "http://[2001:db8::1]",
        ] {
            let error = HttpClient::new(url).unwrap_err();
            assert!(error.to_string().contains("in clear"), "{error}");
            assert!(HttpClient::even_in_clear(url, &Trust::Machine).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for url in [
            "127.0.0.1:5039",
            "ftp://example.org",
            "",
            "http://",
            "https://",
            "http://localhost?a=b",
        ] {
            assert!(HttpClient::new(url).is_err(), "{url}");
        }
        let error = HttpClient::new("https://me:hunter2@example.org").unwrap_err();
        assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        let missing = Trust::Authorities("/no/such.pem".into());
        let error = HttpClient::trusting("https://example.org", &missing).unwrap_err();
        assert!(format!("{error:#}").contains("--ca /no/such.pem"), "{error:#}");
    }

    #[test]
    fn keys_are_not_printed() {
        let client = HttpClient::new("http://127.0.0.1:1").unwrap();
        let client = client.with_bearer("authorization", "ant_secret").unwrap();
        assert!(!format!("{client:?}").contains("ant_secret"));
    }

    #[test]
    fn errors_carry_the_daemons_message() {
        let error = reply(401, r#"{"message":"no such key","error":"{}"}"#).success("submit");
        assert_eq!(error.unwrap_err().to_string(), "submit: 401 Unauthorized no such key");
        let error = reply(503, "<html>").success("health").unwrap_err();
        assert_eq!(error.to_string(), "health: 503 Service Unavailable ");
        assert!(reply(200, "[]").json("list").unwrap().is_array());
        assert!(reply(200, "no").json("list").is_err());
    }

    #[tokio::test]
    async fn nobody_there_is_an_error() {
        // Port 9 of the loopback: discard, which nobody runs.
        let error =
            HttpClient::new("http://127.0.0.1:9").unwrap().get("/health").await.unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");
    }
}
