//! Both keys, each wrong in every way; scopes; tenants.

use antumbra_jobs::Scope;
use http::{Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::support::{NOBODY, SUBMIT, keys_of, refused_in_shape};
use crate::http::testing::{Answer, Rig};

#[tokio::test]
async fn wrong_keys_of_every_kind_stay_outside() {
    let rig = Rig::new().await;
    let good = format!("Bearer {}", rig.api_key("acme", &Scope::ALL).await);
    let gate = format!("Bearer {}", rig.gateway_key);
    let (api, sombra) = ("authorization", "x-sombra-authorization");
    let unlisted = "Bearer AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let unknown = format!("Bearer ant_{}", "A".repeat(43));
    let cases = [
        ("no header", Vec::<(&str, &str)>::new()),
        ("no gateway key", vec![(api, &good)]),
        ("no API key", vec![(sombra, &gate)]),
        ("unlisted gateway key", vec![(api, &good), (sombra, unlisted)]),
        ("gateway key that is no base64", vec![(api, &good), (sombra, "Bearer ~~~")]),
        ("gateway key without a scheme", vec![(api, &good), (sombra, &rig.gateway_key)]),
        ("gateway key twice", vec![(api, &good), (sombra, &gate), (sombra, &gate)]),
        ("unknown API key", vec![(api, &unknown), (sombra, &gate)]),
        ("malformed API key", vec![(api, "Bearer x"), (sombra, &gate)]),
        ("API key in another scheme", vec![(api, "Basic eDp5"), (sombra, &gate)]),
        ("API key twice", vec![(api, &good), (api, &good), (sombra, &gate)]),
        ("keys in each other's place", vec![(api, &gate), (sombra, &good)]),
    ];
    for (what, headers) in cases {
        for answer in knock(&rig, &headers).await {
            refused_in_shape(&answer, what);
        }
    }
    // The same door opens with both keys: what follows is about the body and the id.
    let inside: Vec<_> =
        knock(&rig, &[(api, &good), (sombra, &gate)]).await.iter().map(|a| a.status).collect();
    assert_eq!(inside, [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::NOT_FOUND]);
}

#[tokio::test]
async fn without_listed_hashes_nobody_comes_in() {
    let rig = Rig::with(|settings| settings.gateway.internal_key_hashes.clear()).await;
    let good = rig.api_key("acme", &Scope::ALL).await;
    refused_in_shape(&rig.get(NOBODY, &good).await, "no hash listed");
}

#[tokio::test]
async fn the_gateway_key_of_the_contracts_test_vector_is_admitted() {
    let rig = Rig::with(|settings| {
        let hash = "Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0=";
        settings.gateway.internal_key_hashes.push(hash.parse().unwrap());
    })
    .await;
    let api = format!("Bearer {}", rig.api_key("acme", &Scope::ALL).await);
    let vector = "Bearer AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let headers = [("authorization", api.as_str()), ("x-sombra-authorization", vector)];
    assert_eq!(knock(&rig, &headers).await[1].status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_ends_when_it_is_revoked_or_its_time_is_over() {
    let rig = Rig::new().await;
    let until: Timestamp = "2026-03-04T06:00:00Z".parse().unwrap();
    let brief = rig.api_key_until("acme", &Scope::ALL, Some(until)).await;
    assert_eq!(rig.get(NOBODY, &brief).await.status, StatusCode::NOT_FOUND);
    rig.clock.advance(SignedDuration::from_hours(1));
    refused_in_shape(&rig.get(NOBODY, &brief).await, "expired");

    let key = rig.api_key("acme", &Scope::ALL).await;
    assert_eq!(rig.get(NOBODY, &key).await.status, StatusCode::NOT_FOUND);
    let hash = antumbra_crypto::api_key::hash(&key);
    let record = rig.store().find_api_key(&hash).await.unwrap().unwrap();
    rig.store().revoke_api_key(record.id).await.unwrap();
    refused_in_shape(&rig.get(NOBODY, &key).await, "revoked");
}

#[tokio::test]
async fn each_route_asks_for_its_own_scope() {
    let rig = Rig::new().await;
    let routes = [
        (Scope::RequestSubmit, Method::POST, SUBMIT.to_owned()),
        (Scope::RequestRead, Method::GET, NOBODY.to_owned()),
        (Scope::CompilationRead, Method::GET, format!("{NOBODY}/download-keys")),
    ];
    for (needed, method, path) in routes {
        let others: Vec<_> = Scope::ALL.into_iter().filter(|scope| *scope != needed).collect();
        let key = rig.api_key("acme", &others).await;
        let answer = rig.send(rig.request(method, &path, &key).body("").unwrap()).await;
        refused_in_shape(&answer, &path);
        assert!(answer.message().contains(needed.as_str()), "{}", answer.message());
    }
}

#[tokio::test]
async fn another_tenants_request_does_not_exist() {
    let rig = Rig::new().await;
    let ours = rig.api_key("acme", &Scope::ALL).await;
    let theirs = rig.api_key("other", &Scope::ALL).await;
    let id = rig.submit(&ours, "a@example.org").await;
    for path in [format!("{SUBMIT}/{id}"), keys_of(&id)] {
        assert_eq!(rig.get(&path, &ours).await.status, StatusCode::OK);
        let hidden = rig.get(&path, &theirs).await;
        assert_eq!(hidden.status, StatusCode::NOT_FOUND);
        let absent =
            rig.get(&path.replace(&id, "01890000-0000-7000-8000-000000000000"), &theirs).await;
        assert_eq!(hidden.bytes, absent.bytes, "an answer must not tell whose the request is");
    }
    // Another tenant's open request is no duplicate of theirs.
    rig.submit(&theirs, "a@example.org").await;
}

/// Sends a GET with exactly these headers to each route behind both keys.
async fn knock(rig: &Rig, headers: &[(&str, &str)]) -> Vec<Answer> {
    let mut answers = Vec::new();
    let routes = [
        (Method::POST, SUBMIT.to_owned()),
        (Method::GET, NOBODY.to_owned()),
        (Method::GET, format!("{NOBODY}/download-keys")),
    ];
    for (method, path) in routes {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answers.push(rig.send(request.body("").unwrap()).await);
    }
    answers
}
