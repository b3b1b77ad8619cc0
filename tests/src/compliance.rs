//! What does a caller of the compliance API do? The calls of the contract, with its one key.

use anyhow::{Context, bail, ensure};
use hyper::Method;
use serde_json::{Value, json};

use crate::{Client, Daemon, House, Reply, until};

/// A client with an API key that may read everything of its tenant.
#[derive(Debug, Clone)]
pub struct Compliance {
    client: Client,
    api: String,
}

impl Compliance {
    /// Calls a daemon with a new key of the house.
    ///
    /// # Errors
    /// When the key cannot be made.
    pub fn new(house: &House, daemon: &Daemon) -> anyhow::Result<Self> {
        let key = house.new_api_key(&["--scope", "audit:read"])?;
        Ok(Self { client: Client::new(&daemon.url()), api: format!("Bearer {key}") })
    }

    /// Calls another daemon, for instance the same one after a restart.
    #[must_use]
    pub fn at(mut self, daemon: &Daemon) -> Self {
        self.client = Client::new(&daemon.url());
        self
    }

    /// Sends a call; the path begins behind `/v1/compliance/dsar`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, method: Method, path: &str, body: &str) -> anyhow::Result<Reply> {
        let path = format!("/v1/compliance/dsar{path}");
        self.client.send(method, &path, &[("authorization", &self.api)], body).await
    }

    /// Asks for one person's data and returns what was answered.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(&self, subject: &str, format: &str) -> anyhow::Result<Reply> {
        let scope = json!({ "kind": "DATA_SUBJECT", "dataSubjectId": subject });
        let body = json!({ "scope": scope, "format": format });
        self.call(Method::POST, "", &body.to_string()).await
    }

    /// Asks for one person's data and returns the job's id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn created(&self, subject: &str, format: &str) -> anyhow::Result<String> {
        let reply = self.ask(subject, format).await?;
        ensure!(reply.complete(), "refused: {} {}", reply.status, reply.text());
        let answer = reply.json()?;
        let id = answer.pointer("/data/job/id").and_then(Value::as_str);
        id.map(str::to_owned).with_context(|| format!("no id: {answer}"))
    }

    /// Returns a job.
    ///
    /// # Errors
    /// When it cannot be seen.
    pub async fn job(&self, id: &str) -> anyhow::Result<Value> {
        let reply = self.call(Method::GET, &format!("/{id}"), "").await?;
        ensure!(reply.status == 200, "get: {} {}", reply.status, reply.text());
        let mut answer = reply.json()?;
        answer.pointer_mut("/data/job").map(Value::take).context("no job")
    }

    /// Waits until a job is in a state and returns it then.
    ///
    /// # Errors
    /// When it is in a last state that is another one.
    pub async fn reaches(&self, id: &str, state: &str) -> anyhow::Result<Value> {
        until(state, async || {
            let job = self.job(id).await?;
            let found = job.get("state").and_then(Value::as_str).unwrap_or_default();
            if found == state {
                return Ok(Some(job));
            }
            if ["READY", "DELIVERED", "EXPIRED", "FAILED", "CANCELLED"].contains(&found) {
                bail!("{found} and never {state}: {job}");
            }
            Ok(None)
        })
        .await
    }

    /// Drives a job in the call.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn run(&self, id: &str) -> anyhow::Result<Reply> {
        self.call(Method::POST, &format!("/{id}/run"), "").await
    }

    /// Downloads a job's artifact.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn download(&self, id: &str) -> anyhow::Result<Reply> {
        self.call(Method::GET, &format!("/{id}/download"), "").await
    }

    /// Cancels a job.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn cancel(&self, id: &str) -> anyhow::Result<Reply> {
        self.call(Method::POST, &format!("/{id}/cancel"), "").await
    }
}
