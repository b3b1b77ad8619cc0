//! Who is let into the compliance API, and what everybody else is told.

use antumbra_jobs::Scope;
use http::{Method, Request, StatusCode, header};
use serde_json::json;

use super::compliance_support::{DSAR, NOBODY, Walk, decode, refused};
use crate::http::testing::{Answer, Rig};

/// Every route, on a job that does not exist.
fn routes() -> [(Method, String); 6] {
    [
        (Method::POST, DSAR.to_owned()),
        (Method::GET, DSAR.to_owned()),
        (Method::GET, NOBODY.to_owned()),
        (Method::POST, format!("{NOBODY}/run")),
        (Method::GET, format!("{NOBODY}/download")),
        (Method::POST, format!("{NOBODY}/cancel")),
    ]
}

async fn knock(rig: &Rig, headers: &[(&str, &str)]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (method, path) in routes() {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answers.push(rig.send(request.body("").unwrap()).await);
    }
    answers
}

#[tokio::test]
async fn wrong_keys_of_every_kind_stay_outside() {
    let walk = Walk::new().await;
    let good = format!("Bearer {}", walk.key);
    let gate = format!("Bearer {}", walk.rig.gateway_key);
    let unknown = format!("Bearer ant_{}", "A".repeat(43));
    let cases = [
        ("no header", Vec::new()),
        ("the gateway key alone", vec![("x-sombra-authorization", gate.as_str())]),
        ("the gateway key in its place", vec![("authorization", gate.as_str())]),
        ("an unknown key", vec![("authorization", unknown.as_str())]),
        ("no key at all", vec![("authorization", "Bearer x")]),
        ("another scheme", vec![("authorization", "Basic eDp5")]),
        ("a key twice", vec![("authorization", good.as_str()), ("authorization", &good)]),
    ];
    for (what, headers) in cases {
        for answer in knock(&walk.rig, &headers).await {
            refused(&answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer", "{what}");
        }
    }
    let inside = knock(&walk.rig, &[("authorization", &good)]).await;
    let statuses: Vec<_> = inside.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [400, 200, 404, 404, 404, 404]);
}

#[tokio::test]
async fn every_route_asks_for_the_scope_of_audits() {
    let rig = Rig::new().await;
    let others: Vec<_> =
        Scope::ALL.into_iter().filter(|scope| *scope != Scope::AuditRead).collect();
    let key = format!("Bearer {}", rig.api_key("acme", &others).await);
    for answer in knock(&rig, &[("authorization", &key)]).await {
        let fault = refused(&answer, StatusCode::UNAUTHORIZED, "SCOPE_MISSING");
        assert_eq!(fault.context, json!({ "scope": "audit:read" }));
        assert!(fault.message.contains("audit:read"), "{}", fault.message);
    }
}

#[tokio::test]
async fn the_gateway_key_is_asked_for_where_settings_say_so() {
    let walk = Walk::with(|settings| settings.compliance.requires_gateway_key = true).await;
    let good = format!("Bearer {}", walk.key);
    let gate = format!("Bearer {}", walk.rig.gateway_key);
    for answer in knock(&walk.rig, &[("authorization", &good)]).await {
        refused(&answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    }
    let both = [("authorization", good.as_str()), ("x-sombra-authorization", gate.as_str())];
    assert_eq!(knock(&walk.rig, &both).await[1].status, StatusCode::OK);
}

#[tokio::test]
async fn another_tenants_job_does_not_exist() {
    let walk = Walk::new().await;
    let id = walk.ready().await.id;
    let theirs = walk.rig.api_key("other", &[Scope::AuditRead]).await;
    for (method, path) in routes().into_iter().skip(2) {
        let ask = |path: String| {
            let request = walk.rig.request(method.clone(), &path, &theirs).body("").unwrap();
            walk.rig.send(request)
        };
        let hidden = ask(path.replace("dsar:01890000-0000-7000-8000-000000000000", &id)).await;
        refused(&hidden, StatusCode::NOT_FOUND, "NOT_FOUND");
        assert_eq!(hidden.bytes, ask(path).await.bytes, "an answer must not tell whose the job is");
    }
    let listed = walk.rig.get(DSAR, &theirs).await;
    assert_eq!(listed.json()["data"]["total"], 0);
    assert_eq!(walk.job(&id).await.state, "READY", "what they tried changed nothing");
}

#[tokio::test]
async fn a_request_of_the_other_contract_is_no_job_of_this_one() {
    let walk = Walk::new().await;
    let all = walk.rig.api_key("acme", &Scope::ALL).await;
    let request = walk.rig.submit(&all, "a@example.org").await;
    for (method, path) in routes().into_iter().skip(2) {
        let path = path.replace("01890000-0000-7000-8000-000000000000", &request);
        refused(&walk.ask(method, &path, "").await, StatusCode::NOT_FOUND, "NOT_FOUND");
    }
    assert_eq!(walk.get(DSAR).await.json()["data"]["total"], 0);

    // Nor the other way round: without the scope of audits there is no export of a whole tenant.
    let id = walk.create(&json!({ "scope": {} })).await.id;
    assert_eq!(walk.run(&id).await.status, StatusCode::OK);
    let id = id.trim_start_matches("dsar:");
    for path in ["", "/download-keys?bundle=true"] {
        let answer = walk.rig.get(&format!("/v1/data-subject-request/{id}{path}"), &all).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn an_id_may_have_its_colon_encoded_and_must_be_one() {
    let walk = Walk::new().await;
    let id = walk.person().await.id;
    let encoded = id.replace(':', "%3A");
    let job =
        decode::<super::compliance_support::OneJob>(&walk.get(&format!("{DSAR}/{encoded}")).await);
    assert_eq!(job.job.id, id);
    let bare = id.trim_start_matches("dsar:");
    for id in [bare, "dsar:", "dsar:7", "x", "%FF", "dsar%253A7", &format!("job:{bare}")] {
        let answer = walk.get(&format!("{DSAR}/{id}")).await;
        let fault = refused(&answer, StatusCode::NOT_FOUND, "NOT_FOUND");
        assert_eq!(fault.message, "no such job");
    }
}

#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let walk = Walk::with(|settings| settings.compliance.enabled = false).await;
    for (method, path) in routes() {
        for method in [method, Method::DELETE] {
            let fault = walk.ask(method, &path, "{}").await;
            refused(&fault, StatusCode::NOT_FOUND, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn the_layers_refuse_in_the_envelope_too() {
    let walk = Walk::with(|settings| {
        settings.listen.body_limit = "1 KiB".parse().unwrap();
    })
    .await;
    let long = json!({ "scope": {}, "requestNotes": "x".repeat(2000) });
    let answer = walk.post(DSAR, &long).await;
    refused(&answer, StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE");
    for path in ["/v1/compliance", "/v1/compliance/", "/v1/compliance/export"] {
        refused(&walk.get(path).await, StatusCode::NOT_FOUND, "NOT_FOUND");
    }
    let answer = walk.ask(Method::DELETE, DSAR, "").await;
    refused(&answer, StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED");
    let allowed = answer.headers[header::ALLOW].to_str().unwrap();
    assert!(allowed.contains("POST") && allowed.contains("GET, HEAD"), "{allowed}");
    // Its neighbour keeps its own shape.
    assert_eq!(walk.get("/v1/compliance-x").await.json()["code"], "not_found");
}
