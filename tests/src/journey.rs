//! What does a client do? Submit, poll, list, download: the calls of the contract, with both keys.

use anyhow::{Context, bail, ensure};
use hyper::Method;
use serde_json::{Value, json};

use crate::{Client, Daemon, House, Reply, until};

/// The busiest person of the demo's shop.
pub const EMAIL: &str = "penelope.penumbra@example.org";
/// The same person's loyalty number.
pub const LOYALTY: &str = "AP-000042";

/// Asks for the busiest person's data in these formats, as the demo does.
#[must_use]
pub fn submission(formats: &[&str]) -> Value {
    json!({
        "type": "ACCESS",
        "subjectType": "customer",
        "subject": { "coreIdentifier": LOYALTY, "email": EMAIL },
        "formats": formats,
    })
}

/// Asks for the data of the person with this loyalty number, who may be nobody: no other request's duplicate.
#[must_use]
pub fn submission_of(person: u32, formats: &[&str]) -> Value {
    let mut body = submission(formats);
    if let Some(subject) = body.get_mut("subject") {
        *subject = json!({ "coreIdentifier": format!("AP-{person:06}") });
    }
    body
}

/// A client with its two keys.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Client,
    api: String,
    gateway: String,
}

impl Caller {
    /// Calls a daemon with the house's keys.
    ///
    /// # Errors
    /// When the gateway key cannot be read.
    pub fn new(house: &House, daemon: &Daemon) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(&daemon.url()),
            api: format!("Bearer {}", house.api_key()),
            gateway: format!("Bearer {}", house.gateway_key()?),
        })
    }

    /// Calls with another API key.
    #[must_use]
    pub fn with_api_key(mut self, key: &str) -> Self {
        self.api = format!("Bearer {key}");
        self
    }

    /// Returns the client without keys.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the two headers.
    #[must_use]
    pub fn keys(&self) -> [(&str, &str); 2] {
        [("authorization", &self.api), ("x-sombra-authorization", &self.gateway)]
    }

    /// Gets a path with both keys.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.client.get(path, &self.keys()).await
    }

    /// Submits a body as it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, body: &str) -> anyhow::Result<Reply> {
        self.client.send(Method::POST, REQUESTS, &self.keys(), body).await
    }

    /// Submits the busiest person's request and returns its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn submit(&self, formats: &[&str]) -> anyhow::Result<String> {
        self.submit_body(&submission(formats)).await
    }

    /// Submits any request and returns its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn submit_body(&self, body: &Value) -> anyhow::Result<String> {
        let reply = self.post(&body.to_string()).await?;
        ensure!(reply.complete(), "refused: {} {}", reply.status, reply.text());
        let answer = reply.json()?;
        let id = answer.pointer("/request/id").and_then(Value::as_str);
        id.map(str::to_owned).context("the answer has no id")
    }

    /// Returns what a poll answers.
    ///
    /// # Errors
    /// When it does not answer 200.
    pub async fn poll(&self, request: &str) -> anyhow::Result<Value> {
        let reply = self.get(&format!("{REQUESTS}/{request}")).await?;
        ensure!(reply.status == 200, "poll: {} {}", reply.status, reply.text());
        reply.json()
    }

    /// Polls until the request is DOWNLOADABLE and returns that answer.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub async fn downloadable(&self, request: &str) -> anyhow::Result<Value> {
        let answer = self.ended(request).await?;
        if answer.pointer("/status") != Some(&json!("DOWNLOADABLE")) {
            bail!("not DOWNLOADABLE: {answer}");
        }
        Ok(answer)
    }

    /// Polls until nothing more happens to the request and returns that answer.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn ended(&self, request: &str) -> anyhow::Result<Value> {
        until("the request's end", async || {
            let answer = self.poll(request).await?;
            let status = answer.pointer("/status").and_then(Value::as_str).unwrap_or_default();
            let open = ["REQUEST_MADE", "ENRICHING", "COMPILING", "APPROVING"].contains(&status);
            Ok((!open).then_some(answer))
        })
        .await
    }

    /// Lists what can be downloaded, the whole bundle first.
    ///
    /// # Errors
    /// When the list is refused.
    pub async fn downloads(&self, request: &str) -> anyhow::Result<Vec<Download>> {
        let path = format!("{REQUESTS}/{request}/download-keys?bundle=true&limit=100");
        let reply = self.get(&path).await?;
        ensure!(reply.status == 200, "download-keys: {} {}", reply.status, reply.text());
        let answer = reply.json()?;
        let nodes = answer.get("nodes").and_then(Value::as_array).context("no nodes")?;
        nodes.iter().map(Download::read).collect()
    }

    /// Downloads with a key alone.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn download(
        &self,
        download: &Download,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        self.client.get(&download.path(), headers).await
    }

    /// Downloads the whole bundle.
    ///
    /// # Errors
    /// When it does not come whole.
    pub async fn bundle(&self, request: &str) -> anyhow::Result<Vec<u8>> {
        let downloads = self.downloads(request).await?;
        let bundle = downloads.first().context("nothing to download")?;
        let reply = self.download(bundle, &[]).await?;
        ensure!(reply.complete(), "bundle: {} {:?}", reply.status, reply.cut);
        Ok(reply.body)
    }
}

/// A file with its download key.
#[derive(Debug, Clone)]
pub struct Download {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: String,
    /// Its media type.
    pub media_type: String,
    /// Its length.
    pub size: u64,
}

impl Download {
    /// Returns the path that sends it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/v1/files?downloadKey={}", self.key)
    }

    fn read(node: &Value) -> anyhow::Result<Self> {
        let text = |name: &str| {
            let found = node.get(name).and_then(Value::as_str).map(str::to_owned);
            found.with_context(|| format!("a node without {name}: {node}"))
        };
        Ok(Self {
            name: text("fileName")?,
            key: text("downloadKey")?,
            media_type: text("mimetype")?,
            size: text("size")?.parse()?,
        })
    }
}

const REQUESTS: &str = "/v1/data-subject-request";
