//! What does a client do to get a person's data? Submit, poll, download, verify: over HTTP, with keys.

use std::path::PathBuf;
use std::time::Duration;

use antumbra_bundle::verify::Verdict;
use antumbra_config::Format;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::directory::Directory;
use super::progress::{Progress, worded};
use super::shop::BUSIEST;
use crate::cli::{self, HttpClient, KeyFiles, create_private_dir, read_private, say};

/// A client of the demo's daemon.
#[derive(Debug)]
pub(super) struct Journey<'d> {
    directory: &'d Directory,
    client: HttpClient,
}

/// A bundle that arrived and was verified.
#[derive(Debug)]
pub(super) struct Received {
    /// Where it is.
    pub(super) zip: PathBuf,
    /// What verifying it found; trusted, without faults.
    pub(super) verdict: Verdict,
}

impl<'d> Journey<'d> {
    /// Takes the two keys from where the demo put them.
    pub(super) fn begin(directory: &'d Directory, url: &str) -> anyhow::Result<Self> {
        let key = |path: PathBuf| {
            read_private(&path)?.with_context(|| format!("{} is not there", path.display()))
        };
        let client = HttpClient::new(url)?
            .with_bearer("authorization", &key(directory.api_key())?)?
            .with_bearer("x-sombra-authorization", &key(gateway_key(directory))?)?;
        Ok(Self { directory, client })
    }

    /// Submits the request and returns its id. While an earlier run's request for the same person is being answered,
    /// the daemon takes no second one; then this waits.
    pub(super) async fn submit(&self) -> anyhow::Result<String> {
        let until = Instant::now() + LONGEST_WAIT;
        let mut told = false;
        loop {
            let reply = self.client.post(SUBMIT, &submission()).await?;
            if reply.status.is_client_error() && reply.mentions(DUPLICATE) && Instant::now() < until
            {
                if !told {
                    say("request   waiting for the one of an earlier demo to be answered")?;
                    told = true;
                }
                sleep(POLL).await;
                continue;
            }
            let answer = reply.json("the request was refused")?;
            let id = text(&answer, "/request/id")?;
            say(format_args!("request   {id} for {} <{}>", BUSIEST.name, BUSIEST.email))?;
            return Ok(id);
        }
    }

    /// Polls until the bundle can be downloaded, and shows how far it is.
    pub(super) async fn wait(&self, request: &str) -> anyhow::Result<()> {
        let path = format!("{SUBMIT}/{request}");
        let mut progress = Progress::new();
        loop {
            let answer = self.client.get(&path).await?.json("the request cannot be seen")?;
            progress.show(worded(&answer))?;
            match verdict(&answer)? {
                true => return Ok(progress.end()?),
                false => sleep(POLL).await,
            }
        }
    }

    /// Downloads the bundle with its download key and verifies it with the key that the daemon publishes.
    pub(super) async fn receive(&self, request: &str) -> anyhow::Result<Received> {
        let path = format!("{SUBMIT}/{request}/download-keys?bundle=true&limit=100");
        let list = self.client.get(&path).await?.json("there are no download keys")?;
        let (key, name) = bundle_of(&list)?;
        create_private_dir(&self.directory.downloads())?;
        let zip = self.directory.downloads().join(name);
        let length = self.client.download(&format!("/v1/files?downloadKey={key}"), &zip).await?;
        say(format_args!("download  {length} bytes"))?;

        let public = self.client.get(PUBLIC_KEY).await?.success("there is no public key")?;
        let ours = read_private(&KeyFiles::beside(&self.directory.ring()).public)?;
        ensure!(
            ours.as_deref().is_none_or(|ours| ours.trim() == public.trim()),
            "the daemon publishes another key than keys/public.pem"
        );
        let verdict = cli::check(&zip, Some(public)).await?;
        ensure!(
            verdict.trusted && verdict.faults.is_empty(),
            "the bundle does not verify:\n{}",
            cli::shown(&verdict)
        );
        Ok(Received { zip, verdict })
    }
}

/// What is asked for: one person's data in every format.
pub(super) fn submission() -> Value {
    let formats: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
    json!({
        "type": "ACCESS",
        "subjectType": "customer",
        "subject": { "coreIdentifier": BUSIEST.loyalty, "email": BUSIEST.email },
        "formats": formats,
    })
}

/// Where the gateway key is.
pub(super) fn gateway_key(directory: &Directory) -> PathBuf {
    KeyFiles::beside(&directory.ring()).gateway
}

/// Says whether the bundle is there; an error if it will never be.
fn verdict(answer: &Value) -> anyhow::Result<bool> {
    if let Some(failure) = answer.get("failure").filter(|failure| !failure.is_null()) {
        let part = |name: &str| failure.get(name).and_then(Value::as_str).unwrap_or("?");
        bail!("the job failed ({}): {}", part("code"), part("message"));
    }
    let status = text(answer, "/status")?;
    match status.as_str() {
        "REQUEST_MADE" | "ENRICHING" | "COMPILING" | "APPROVING" => Ok(false),
        "DOWNLOADABLE" | "COMPLETED" => Ok(true),
        _ => bail!("the request ended as {status}"),
    }
}

/// Finds the whole zip among the downloads: its key and its name.
fn bundle_of(list: &Value) -> anyhow::Result<(String, String)> {
    let nodes = list.get("nodes").and_then(Value::as_array).context("the list has no nodes")?;
    let zip = nodes
        .iter()
        .find(|node| node.get("mimetype").and_then(Value::as_str) == Some("application/zip"))
        .context("the list does not name the whole bundle")?;
    let (key, name) = (text(zip, "/downloadKey")?, text(zip, "/fileName")?);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    ensure!(key.bytes().all(plain), "the download key does not fit into a URL");
    ensure!(name.bytes().all(plain) && !name.starts_with('.'), "the bundle has an odd name");
    Ok((key, name))
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the answer has no {pointer}"))
}

/// Where requests are submitted.
pub(super) const SUBMIT: &str = "/v1/data-subject-request";
const PUBLIC_KEY: &str = "/public-keys/sombra-general-signing-key";
/// The contract's words for an open request of the same person.
const DUPLICATE: &str = "You have already made this request";
const POLL: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_asked_for() {
        let asked = submission();
        let formats = asked["formats"].as_array().unwrap();
        assert_eq!(formats.len(), Format::ALL.len());
        assert!(formats.contains(&json!("PARQUET")));
    }

    #[test]
    fn failed_job_ends_the_wait_with_its_code() {
        let failed = json!({"status": "COMPILING", "failure": {"code": "silo_unreachable", "message": "shop/orders"}});
        let error = verdict(&failed).unwrap_err().to_string();
        assert_eq!(error, "the job failed (silo_unreachable): shop/orders");
        assert!(verdict(&json!({"status": "CANCELED"})).is_err());
        assert!(verdict(&json!({})).is_err());
    }

    #[test]
    fn wait_goes_on_until_downloadable() {
        assert!(!verdict(&json!({"status": "REQUEST_MADE", "failure": null})).unwrap());
        assert!(!verdict(&json!({"status": "COMPILING"})).unwrap());
        assert!(verdict(&json!({"status": "DOWNLOADABLE"})).unwrap());
    }

    #[test]
    fn whole_bundle_is_found_among_files() {
        let node = |name: &str, kind: &str| json!({"downloadKey": "a.b-c_d", "fileName": name, "mimetype": kind});
        let list = json!({"nodes": [node("shop/a.json", "application/json"), node("b.zip", "application/zip")]});
        assert_eq!(bundle_of(&list).unwrap(), ("a.b-c_d".to_owned(), "b.zip".to_owned()));
        assert!(bundle_of(&json!({"nodes": []})).is_err());
    }

    #[test]
    fn name_that_leaves_the_directory_is_refused() {
        for name in ["../x.zip", ".x", "a/b.zip"] {
            let node = json!({"downloadKey": "k", "fileName": name, "mimetype": "application/zip"});
            assert!(bundle_of(&json!({"nodes": [node]})).is_err(), "{name}");
        }
    }
}
