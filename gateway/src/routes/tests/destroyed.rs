//! A job whose key was destroyed: no way of reading gives a byte of it, in either contract, however it is asked for.

use antumbra_jobs::{Actor, Job, JobState, RequestId, Scope, TenantId};
use http::{Method, Request, StatusCode, header};
use serde_json::json;

use super::compliance_support::{DSAR, Walk, refused};
use super::support::{SUBMIT, keys_of};
use crate::http::testing::Answer;

/// Whose data there is, in both contracts: the compliance jobs of [`Walk`] and a request of the other contract.
struct Both {
    walk: Walk,
    /// May do everything.
    key: String,
}

impl Both {
    async fn new() -> Self {
        let walk = Walk::new().await;
        let key = walk.rig.api_key("acme", &Scope::ALL).await;
        Self { walk, key }
    }

    /// A request of the Sombra contract whose bundle can be downloaded: its id and the links that lead to its data.
    async fn downloadable(&self) -> (String, Vec<String>) {
        let rig = &self.walk.rig;
        let body = json!({
            "type": "ACCESS", "subjectType": "customer",
            "subject": { "attestedExtraIdentifiers": {
                "custom": [{ "name": "dataSubjectId", "value": "p-1" }],
            } },
            "formats": ["JSON", "CSV"],
        });
        let answer = rig.post(SUBMIT, &self.key, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.message());
        let id = answer.json()["request"]["id"].as_str().unwrap().to_owned();
        let engine = rig.shared.engine();
        let request: RequestId = id.parse().unwrap();
        let lease = engine.start(&acme(), request, &Actor::System).await.unwrap();
        engine.drive(lease, rig.shutdown.clone()).await;
        let listed = rig.get(&format!("{}?bundle=true", keys_of(&id)), &self.key).await.json();
        let nodes = listed["nodes"].as_array().unwrap();
        assert!(nodes.len() > 2, "{listed}");
        let links = nodes
            .iter()
            .map(|node| format!("/v1/files?downloadKey={}", node["downloadKey"].as_str().unwrap()));
        (id, links.collect())
    }

    async fn latest(&self, id: &str) -> Job {
        let request: RequestId = id.trim_start_matches("dsar:").parse().unwrap();
        self.walk.rig.store().latest_job(&acme(), request).await.unwrap()
    }

    async fn destroy(&self, id: &str) {
        let job = self.latest(id).await.id;
        let destroyed = self.walk.rig.store().destroy_key(job, &Actor::Operator).await.unwrap();
        assert!(destroyed.job.wrapped_key.is_none() && destroyed.job.key_id.is_none());
    }

    async fn fetch(
        &self,
        method: &Method,
        link: &str,
        headers: &[(header::HeaderName, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(link);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.walk.rig.send(request.body("").unwrap()).await
    }
}

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// How a link is asked for.
type Way = (Method, Vec<(header::HeaderName, &'static str)>);

/// The ways of asking for one link; `whole` adds those after which a job is delivered.
fn ways(whole: bool) -> Vec<Way> {
    let mut ways = vec![
        (Method::HEAD, vec![]),
        (Method::HEAD, vec![(header::RANGE, "bytes=0-0")]),
        (Method::GET, vec![(header::RANGE, "bytes=0-1")]),
        (Method::GET, vec![(header::RANGE, "bytes=-1")]),
        (Method::GET, vec![(header::ACCEPT_ENCODING, "gzip"), (header::RANGE, "bytes=1-2")]),
    ];
    if whole {
        ways.extend([
            (Method::GET, vec![]),
            (Method::GET, vec![(header::ACCEPT_ENCODING, "gzip")]),
            (Method::GET, vec![(header::IF_NONE_MATCH, "\"x\"")]),
        ]);
    }
    ways
}

#[tokio::test]
async fn every_link_of_a_destroyed_job_is_gone_and_none_is_made() {
    for delivered in [false, true] {
        let both = Both::new().await;
        let (id, links) = both.downloadable().await;
        for link in &links {
            for (method, headers) in ways(delivered) {
                let answer = both.fetch(&method, link, &headers).await;
                assert!(answer.status.is_success(), "{method} {headers:?}: {}", answer.status);
            }
        }
        both.walk.recorded().await;
        let state = if delivered { JobState::Delivered } else { JobState::Ready };
        assert_eq!(both.latest(&id).await.state, state);
        let (_, theirs) = both.downloadable().await;
        both.destroy(&id).await;
        for link in &links {
            for (method, headers) in ways(true) {
                let answer = both.fetch(&method, link, &headers).await;
                let what = format!("{method} {headers:?}: {}", answer.message());
                assert_eq!(answer.status, StatusCode::GONE, "{what}");
                // The published client skips the file when it finds these words.
                let told = answer.message().contains("fileMetadata#verify");
                assert!(told || (method == Method::HEAD && answer.bytes.is_empty()), "{what}");
            }
        }
        for query in ["", "?bundle=true", "?limit=1&offset=1"] {
            let path = format!("{}{query}", keys_of(&id));
            let answer = both.walk.rig.get(&path, &both.key).await;
            assert_eq!(answer.status, StatusCode::GONE, "{query}");
            assert_eq!(answer.json()["code"], "bundle_destroyed");
        }
        // Where it stands can still be asked, and other jobs are as they were.
        let poll = both.walk.rig.get(&format!("{SUBMIT}/{id}"), &both.key).await;
        assert_eq!(poll.status, StatusCode::OK);
        let poll = poll.json();
        assert_eq!(poll["job"]["state"], "EXPIRED");
        // The checksum of a small content confirms a guess of it; that of the zip does not.
        assert!(poll.get("contentSha256").is_none() && poll["bundleSha256"].is_string(), "{poll}");
        assert_eq!(both.fetch(&Method::GET, &theirs[0], &[]).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn every_call_of_the_compliance_contract_answers_by_the_state_of_a_destroyed_job() {
    for state in ["READY", "DELIVERED", "REQUESTED"] {
        for format in ["JSON", "CSV"] {
            let both = Both::new().await;
            let walk = &both.walk;
            let body = json!({ "scope": { "dataSubjectId": "p-1" }, "format": format });
            let id = walk.create(&body).await.id;
            let mut link = None;
            if state != "REQUESTED" {
                assert_eq!(walk.run(&id).await.status, StatusCode::OK);
                link = walk.job(&id).await.delivery.unwrap().bundle_url;
            }
            if state == "DELIVERED" {
                assert_eq!(walk.download(&id).await.status, StatusCode::OK);
                walk.recorded().await;
            }
            assert_eq!(walk.job(&id).await.state, state);
            both.destroy(&id).await;

            let after = if state == "REQUESTED" { "CANCELLED" } else { "EXPIRED" };
            for (method, call) in [
                (Method::GET, "download"),
                (Method::HEAD, "download"),
                (Method::POST, "run"),
                (Method::POST, "cancel"),
            ] {
                let answer = walk.ask(method.clone(), &format!("{DSAR}/{id}/{call}"), "").await;
                assert_eq!(answer.status, StatusCode::CONFLICT, "{state} {format} {method} {call}");
                if method != Method::HEAD {
                    let fault = refused(&answer, StatusCode::CONFLICT, "INVALID_STATE");
                    assert_eq!(fault.context, json!({ "state": after }), "{method} {call}");
                }
            }
            let job = walk.job(&id).await;
            assert_eq!(job.state, after);
            assert_eq!(job.delivery.and_then(|delivery| delivery.bundle_url), None);
            if let Some(link) = link {
                let path = link.strip_prefix("http://127.0.0.1:5039").unwrap();
                for (method, headers) in ways(true) {
                    let answer = both.fetch(&method, path, &headers).await;
                    assert_eq!(answer.status, StatusCode::GONE, "{method} {headers:?}");
                }
            }
            both.destroy(&id).await;
        }
    }
}

#[tokio::test]
async fn a_request_whose_job_was_destroyed_before_it_was_done_is_gone() {
    let both = Both::new().await;
    let id = both.walk.rig.submit(&both.key, "a@example.org").await;
    both.destroy(&id).await;
    let answer = both.walk.rig.get(&keys_of(&id), &both.key).await;
    assert_eq!(answer.status, StatusCode::GONE);
    assert_eq!(answer.json()["code"], "bundle_destroyed");
    // The person may ask again.
    both.walk.rig.submit(&both.key, "a@example.org").await;
}
