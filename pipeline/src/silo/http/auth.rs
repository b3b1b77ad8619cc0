//! How does the service know who calls? Secrets are read when they are needed and read again when they are refused.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antumbra_config::{HttpAuth, SecretRef, SecretText};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded;

use super::client::Client;
use super::fault::{self, strange};
use crate::SiloError;

/// The credentials of a silo. One caller at a time fetches a token; the others wait for it.
pub(super) struct Auth {
    kind: HttpAuth,
    environment: Arc<[(String, String)]>,
    current: Mutex<Current>,
}

/// A header that says who calls.
#[derive(Clone)]
pub(super) struct Credential {
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    /// Which one it is: only who was refused with the newest has it made anew.
    stamp: u64,
}

#[derive(Default)]
struct Current {
    credential: Option<Credential>,
    /// When it is no longer good for long.
    until: Option<Instant>,
    stamps: u64,
}

impl Auth {
    /// Reads the secrets once, so that one that is missing shows at the start. The error names the setting.
    pub(super) fn new(kind: HttpAuth, environment: &[(String, String)]) -> Result<Self, String> {
        if let Some((_, secret)) = secret_of(&kind) {
            secret.resolve(environment).map_err(|error| format!("auth: {error}"))?;
        }
        if let HttpAuth::ClientCredentials { token_url, .. } = &kind {
            Url::parse(token_url).map_err(|_| "auth: token_url is no address")?;
        }
        Ok(Self { kind, environment: environment.into(), current: Mutex::default() })
    }

    /// Returns what is to be sent, made now if there is none or its time is nearly over.
    pub(super) async fn credential(&self, client: &Client) -> Result<Credential, SiloError> {
        let mut current = self.current.lock().await;
        let over = current.until.is_some_and(|until| Instant::now() >= until);
        if let Some(credential) = current.credential.as_ref().filter(|_| !over) {
            return Ok(credential.clone());
        }
        let (header, lasts) = self.make(client).await?;
        current.stamps += 1;
        let credential = Credential { header, stamp: current.stamps };
        current.credential = Some(credential.clone());
        current.until = lasts.map(|lasts| Instant::now() + lasts);
        Ok(credential)
    }

    /// Forgets a credential that was refused, unless a newer one is there.
    pub(super) async fn refused(&self, credential: &Credential) {
        let mut current = self.current.lock().await;
        if current.credential.as_ref().is_some_and(|known| known.stamp == credential.stamp) {
            current.credential = None;
        }
    }

    async fn make(&self, client: &Client) -> Result<Made, SiloError> {
        let Some((name, secret)) = secret_of(&self.kind) else { return Ok((None, None)) };
        let secret = self.read(secret).await?;
        let value = match &self.kind {
            HttpAuth::None | HttpAuth::Header { .. } => sensitive(secret.expose())?,
            HttpAuth::Bearer(_) => sensitive(&format!("Bearer {}", secret.expose()))?,
            HttpAuth::Basic { username, .. } => basic(username, secret.expose())?,
            HttpAuth::ClientCredentials { .. } => {
                let (token, lasts) = self.token(client, &secret).await?;
                return Ok((Some((name, sensitive(&format!("Bearer {token}"))?)), Some(lasts)));
            }
        };
        Ok((Some((name, value)), None))
    }

    async fn read(&self, secret: &SecretRef) -> Result<SecretText, SiloError> {
        let (secret, environment) = (secret.clone(), Arc::clone(&self.environment));
        let read = tokio::task::spawn_blocking(move || secret.resolve(&environment)).await;
        let read = read.map_err(|_| crate::silo::batches::stopped())?;
        read.map_err(|error| SiloError::Settings { what: format!("auth: {error}") })
    }

    /// Asks for a token ([RFC 6749 section 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)): with the secret in a header, as
    /// every server has to take it; refused, with the secret in the form, as some do only.
    async fn token(
        &self,
        client: &Client,
        secret: &SecretText,
    ) -> Result<(String, Duration), SiloError> {
        let HttpAuth::ClientCredentials { token_url, client_id, scope, audience, .. } = &self.kind
        else {
            return Err(strange("there is no token to ask for"));
        };
        let url = Url::parse(token_url)
            .map_err(|_| SiloError::Settings { what: "token_url is no address".to_owned() })?;
        // A serializer must not live across a wait.
        let plain = {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "client_credentials");
            for (name, value) in [("scope", scope), ("audience", audience)] {
                if let Some(value) = value {
                    form.append_pair(name, value);
                }
            }
            form.finish()
        };
        let header = basic(&encoded(client_id), &encoded(secret.expose()))?;
        let mut answer = client.post(&url, &plain, Some(header)).await?;
        if matches!(answer.status.as_u16(), 400 | 401) {
            let full = {
                let mut form = form_urlencoded::Serializer::new(plain);
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", secret.expose());
                form.finish()
            };
            answer = client.post(&url, &full, None).await?;
        }
        if !answer.status.is_success() {
            let what = format!("token_url answered {}", answer.status.as_u16());
            return Err(if fault::of_status(answer.status).passing {
                SiloError::Unavailable { reason: what }
            } else {
                SiloError::Settings {
                    what: format!("{what}: it gives no token for these credentials"),
                }
            });
        }
        let token: Token = serde_json::from_slice(&answer.body)
            .map_err(|_| strange("token_url answered with no token"))?;
        if !token.token_type.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")) {
            return Err(strange("token_url answered with a token that is no bearer token"));
        }
        Ok((token.access_token, lasting(token.expires_in)))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth(..)")
    }
}

/// What is sent, and how long it is good for.
type Made = (Option<(HeaderName, HeaderValue)>, Option<Duration>);

#[derive(Deserialize)]
struct Token {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<f64>,
}

/// The header and the secret of a kind.
fn secret_of(kind: &HttpAuth) -> Option<(HeaderName, &SecretRef)> {
    match kind {
        HttpAuth::None => None,
        HttpAuth::Bearer(secret)
        | HttpAuth::Basic { password: secret, .. }
        | HttpAuth::ClientCredentials { client_secret: secret, .. } => {
            Some((AUTHORIZATION, secret))
        }
        HttpAuth::Header { name, value } => {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        }
    }
}

fn basic(name: &str, password: &str) -> Result<HeaderValue, SiloError> {
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn sensitive(text: &str) -> Result<HeaderValue, SiloError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| SiloError::Settings {
        what: "auth: the secret holds characters that no header may".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Half a minute, or a tenth of its time, before a token ends a new one is fetched. One that does not say when it ends is kept until it
/// is refused, or for five minutes.
fn lasting(expires_in: Option<f64>) -> Duration {
    let said = expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let whole = said.unwrap_or(UNSAID).min(LONGEST);
    whole.saturating_sub((whole / 10).min(MARGIN))
}

const MARGIN: Duration = Duration::from_secs(30);
const UNSAID: Duration = Duration::from_mins(5);
const LONGEST: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_fetched_shortly_before_they_end() {
        assert_eq!(lasting(Some(3600.0)), Duration::from_secs(3570));
        assert_eq!(lasting(Some(10.0)), Duration::from_secs(9));
        assert_eq!(lasting(Some(0.0)), Duration::ZERO);
        assert_eq!(lasting(Some(-1.0)), Duration::from_secs(270));
        assert_eq!(lasting(Some(1e9)), LONGEST.saturating_sub(MARGIN));
        assert_eq!(lasting(Some(f64::MAX)), Duration::from_secs(270));
        assert_eq!(lasting(None), Duration::from_secs(270));
    }

    #[test]
    fn a_secret_in_a_header_prints_nothing() {
        assert!(!format!("{:?}", sensitive("canary-token").unwrap()).contains("canary"));
        assert!(sensitive("a\nb").is_err());
    }
}
