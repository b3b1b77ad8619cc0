//! A root of the keys that does not answer: 503 with a time to come again where a key is needed, everything else as always.

use antumbra_crypto::Retry;
use antumbra_jobs::{ListQuery, Scope, TenantId};
use http::{Method, Request, StatusCode, header};
use serde_json::json;

use super::compliance_support::{DSAR, Walk, decode, refused};
use super::support::{SUBMIT, keys_of};
use crate::http::testing::Answer;

fn later(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
    let seconds: u32 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{what}: {seconds}");
    says_nothing(answer, what);
}

/// What a provider says is for the log.
fn says_nothing(answer: &Answer, what: &str) {
    let text = String::from_utf8_lossy(&answer.bytes);
    assert!(!text.contains("vault.example") && !text.contains("local:"), "{what}: {text}");
}

#[tokio::test]
async fn a_submission_without_a_root_is_not_recorded_and_told_to_come_again() {
    let walk = Walk::new().await;
    let key = walk.rig.api_key("acme", &Scope::ALL).await;
    let sombra = json!({ "type": "ACCESS", "subjectType": "customer", "subject": { "email": "a@example.org" } });
    let compliance = json!({ "scope": { "dataSubjectId": "p-1" } });
    for (off, status) in [
        (Retry::Later, StatusCode::SERVICE_UNAVAILABLE),
        (Retry::Operator, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        walk.rig.root.switch(Some(off));
        let answer = walk.rig.post(SUBMIT, &key, &sombra).await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!("root_key_unusable")));
        let created = walk.post(DSAR, &compliance).await;
        let code = if off == Retry::Later { "UNAVAILABLE" } else { "INTERNAL" };
        refused(&created, status, code);
        for answer in [answer, created] {
            if off == Retry::Later {
                later(&answer, "submit");
            } else {
                assert!(!answer.headers.contains_key(header::RETRY_AFTER));
                says_nothing(&answer, "submit");
            }
        }
    }
    let query = ListQuery { family: None, state: None, limit: 10, after: None };
    let acme = TenantId::new("acme").unwrap();
    assert_eq!(walk.rig.store().list(&acme, query).await.unwrap().total, 0);
    walk.rig.root.switch(None);
    walk.rig.submit(&key, "a@example.org").await;
    walk.person().await;
}

#[tokio::test]
async fn what_needs_a_key_is_503_until_the_root_answers_and_what_needs_none_goes_on() {
    let walk = Walk::new().await;
    let job = walk.ready().await;
    let link = job.delivery.unwrap().bundle_url.unwrap();
    let link = link.strip_prefix("http://127.0.0.1:5039").unwrap();
    let fetch = async |method: Method, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri(link);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        walk.rig.send(request.body("").unwrap()).await
    };
    let whole = fetch(Method::GET, &[]).await.bytes;
    let artifact = walk.download(&job.id).await.bytes;
    walk.recorded().await;

    walk.rig.root.switch(Some(Retry::Later));
    later(&fetch(Method::GET, &[]).await, "bundle");
    later(&fetch(Method::GET, &[("range", "bytes=0-9")]).await, "range");
    later(&fetch(Method::HEAD, &[]).await, "head");
    let answer = walk.download(&job.id).await;
    later(&answer, "artifact");
    refused(&answer, StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE");
    let path = format!("{DSAR}/{}/download", job.id);
    later(&walk.ask(Method::HEAD, &path, "").await, "head of the artifact");
    // Looking, listing and cancelling need no key of a job.
    assert_eq!(walk.job(&job.id).await.state, "DELIVERED");
    assert_eq!(walk.get(DSAR).await.status, StatusCode::OK);
    let health = walk.rig.send(Request::get("/health").body("").unwrap()).await;
    assert_eq!(health.status, StatusCode::OK);

    walk.rig.root.switch(Some(Retry::Operator));
    for answer in [fetch(Method::GET, &[]).await, walk.download(&job.id).await] {
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        says_nothing(&answer, "a root that refuses");
    }
    walk.rig.root.switch(None);
    assert_eq!(fetch(Method::GET, &[]).await.bytes, whole);
    assert_eq!(walk.download(&job.id).await.bytes, artifact);
}

#[tokio::test]
async fn a_run_waits_for_the_root_and_a_poll_says_so() {
    let walk = Walk::new().await;
    let key = walk.rig.api_key("acme", &Scope::ALL).await;
    let id = walk.person().await.id;
    let request = walk.rig.submit(&key, "a@example.org").await;
    walk.rig.root.switch(Some(Retry::Later));
    let engine = walk.rig.shared.engine();
    let acme = TenantId::new("acme").unwrap();
    let actor = antumbra_jobs::Actor::System;
    let lease = engine.start(&acme, request.parse().unwrap(), &actor).await.unwrap();
    let poll = async || walk.rig.get(&format!("{SUBMIT}/{request}"), &key).await.json();
    assert_eq!(poll().await["progress"].get("waitsFor"), None);
    let (ran, (), ()) =
        tokio::join!(walk.run(&id), engine.drive(lease, walk.rig.shutdown.clone()), async {
            while poll().await["progress"]["waitsFor"] != "root-key" {
                tokio::task::yield_now().await;
            }
            assert_eq!(walk.job(&id).await.state, "REQUESTED");
            // Whoever asks for links meanwhile is told that there are none yet.
            assert_eq!(walk.rig.get(&keys_of(&request), &key).await.json()["totalCount"], 0);
            walk.rig.root.switch(None);
        });
    let done: super::compliance_support::Done = decode(&ran);
    assert_eq!(done.job.state, "READY");
    let polled = poll().await;
    assert_eq!((&polled["job"]["leases"], polled["progress"].get("waitsFor")), (&json!(1), None));
}
