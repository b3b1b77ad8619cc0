//! Which daemon is asked, with which key, and what if it refuses?

use std::path::Path;

use antumbra_config::Sources;
use antumbra_jobs::RequestId;
use anyhow::{Context, bail};
use serde_json::Value;

use crate::cli::args::DaemonArgs;
use crate::cli::exit::Fault;
use crate::cli::healthcheck::own;
use crate::cli::http_client::Reply;
use crate::cli::words::plain;
use crate::cli::{HttpClient, hear, read_private, settings};
use crate::tls::Trust;

/// A daemon, asked over its compliance API.
#[derive(Debug)]
pub(super) struct Daemon {
    client: HttpClient,
}

impl Daemon {
    /// Takes address and keys from flags, else from settings and environment. A key is never a flag.
    ///
    /// # Errors
    /// When there is no API key; when settings are needed and wrong.
    pub(super) fn open(args: &DaemonArgs) -> anyhow::Result<Self> {
        let mut sources = settings::sources(&args.settings)?;
        let api_key = key(&mut sources, args.api_key_file.as_deref(), API_KEY)?;
        let Some(api_key) = api_key else {
            let how = format!("no API key: give --api-key-file or set {API_KEY}");
            return Err(Fault::Usage(how).into());
        };
        let gateway_key = key(&mut sources, args.gateway_key_file.as_deref(), GATEWAY_KEY)?;
        let authorities = args.ca.clone().map(Trust::Authorities);
        let client = match &args.url {
            Some(url) => HttpClient::trusting(url, &authorities.unwrap_or(Trust::Machine)),
            None => {
                let (url, own) = own(&hear(sources)?.loaded.settings.listen);
                // The daemon of these settings is on this machine, whatever its address is.
                HttpClient::even_in_clear(&url, &authorities.unwrap_or(own))
            }
        };
        let client = client.map_err(|error| Fault::Usage(format!("{error:#}")))?;
        let mut client = client.with_bearer("authorization", &api_key)?;
        if let Some(key) = gateway_key {
            client = client.with_bearer("x-sombra-authorization", &key)?;
        }
        Ok(Self { client })
    }

    /// Gets the `data` of an answer.
    ///
    /// # Errors
    /// [`Fault::Unreachable`]; `what`, with the daemon's code and message, when it refuses.
    pub(super) async fn get(&self, path: &str, what: &str) -> anyhow::Result<Value> {
        data(self.client.get(path).await, what)
    }

    /// Posts and returns the `data` of the answer.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) async fn post(&self, path: &str, body: &Value, what: &str) -> anyhow::Result<Value> {
        data(self.client.post(path, body).await, what)
    }

    /// Downloads to a file; returns its length.
    ///
    /// # Errors
    /// When the answer is an error or breaks off.
    pub(super) async fn download(&self, path: &str, to: &Path) -> anyhow::Result<u64> {
        self.client.download(path, to).await
    }
}

/// Reads a key from a file, else takes it out of the environment, so that it is not taken for a setting.
fn key(
    sources: &mut Sources,
    file: Option<&Path>,
    variable: &str,
) -> anyhow::Result<Option<String>> {
    let found = sources.environment.iter().find(|(name, _)| name == variable);
    let found = found.map(|(_, value)| value.trim().to_owned()).filter(|key| !key.is_empty());
    sources.environment.retain(|(name, _)| name != variable);
    match file {
        None => Ok(found),
        Some(file) => {
            let key =
                read_private(file)?.with_context(|| format!("{} is not there", file.display()))?;
            Ok(Some(key.trim().to_owned()))
        }
    }
}

fn data(reply: anyhow::Result<Reply>, what: &str) -> anyhow::Result<Value> {
    let reply = reply.map_err(|error| Fault::Unreachable(format!("{error:#}")))?;
    let answer = reply.value().unwrap_or_default();
    if reply.status.is_success() {
        return answer
            .get("data")
            .cloned()
            .with_context(|| format!("{what}: the answer is none of this API"));
    }
    let part = |at: &str| answer.pointer(at).and_then(Value::as_str).map(plain);
    let code = part("/error/code").map_or_else(String::new, |code| format!(" {code}"));
    let message = part("/error/message").map_or_else(String::new, |text| format!(": {text}"));
    let state =
        part("/error/context/state").map_or_else(String::new, |state| format!(" ({state})"));
    bail!("{what} ({}{code}){message}{state}", reply.status)
}

/// Returns the path of one request. The id is checked here: it becomes part of a URL.
///
/// # Errors
/// [`Fault::Usage`].
pub(super) fn path_of(id: &str) -> Result<String, Fault> {
    let text = id.strip_prefix(PREFIX).unwrap_or(id);
    let id: RequestId = text
        .parse()
        .map_err(|_| Fault::Usage("an id is a UUID, with or without dsar: before it".to_owned()))?;
    Ok(format!("{REQUESTS}/{PREFIX}{id}"))
}

/// Where requests are.
pub(super) const REQUESTS: &str = "/v1/compliance/dsar";
const PREFIX: &str = "dsar:";
const API_KEY: &str = "ANTUMBRA_API_KEY";
const GATEWAY_KEY: &str = "ANTUMBRA_GATEWAY_KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_becomes_a_path_only_if_it_is_one() {
        let id = "01900000-0000-7000-8000-000000000001";
        let path = format!("/v1/compliance/dsar/dsar:{id}");
        assert_eq!(path_of(id).unwrap(), path);
        assert_eq!(path_of(&format!("dsar:{id}")).unwrap(), path);
        for wrong in ["", "dsar:", "../secrets", "dsar:1/run", "1?x=y"] {
            assert!(path_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_comes_from_a_file_or_the_environment_and_leaves_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "from-file\n").unwrap();
        let variable = |value: &str| Sources {
            environment: vec![
                (API_KEY.to_owned(), value.to_owned()),
                ("A".to_owned(), "b".to_owned()),
            ],
            ..Sources::default()
        };
        let mut sources = variable("from-environment");
        assert_eq!(key(&mut sources, None, API_KEY).unwrap().as_deref(), Some("from-environment"));
        assert_eq!(sources.environment.len(), 1);
        let mut sources = variable("from-environment");
        assert_eq!(key(&mut sources, Some(&file), API_KEY).unwrap().as_deref(), Some("from-file"));
        assert_eq!(key(&mut variable(" "), None, API_KEY).unwrap(), None);
        assert!(key(&mut variable("x"), Some(&dir.path().join("none")), API_KEY).is_err());
    }
}
