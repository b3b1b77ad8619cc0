//! `OpenBao` with a transit key, which a story seals, unseals, and takes permissions from.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::child::{Server, free_port};
use crate::{Certificate, Client, until};

/// A server in development mode; everything it knows is in its memory.
#[derive(Debug)]
pub struct OpenBao {
    _server: Server,
    client: Client,
    address: SocketAddr,
    /// Where it listens with TLS.
    secure: SocketAddr,
    certificate: Certificate,
    unseal_key: String,
}

/// What a machine logs in with.
#[derive(Debug, Clone)]
pub struct AppRole {
    /// Which role.
    pub role_id: String,
    /// Its secret.
    pub secret_id: String,
}

impl OpenBao {
    /// The mount of the transit engine.
    pub const MOUNT: &str = "transit";
    /// The key that the stories use.
    pub const KEY: &str = "antumbra";
    /// Another key that they may use.
    pub const OTHER_KEY: &str = "antumbra-other";
    /// A key of which the key of each wrap is derived.
    pub const DERIVED_KEY: &str = "antumbra-derived";
    /// A key that the policy does not name.
    pub const FORBIDDEN_KEY: &str = "somebody-elses";

    /// Starts a server with two listeners, one with TLS, and makes key, policy and role.
    ///
    /// # Errors
    /// When `OpenBao` is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let place = Server::place()?;
        let certificate = Certificate::make(place.path(), &["127.0.0.1", "localhost"])?;
        let (address, secure) = (free_port()?, free_port()?);
        let listener = format!(
            "listener \"tcp\" {{\n  address = \"{secure}\"\n  tls_cert_file = \"{}\"\n  tls_key_file = \"{}\"\n}}\n",
            certificate.chain.display(),
            certificate.key.display()
        );
        fs::write(place.path().join("tls.hcl"), listener)?;
        let address_flag = format!("-dev-listen-address={address}");
        let root_flag = format!("-dev-root-token-id={ROOT}");
        let args =
            ["server", "-dev", "-config=tls.hcl", "-dev-no-store-token", &address_flag, &root_flag];
        let mut server = Server::start(place, "bao", &args, &[])?;
        let client = Client::new(&format!("http://{address}"));
        server.answers(&client, "/v1/sys/health").await?;
        // Said a moment after it listens.
        let unseal_key = until("the unseal key in the log", async || {
            let log = server.log()?;
            let key = log.lines().find_map(|line| line.trim().strip_prefix("Unseal Key: "));
            Ok(key.map(|key| key.trim().to_owned()))
        })
        .await?;
        let made = Self { _server: server, client, address, secure, certificate, unseal_key };
        made.furnish().await?;
        Ok(made)
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

    /// Returns its base URL with TLS.
    #[must_use]
    pub fn secure_url(&self) -> String {
        format!("https://{}", self.secure)
    }

    /// Returns what a client of the secure listener has to trust.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Makes a token that may use the key, with a lifetime such as `3s`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn token(&self, lifetime: &str) -> anyhow::Result<String> {
        let body = json!({ "policies": [POLICY], "ttl": lifetime, "no_parent": true });
        let made = self.post("auth/token/create", &body).await?;
        text(&made, "/auth/client_token")
    }

    /// Makes a token that may do nothing.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn powerless_token(&self) -> anyhow::Result<String> {
        let body = json!({ "policies": ["default"], "no_parent": true });
        text(&self.post("auth/token/create", &body).await?, "/auth/client_token")
    }

    /// Takes a token back.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn revoke(&self, token: &str) -> anyhow::Result<()> {
        self.post("auth/token/revoke", &json!({ "token": token })).await.map(drop)
    }

    /// Takes back every token that somebody logged in for.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn revoke_logins(&self) -> anyhow::Result<()> {
        self.post("sys/leases/revoke-prefix/auth/approle/login", &json!({})).await.map(drop)
    }

    /// Makes a role that may use the key; what it logs in with lives as long as said.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn app_role(&self, name: &str, lifetime: &str) -> anyhow::Result<AppRole> {
        let role = json!({
            "token_policies": POLICY, "token_ttl": lifetime, "token_max_ttl": lifetime,
        });
        let path = format!("auth/approle/role/{name}");
        self.post(&path, &role).await?;
        let role_id = self.call(Method::GET, &format!("{path}/role-id"), "").await?;
        let secret_id = self.post(&format!("{path}/secret-id"), &json!({})).await?;
        Ok(AppRole {
            role_id: text(&role_id, "/data/role_id")?,
            secret_id: text(&secret_id, "/data/secret_id")?,
        })
    }

    /// Takes a role's secret back: nobody logs in with it any more.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn destroy_secret_id(&self, name: &str, role: &AppRole) -> anyhow::Result<()> {
        let path = format!("auth/approle/role/{name}/secret-id/destroy");
        self.post(&path, &json!({ "secret_id": role.secret_id })).await.map(drop)
    }

    /// Makes a new version of a key.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn rotate_key(&self, key: &str) -> anyhow::Result<()> {
        let path = format!("{}/keys/{key}/rotate", Self::MOUNT);
        self.post(&path, &json!({})).await.map(drop)
    }

    /// Lets versions of a key before this one open nothing any more.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn forget_before(&self, key: &str, version: u32) -> anyhow::Result<()> {
        let path = format!("{}/keys/{key}/config", Self::MOUNT);
        self.post(&path, &json!({ "min_decryption_version": version })).await.map(drop)
    }

    /// Seals it: it forgets its own keys and answers 503 until it is unsealed.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn seal(&self) -> anyhow::Result<()> {
        self.post("sys/seal", &json!({})).await.map(drop)
    }

    /// Unseals it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn unseal(&self) -> anyhow::Result<()> {
        let said = self.post("sys/unseal", &json!({ "key": self.unseal_key })).await?;
        ensure!(said.get("sealed") == Some(&json!(false)), "still sealed: {said}");
        Ok(())
    }

    async fn furnish(&self) -> anyhow::Result<()> {
        self.post(&format!("sys/mounts/{}", Self::MOUNT), &json!({ "type": "transit" })).await?;
        for key in [Self::KEY, Self::OTHER_KEY, Self::FORBIDDEN_KEY] {
            self.post(&format!("{}/keys/{key}", Self::MOUNT), &json!({})).await?;
        }
        let derived = json!({ "derived": true });
        self.post(&format!("{}/keys/{}", Self::MOUNT, Self::DERIVED_KEY), &derived).await?;
        self.post("sys/auth/approle", &json!({ "type": "approle" })).await?;
        let mut policy = String::new();
        let calls = |key| if key == Self::DERIVED_KEY { &CALLS[..] } else { &CALLS[..3] };
        for key in [Self::KEY, Self::OTHER_KEY, Self::DERIVED_KEY] {
            for call in calls(key) {
                let path = format!("{}/{call}/{key}", Self::MOUNT);
                policy.push_str(&format!("path \"{path}\" {{ capabilities = [\"update\"] }}\n"));
            }
        }
        self.post(&format!("sys/policies/acl/{POLICY}"), &json!({ "policy": policy })).await?;
        Ok(())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, &body.to_string()).await
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> anyhow::Result<Value> {
        let headers = [("x-vault-token", ROOT)];
        let reply = self.client.send(method, &format!("/v1/{path}"), &headers, body).await?;
        match reply.status {
            204 => Ok(Value::Null),
            200 => reply.json(),
            status => bail!("{path}: {status} {}", reply.text()),
        }
    }
}

fn text(answer: &Value, at: &str) -> anyhow::Result<String> {
    let text = answer.pointer(at).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("no {at} in {answer}"))
}

/// Of a server that nobody else reaches and that holds nothing of anybody.
const ROOT: &str = "e2e-root-token-of-a-server-of-an-hour";
const POLICY: &str = "antumbra";
/// As `docs/KEYS.md` lists them; the last for a derived key only.
const CALLS: [&str; 4] = ["encrypt", "decrypt", "datakey/plaintext", "rewrap"];
