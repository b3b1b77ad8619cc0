//! AWS KMS as moto serves it, with signatures and permissions checked.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::child::{Server, free_port};
use crate::Client;

/// A server with keys and users; everything it knows is in its memory.
#[derive(Debug)]
pub struct Moto {
    server: Server,
    address: SocketAddr,
    key: String,
    other_key: String,
    user: MotoUser,
    powerless: MotoUser,
}

/// A user of AWS.
#[derive(Debug, Clone)]
pub struct MotoUser {
    /// The public half of the access key.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
}

impl Moto {
    /// Starts a server and makes its keys and users, after which every call needs a signature.
    ///
    /// # Errors
    /// When moto is not installed, does not start, or answers a call without a signature.
    pub async fn start() -> anyhow::Result<Self> {
        let address = free_port()?;
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        // moto checks nothing in its first calls, so that somebody can be made whom it then checks.
        let free = [("INITIAL_NO_AUTH_ACTION_COUNT", FREE_CALLS)];
        let mut server =
            Server::start(Server::place()?, "moto_server", &["-H", &host, "-p", &port], &free)?;
        let calls = Calls::to(Client::new(&format!("http://{address}")));
        server.answers(calls.client(), "/moto-api/").await?;
        let user = calls.user("antumbra").await?;
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": ALLOWED, "Resource": "*" }],
        });
        calls.allow("antumbra", &policy).await?;
        let powerless = calls.user("nobody").await?;
        let key = calls.key().await?;
        let other_key = calls.key().await?;
        let refused = calls.kms("CreateKey", &json!({})).await;
        ensure!(refused.is_err(), "moto takes calls without a signature");
        Ok(Self { server, address, key, other_key, user, powerless })
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the ARN of the key that the stories use.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the ARN of another key.
    #[must_use]
    pub fn other_key(&self) -> &str {
        &self.other_key
    }

    /// Returns the user who may do what our documentation says a gateway has to be allowed.
    #[must_use]
    pub const fn user(&self) -> &MotoUser {
        &self.user
    }

    /// Returns a user who may do nothing.
    #[must_use]
    pub const fn powerless(&self) -> &MotoUser {
        &self.powerless
    }

    /// Counts the calls that it answered so far.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn calls(&self) -> anyhow::Result<usize> {
        Ok(self.server.log()?.matches("POST / HTTP/1.1").count())
    }
}

/// Calls without a valid signature.
pub(super) struct Calls {
    client: Client,
}

impl Calls {
    pub(super) const fn to(client: Client) -> Self {
        Self { client }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn user(&self, name: &str) -> anyhow::Result<MotoUser> {
        self.iam(&format!("Action=CreateUser&UserName={name}")).await?;
        let made = self.iam(&format!("Action=CreateAccessKey&UserName={name}")).await?;
        Ok(MotoUser {
            access_key_id: between(&made, "AccessKeyId")?,
            secret_access_key: between(&made, "SecretAccessKey")?,
        })
    }

    pub(super) async fn allow(&self, user: &str, policy: &Value) -> anyhow::Result<()> {
        let policy = urlencoded(&policy.to_string());
        let body = format!(
            "Action=PutUserPolicy&UserName={user}&PolicyName=allowed&PolicyDocument={policy}"
        );
        self.iam(&body).await.map(drop)
    }

    async fn key(&self) -> anyhow::Result<String> {
        let made = self.kms("CreateKey", &json!({})).await?;
        let arn = made.pointer("/KeyMetadata/Arn").and_then(Value::as_str);
        arn.map(str::to_owned).with_context(|| format!("no key: {made}"))
    }

    async fn iam(&self, body: &str) -> anyhow::Result<String> {
        let form = "application/x-www-form-urlencoded";
        self.call("iam", &[("content-type", form)], &format!("{body}&Version=2010-05-08")).await
    }

    async fn kms(&self, action: &str, body: &Value) -> anyhow::Result<Value> {
        let action = format!("TrentService.{action}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &*action)];
        let said = self.call("kms", &headers, &body.to_string()).await?;
        if said.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&said)?) }
    }

    /// The scope in the header tells moto which service is meant.
    async fn call(
        &self,
        service: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<String> {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=nobody/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            Moto::REGION
        );
        let headers = [headers, &[("authorization", &*authorization)]].concat();
        let reply = self.client.send(Method::POST, "/", &headers, body).await?;
        ensure!(reply.status == 200, "{service}: {} {}", reply.status, reply.text());
        Ok(reply.text())
    }
}

impl Moto {
    /// The region of its keys.
    pub const REGION: &str = "eu-central-1";
}

/// Returns the text of the first element of a name.
fn between(xml: &str, name: &str) -> anyhow::Result<String> {
    let (_, after) = xml.split_once(&format!("<{name}>")).with_context(|| format!("no {name}"))?;
    let (text, _) = after.split_once("</").with_context(|| format!("{name} has no end"))?;
    Ok(text.to_owned())
}

fn urlencoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Two users with access keys, one policy, two keys.
const FREE_CALLS: &str = "7";
/// As `docs/KEYS.md` lists them.
const ALLOWED: [&str; 4] = ["kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*"];
