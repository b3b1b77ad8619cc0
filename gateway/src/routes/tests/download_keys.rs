//! Download keys: altered, foreign, expired, and whose grant says otherwise.

use antumbra_jobs::{GRANT_BUNDLE, GrantId, NewGrant, Scope, TenantId};
use http::{Request, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use super::support::{keys_of, refused_in_shape};
use crate::delivery::mint;
use crate::http::testing::{Answer, Rig, file};

/// Publishes a bundle and returns the download key of its only file.
async fn download_key(rig: &Rig) -> String {
    let key = rig.api_key("acme", &Scope::ALL).await;
    let id = rig.submit(&key, "a@example.org").await;
    rig.publish(vec![file("shop/orders.json", "JSON", "application/json", 10)]).await;
    let body = rig.get(&keys_of(&id), &key).await.json();
    body["nodes"][0]["downloadKey"].as_str().unwrap().to_owned()
}

async fn fetch(rig: &Rig, key: &str) -> Answer {
    rig.send(Request::get(format!("/v1/files?downloadKey={key}")).body("").unwrap()).await
}

fn says(answer: &Answer, status: StatusCode) {
    assert_eq!(answer.status, status, "{}", answer.message());
    assert!(answer.message().contains("fileMetadata#verify"), "{}", answer.message());
}

#[tokio::test]
async fn a_download_key_that_is_not_ours_opens_nothing() {
    let rig = Rig::new().await;
    let good = download_key(&rig).await;
    let foreign = download_key(&Rig::new().await).await;
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let tokens = rig.shared.engine().ring().tokens();
    let other_use = tokens.sign("antumbra-other", &json!({ "gid": "x" })).unwrap();
    let keys = [
        String::new(),
        "junk".to_owned(),
        foreign,
        other_use,
        format!("{head}.{claims}."),
        format!("{head}.{claims}A.{signature}"),
        format!("{head}.{claims}.{}", signature.chars().rev().collect::<String>()),
    ];
    for key in keys {
        says(&fetch(&rig, &key).await, StatusCode::UNAUTHORIZED);
    }
    says(&rig.send(Request::get("/v1/files").body("").unwrap()).await, StatusCode::UNAUTHORIZED);
    let twice = format!("/v1/files?downloadKey={good}&key={good}");
    let twice = rig.send(Request::get(twice).body("").unwrap()).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_download_key_must_agree_with_its_grant() {
    let rig = Rig::new().await;
    let key = rig.api_key("acme", &Scope::ALL).await;
    rig.submit(&key, "a@example.org").await;
    let job = rig.publish(vec![file("shop/orders.json", "JSON", "application/json", 10)]).await;
    let job = rig.store().job(job).await.unwrap();
    let grants = NewGrant {
        tenant: job.tenant,
        request: job.request,
        job: job.id,
        files: vec!["shop/orders.json".to_owned()],
        ttl: std::time::Duration::from_secs(60),
        actor: antumbra_jobs::Actor::Operator,
    };
    let grant = rig.store().grants(grants).await.unwrap().remove(0);
    let tokens = rig.shared.engine().ring().tokens();
    let fake = |change: &dyn Fn(&mut antumbra_jobs::Grant)| {
        let mut grant = grant.clone();
        change(&mut grant);
        mint(&tokens, &grant).unwrap()
    };
    let fakes = [
        fake(&|grant| grant.file = GRANT_BUNDLE.to_owned()),
        fake(&|grant| grant.tenant = TenantId::new("other").unwrap()),
        fake(&|grant| grant.request = antumbra_jobs::RequestId::generate()),
        fake(&|grant| grant.expires_at += SignedDuration::from_hours(1)),
        fake(&|grant| grant.id = GrantId(uuid::Uuid::now_v7())),
    ];
    for key in fakes {
        says(&fetch(&rig, &key).await, StatusCode::UNAUTHORIZED);
    }
    rig.clock.advance(SignedDuration::from_secs(60));
    says(&fetch(&rig, &fake(&|_| ())).await, StatusCode::GONE);
}

#[tokio::test]
async fn a_bundle_whose_time_is_over_is_gone_even_if_the_key_is_not() {
    let rig = Rig::with(|settings| {
        settings.export.download_key_ttl = "7 days".parse().unwrap();
    })
    .await;
    let key = download_key(&rig).await;
    rig.clock.advance(SignedDuration::from_hours(48));
    says(&fetch(&rig, &key).await, StatusCode::GONE);
}

#[tokio::test]
async fn a_setting_asks_for_the_headers_with_a_download_key() {
    let rig = Rig::with(|settings| settings.sombra.files_require_headers = true).await;
    let key = download_key(&rig).await;
    refused_in_shape(&fetch(&rig, &key).await, "no headers");
    let path = format!("/v1/files?downloadKey={key}");
    let theirs = rig.api_key("other", &Scope::ALL).await;
    assert_eq!(rig.get(&path, &theirs).await.status, StatusCode::NOT_FOUND);
    let blind = rig.api_key("acme", &[Scope::RequestRead]).await;
    refused_in_shape(&rig.get(&path, &blind).await, "scope");
}
