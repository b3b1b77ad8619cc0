//! What answers look like, golden files included.

use antumbra_config::{Datapoint, DatapointKind, Silo, SiloKind, Source};
use antumbra_jobs::Scope;
use http::{Method, Request, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::support::{SUBMIT, keys_of};
use crate::http::testing::{Rig, file};

#[tokio::test]
async fn public_key_and_health_ask_for_no_key() {
    let rig = Rig::new().await;
    let get = |path: &str| rig.send(Request::get(path.to_owned()).body("").unwrap());
    let key = get("/public-keys/sombra-general-signing-key").await;
    assert_eq!(key.status, StatusCode::OK);
    assert_eq!(key.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    let text = String::from_utf8(key.bytes.to_vec()).unwrap();
    let start = "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE";
    assert!(text.starts_with(start) && text.ends_with("-----END PUBLIC KEY-----\n"), "{text}");

    let health = get("/health").await;
    let found = json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "disk": null });
    assert_eq!(health.json(), found);
    assert_eq!(health.headers[header::CACHE_CONTROL], "no-store");
    assert!(health.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let rig = Rig::new().await;
    let get = rig.send(Request::get("/health").body("").unwrap()).await;
    let head = rig.send(Request::head("/health").body("").unwrap()).await;
    assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
    assert_eq!(head.headers[header::CONTENT_LENGTH], get.bytes.len().to_string());
}

#[tokio::test]
async fn unknown_paths_and_methods_have_their_familys_shape() {
    let rig = Rig::new().await;
    let sombra = rig.send(Request::get("/v1/custom/sign").body("").unwrap()).await;
    assert_eq!(sombra.status, StatusCode::NOT_FOUND);
    assert_eq!(sombra.headers[header::CONTENT_TYPE], "application/json");
    let expected =
        json!({ "message": "no such path", "error": "no such path", "code": "not_found" });
    assert_eq!(sombra.json(), expected);

    let other = rig.send(Request::get("/jane@example.org").body("").unwrap()).await;
    assert_eq!(other.headers[header::CONTENT_TYPE], "application/problem+json");
    let expected = json!({
        "type": "about:blank", "title": "Not Found", "status": 404, "detail": "no such path",
        "code": "not_found",
    });
    assert_eq!(other.json(), expected);

    let method = rig.send(Request::delete("/v1/files").body("").unwrap()).await;
    assert_eq!(method.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(method.headers[header::ALLOW], "GET, HEAD");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_in_shape() {
    let rig = Rig::with(|settings| settings.listen.body_limit = "1 KiB".parse().unwrap()).await;
    let key = rig.api_key("acme", &Scope::ALL).await;
    let long = json!({ "details": "x".repeat(2000) }).to_string();
    let declared = rig.request(Method::POST, SUBMIT, &key).header("content-length", long.len());
    for request in [declared, rig.request(Method::POST, SUBMIT, &key)] {
        let answer = rig.send(request.body(long.clone()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.json()["code"], "body_too_large");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    }
}

#[tokio::test]
async fn a_duplicate_is_told_in_the_words_the_published_client_looks_for() {
    let rig = Rig::new().await;
    let key = rig.api_key("acme", &Scope::ALL).await;
    rig.submit(&key, "Jane@example.org").await;
    let body = json!({
        "type": "ACCESS", "subjectType": "customer", "subject": { "email": "jane@example.org" },
    });
    let answer = rig.post(SUBMIT, &key, &body).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.message(), "Client error: You have already made this request.");
    // The client's regular expression runs over the raw text: `{\"message\":\"(.+?)\",`
    let raw = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let escaped = r#"{\"message\":\"Client error: You have already made this request.\","#;
    assert!(raw.contains(escaped), "{raw}");
}

#[tokio::test]
async fn a_submitted_request_has_every_field_clients_decode() {
    let rig = Rig::new().await;
    let key = rig.api_key("acme", &Scope::ALL).await;
    let body = json!({
        "type": "ACCESS", "subjectType": "customer", "isSilent": true, "locale": "de-DE",
        "formats": ["JSON", "PARQUET"],
        "region": { "country": "DE" },
        "attributes": [{ "key": "tier", "values": ["gold", "old"] }],
        "subject": { "email": "a@example.org", "coreIdentifier": "c-1" },
    });
    let answer = rig.post(SUBMIT, &key, &body).await;
    let id = answer.json()["request"]["id"].as_str().unwrap().to_owned();
    golden(&answer.json(), include_str!("../../../golden/submit.json"), &[(&id, "REQUEST")]);
}

#[tokio::test]
async fn polling_shows_a_ready_request_whole() {
    let rig = Rig::new().await;
    let key = rig.api_key("acme", &Scope::ALL).await;
    let id = rig.submit(&key, "a@example.org").await;
    let path = format!("{SUBMIT}/{id}");
    assert_eq!(rig.get(&path, &key).await.json()["status"], "REQUEST_MADE");
    let job = rig.publish(vec![file("shop/orders.json", "JSON", "application/json", 10)]).await;
    let names = [(id.as_str(), "REQUEST"), (&job.to_string(), "JOB")];
    golden(&rig.get(&path, &key).await.json(), include_str!("../../../golden/poll.json"), &names);

    rig.clock.advance(SignedDuration::from_hours(49));
    let gone = rig.get(&path, &key).await.json();
    assert_eq!((&gone["status"], &gone["job"]["state"]), (&json!("ARCHIVED"), &json!("EXPIRED")));
    let keys = rig.get(&keys_of(&id), &key).await;
    assert_eq!((keys.status, &keys.json()["code"]), (StatusCode::GONE, &json!("bundle_expired")));
}

#[tokio::test]
async fn a_failed_job_names_sections_and_not_what_the_silo_said() {
    let rig = Rig::new().await;
    let key = rig.api_key("acme", &Scope::ALL).await;
    let id = rig.submit(&key, "a@example.org").await;
    let worker = antumbra_jobs::WorkerId::generate();
    let lease =
        rig.store().lease(&worker, std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    rig.store().fail(&lease, "silo_failed", "row of a@example.org is broken").await.unwrap();
    let body = rig.get(&format!("{SUBMIT}/{id}"), &key).await.json();
    assert_eq!(body["status"], "CANCELED");
    assert_eq!(body["failure"]["code"], "silo_failed");
    assert!(!body["failure"].to_string().contains('@'), "{body}");
    let keys = rig.get(&keys_of(&id), &key).await.json();
    assert_eq!((&keys["totalCount"], &keys["nodes"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn download_keys_list_files_page_by_page() {
    let rig = Rig::with(|settings| settings.silos.push(shop())).await;
    let key = rig.api_key("acme", &Scope::ALL).await;
    let id = rig.submit(&key, "a@example.org").await;
    let path = keys_of(&id);
    assert_eq!(rig.get(&path, &key).await.json()["totalCount"], 0, "nothing is ready");

    rig.publish(vec![
        file("shop/orders.json", "JSON", "application/json", 10),
        file("shop/orders.parquet", "PARQUET", "application/vnd.apache.parquet", 20),
        file("report/index.html", "HTML", "text/html", 30),
    ])
    .await;
    let all = rig.get(&format!("{path}?limit=100&bundle=true"), &key).await.json();
    let again = rig.get(&format!("{path}?limit=100&bundle=true"), &key).await.json();
    assert_eq!(all, again, "asking twice hands out nothing new");
    let tokens: Vec<_> = all["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["downloadKey"].as_str().unwrap())
        .collect();
    let mut names = vec![(id.as_str(), "REQUEST")];
    names.extend(tokens.iter().zip(["KEY-0", "KEY-1", "KEY-2", "KEY-3"]).map(|(k, n)| (*k, n)));
    golden(&all, include_str!("../../../golden/download_keys.json"), &names);

    let mut seen = Vec::new();
    let mut next = Some(format!("{path}?limit=2"));
    while let Some(url) = next {
        let page = rig.get(&url, &key).await.json();
        assert_eq!(page["totalCount"], 3);
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["fileName"].clone()));
        assert_eq!(page["_links"]["previous"], page["_links"]["prev"]);
        next = page["_links"]["next"].as_str().map(|url| url.replace("http://127.0.0.1:5039", ""));
    }
    assert_eq!(seen, ["shop/orders.json", "shop/orders.parquet", "report/index.html"]);

    for query in ["limit=0", "limit=101", "offset=-1", "bundle=yes", "limit=1&limit=2"] {
        let answer = rig.get(&format!("{path}?{query}"), &key).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn sizes_are_numbers_where_settings_say_so() {
    let rig = Rig::with(|settings| settings.sombra.size_type = "number".parse().unwrap()).await;
    let key = rig.api_key("acme", &Scope::ALL).await;
    let id = rig.submit(&key, "a@example.org").await;
    rig.publish(vec![file("shop/orders.json", "JSON", "application/json", 10)]).await;
    let body = rig.get(&keys_of(&id), &key).await.json();
    assert_eq!(body["nodes"][0]["size"], json!(10));
}

/// Describes the silo that the published files come from.
fn shop() -> Silo {
    let datapoint = Datapoint {
        name: "orders".parse().unwrap(),
        title: Some("Orders".to_owned()),
        description: Some("What was bought".to_owned()),
        source: Source::Query { sql: "select 1".to_owned(), tenant_sql: None },
        matches: Vec::new(),
        provides: Vec::new(),
        key: Vec::new(),
        time_column: None,
        filter: Vec::new(),
        redact: Vec::new(),
        columns: Vec::new(),
        partitions: None,
        kind: DatapointKind::Data,
    };
    let path = "shop.db".into();
    let busy_timeout = "5s".parse().unwrap();
    Silo {
        name: "shop".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        kind: SiloKind::Sqlite { path, busy_timeout },
        limits: antumbra_config::SiloLimits::default(),
        datapoints: vec![datapoint],
    }
}

/// Compares an answer with a golden file, ids and keys replaced by names.
fn golden(answer: &Value, expected: &str, names: &[(&str, &str)]) {
    let mut text = serde_json::to_string_pretty(answer).unwrap();
    for (value, name) in names {
        text = text.replace(value, name);
    }
    let answer: Value = serde_json::from_str(&text).unwrap();
    let expected: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(answer, expected, "the answer changed:\n{text}");
}
