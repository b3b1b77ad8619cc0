//! Calls to a vault with a token.

use antumbra_crypto::SecretBytes;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

use super::refusal;
use super::session::{Granted, Login, Session};
use super::settings::Vault;
use crate::Error;
use crate::fault::Fault;
use crate::secret_text::PlainText;
use crate::wire::{Address, Answer, Client, Patience, Trust};

/// One vault, on behalf of somebody.
#[derive(Debug)]
pub(super) struct Calls {
    address: Address,
    namespace: Option<HeaderValue>,
    client: Client,
    session: Session,
    patience: Patience,
}

impl Calls {
    /// Checks the settings and reads the certificates. Blocks on I/O; asks nobody.
    pub(super) fn new(settings: &Vault) -> Result<Self, Error> {
        let address = settings.address()?;
        let trust = Trust::of(settings.ca.as_deref(), address.is_encrypted());
        let client = Client::new(trust, settings.patience.timeout)?;
        let namespace = settings.namespace.as_deref().map(HeaderValue::from_str).transpose();
        let namespace = namespace
            .map_err(|_| Error::Setting { field: "namespace", what: "is not plain text" })?;
        let session = Session::new(settings.auth.clone());
        Ok(Self { address, namespace, client, session, patience: settings.patience })
    }

    pub(super) fn host(&self) -> &str {
        self.address.host()
    }

    /// Posts to `/v1/<path>` and reads `data`, again if need be.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &(impl Serialize + Sync),
    ) -> Result<T, Fault> {
        let body = body(parameters)?;
        let answer = self.patience.over(self.host(), || self.attempt(path, &body)).await?;
        // The parser's error could quote the answer.
        serde_json::from_slice::<Data<T>>(answer.expose())
            .map(|answer| answer.data)
            .map_err(|_| self.misfit("not what a vault says"))
    }

    /// Says that the answer is not that of a vault.
    pub(super) fn misfit(&self, what: &'static str) -> Fault {
        Error::Answer { host: self.host().to_owned(), what }.into()
    }

    /// Asks once, and once more with another token if the first was refused.
    async fn attempt(&self, path: &str, body: &Bytes) -> Result<SecretBytes, Fault> {
        let token = self.session.token(|login| self.login(login)).await?;
        let answer = self.post(path, body.clone(), Some(&token.text)).await?;
        if answer.status != StatusCode::FORBIDDEN || !self.session.refused(&token).await {
            return self.success(answer);
        }
        let token = self.session.token(|login| self.login(login)).await?;
        let answer = self.post(path, body.clone(), Some(&token.text)).await?;
        if answer.status == StatusCode::FORBIDDEN {
            self.session.refused(&token).await;
        }
        self.success(answer)
    }

    async fn login(&self, login: Login) -> Result<Granted, Fault> {
        let body = body(&Role {
            role_id: PlainText::of(&login.role_id, "role_id")?,
            secret_id: PlainText::of(&login.secret_id, "secret_id")?,
        })?;
        let path = format!("auth/{}/login", login.mount);
        let answer = self.success(self.post(&path, body, None).await?)?;
        let answer: LoggedIn = serde_json::from_slice(answer.expose())
            .map_err(|_| self.misfit("not a vault's login"))?;
        tracing::debug!(host = self.host(), lease = answer.auth.lease_duration, "logged in");
        Ok(Granted {
            token: answer.auth.client_token.into_secret(),
            lease: Duration::from_secs(answer.auth.lease_duration.min(LONGEST_LEASE)),
        })
    }

    async fn post(
        &self,
        path: &str,
        body: Bytes,
        token: Option<&SecretBytes>,
    ) -> Result<Answer, Fault> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.address.join(&format!("/v1/{path}"))?)
            .header(CONTENT_TYPE, "application/json")
            // Agents in front of a vault may demand it: a browser cannot be tricked into sending it.
            .header(HeaderName::from_static("x-vault-request"), "true")
            .body(body)
            .map_err(|_| Error::Setting { field: "mount", what: "does not fit into a URL" })?;
        let headers = request.headers_mut();
        if let Some(namespace) = &self.namespace {
            headers.insert(HeaderName::from_static("x-vault-namespace"), namespace.clone());
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_bytes(token.expose())
                .map_err(|_| Error::Setting { field: "token", what: "is not plain text" })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-vault-token"), value);
        }
        Ok(self.client.send(request).await?)
    }

    fn success(&self, answer: Answer) -> Result<SecretBytes, Fault> {
        if answer.status == StatusCode::OK {
            return Ok(answer.body);
        }
        Err(refusal::read(self.host(), answer.status, answer.body.expose()))
    }
}

/// Writes the parameters into memory that is overwritten when hyper is done with it.
fn body(parameters: &impl Serialize) -> Result<Bytes, Fault> {
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_REQUEST));
    serde_json::to_writer(&mut *body, parameters)
        .map_err(|_| antumbra_crypto::Error::malformed("parameters of a vault's call"))?;
    Ok(Bytes::from_owner(body))
}

#[derive(Serialize)]
struct Role {
    role_id: PlainText,
    secret_id: PlainText,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: PlainText,
    lease_duration: u64,
}

/// Room for usual secrets and contexts in base64.
const MAX_REQUEST: usize = 32 * 1024;

/// A year, in seconds: keeps the sum of times finite.
const LONGEST_LEASE: u64 = 365 * 24 * 3600;
