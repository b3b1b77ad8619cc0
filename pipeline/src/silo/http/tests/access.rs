//! Who calls, and where to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antumbra_config::{Count, HttpAuth, Period, SecretRef};
use futures::future::join_all;

use super::stub::{Stub, json, reply};
use super::{endpoint, ids, items, read, refused, section, settings, silo, with_resolver};
use crate::SiloError;
use crate::silo::http::connect::{Found, Resolve};
use crate::silo::{Identifiers, Silo};

/// Leads a name to one address after the other, the last one for ever.
struct Rebinding(Vec<&'static str>, AtomicUsize);

impl Resolve for Rebinding {
    fn resolve(&self, _: String, port: u16) -> Found {
        let at = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len() - 1);
        let found = vec![SocketAddr::new(self.0[at].parse().unwrap(), port)];
        Box::pin(async move { Ok(found) })
    }
}

fn secret() -> SecretRef {
    SecretRef::Env("API_SECRET".to_owned())
}

#[tokio::test]
async fn a_name_that_comes_to_lead_elsewhere_is_refused() {
    // Every answer ends its connection, so that each request is a new one.
    let stub = Stub::start(|_, _| b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[]".to_vec()).await;
    let base = format!("http://api.example:{}", stub.address.port());
    for (allowed, addresses, answered) in [
        (&[][..], &["127.0.0.1"][..], 0),
        (&[], &["169.254.169.254"], 0),
        (&[], &["::1"], 0),
        (&[], &["::ffff:127.0.0.1"], 0),
        (&["api.example"], &["169.254.169.254"], 0),
        (&["other.example"], &["127.0.0.1"], 0),
        (&["127.0.0.1"], &["127.0.0.1", "127.0.0.2"], 1),
        (&["api.example"], &["127.0.0.1", "169.254.169.254"], 1),
    ] {
        let mut settings = settings(&base);
        settings.allow_private = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        let resolver = Rebinding(addresses.to_vec(), AtomicUsize::new(0));
        let silo = with_resolver(&settings, Arc::new(resolver));
        let before = stub.lines().len();
        let section = section(&endpoint("/x", &[]));
        let mut last = Ok(());
        for _ in 0..2 {
            last = read(&silo, &section, &Identifiers::new()).await.map(drop);
        }
        let error = last.unwrap_err();
        assert!(
            matches!(&error, SiloError::Settings { what } if what.contains("allow_private")),
            "{error}"
        );
        assert_eq!(stub.lines().len() - before, answered, "{addresses:?}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_written() {
    let stub = Stub::start(|_, _| json("[]")).await;
    let port = stub.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "2130706433",
        "0x7f.1",
        "0",
        "127.1",
    ] {
        let mut settings = settings(&format!("http://{host}:{port}"));
        settings.allow_private.clear();
        let error = refused(&settings, &endpoint("/x", &[])).await;
        assert!(error.to_string().contains("allow_private"), "{host}: {error}");
        let mut session = silo(&settings).connect().await.unwrap();
        let section = section(&endpoint("/x", &[]));
        session.explain(&section, &Identifiers::new()).await.unwrap_err();
    }
    assert!(stub.lines().is_empty());
}

#[tokio::test]
async fn credentials_are_sent_as_settings_say() {
    let stub = Stub::start(|_, _| json(&items(0..1))).await;
    for (auth, name, value) in [
        (HttpAuth::Bearer(secret()), "authorization", "Bearer canary-secret"),
        (
            HttpAuth::Basic { username: "me".to_owned(), password: secret() },
            "authorization",
            "Basic bWU6Y2FuYXJ5LXNlY3JldA==",
        ),
        (HttpAuth::Header { name: "x-key".to_owned(), value: secret() }, "x-key", "canary-secret"),
    ] {
        let mut settings = settings(&stub.url());
        settings.auth = auth;
        let silo = silo(&settings);
        assert!(!format!("{silo:?}").contains("canary"));
        read(&silo, &section(&endpoint("/x", &[])), &Identifiers::new()).await.unwrap();
        let received = stub.received().pop().unwrap();
        assert_eq!(received.header(name), Some(value));
        assert_eq!(received.header("x-canary"), Some("canary-header"));
    }
    let mut settings = settings(&stub.url());
    settings.auth = HttpAuth::Bearer(SecretRef::Env("NONE".to_owned()));
    assert!(super::super::HttpSilo::new(&settings, &[]).is_err());
}

#[tokio::test]
async fn a_secret_that_is_refused_is_read_again_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "canary-old").unwrap();
    let stub = Stub::start(|_, asked| match asked.header("authorization") {
        Some("Bearer canary-new") => json(&items(0..1)),
        _ => reply(401, "", "canary"),
    })
    .await;
    let mut settings = settings(&stub.url());
    settings.auth = HttpAuth::Bearer(SecretRef::File(path.clone()));
    let error = refused(&settings, &endpoint("/x", &[])).await;
    assert!(matches!(error, SiloError::Settings { .. }), "{error}");
    assert_eq!(stub.lines().len(), 2);
    let silo = silo(&settings);
    let section = section(&endpoint("/x", &[]));
    read(&silo, &section, &Identifiers::new()).await.unwrap_err();
    std::fs::write(&path, "canary-new").unwrap();
    let (_, batches) = read(&silo, &section, &Identifiers::new()).await.unwrap();
    assert_eq!(ids(&batches), [0]);
}

/// A service and the place its tokens come from, on one port; a token is good for `uses` requests.
async fn with_tokens(uses: usize, form_only: bool) -> (Stub, antumbra_config::HttpSilo) {
    let issued = Arc::new(AtomicUsize::new(0));
    let used = Arc::new(AtomicUsize::new(0));
    let stub = Stub::start(move |_, asked| {
        if asked.line == "POST /token" {
            let basic = asked.header("authorization") == Some("Basic bWU6Y2FuYXJ5LXNlY3JldA==");
            let form = asked.body.contains("client_id=me&client_secret=canary-secret");
            assert!(asked.body.starts_with("grant_type=client_credentials&scope=read+all"));
            assert!(basic || form, "one of them is always sent");
            if form_only && !form {
                return reply(401, "", "{\"error\":\"invalid_client\",\"canary\":1}");
            }
            let number = issued.fetch_add(1, Ordering::SeqCst);
            used.store(0, Ordering::SeqCst);
            let token = format!("{{\"access_token\":\"canary-{number}\",\"token_type\":\"Bearer\",\"expires_in\":3600}}");
            return json(&token);
        }
        let newest = issued.load(Ordering::SeqCst).checked_sub(1).map(|number| format!("Bearer canary-{number}"));
        if newest.is_none() || asked.header("authorization") != newest.as_deref() || used.fetch_add(1, Ordering::SeqCst) >= uses {
            return reply(401, "", "canary");
        }
        json(&items(0..1))
    })
    .await;
    let mut settings = settings(&stub.url());
    settings.auth = HttpAuth::ClientCredentials {
        token_url: format!("{}/token", stub.url()),
        client_id: "me".to_owned(),
        client_secret: secret(),
        scope: Some("read all".to_owned()),
        audience: None,
    };
    (stub, settings)
}

fn tokens_asked(stub: &Stub) -> usize {
    stub.lines().iter().filter(|line| line.starts_with("POST")).count()
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_that_wait_for_it() {
    let (stub, settings) = with_tokens(usize::MAX, false).await;
    let silo = silo(&settings);
    let section = section(&endpoint("/x", &[]));
    let known = Identifiers::new();
    let all = join_all((0..8).map(|_| read(&silo, &section, &known))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(tokens_asked(&stub), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew_once() {
    let (stub, settings) = with_tokens(1, true).await;
    let silo = silo(&settings);
    let section = section(&endpoint("/x", &[]));
    for _ in 0..3 {
        read(&silo, &section, &Identifiers::new()).await.unwrap();
    }
    // Each is asked for twice, because this server takes the secret in the form only.
    assert_eq!(tokens_asked(&stub), 6);
    let (stub, settings) = with_tokens(0, false).await;
    let error = refused(&settings, &endpoint("/x", &[])).await;
    assert!(matches!(error, SiloError::Settings { .. }), "{error}");
    assert_eq!(tokens_asked(&stub), 2);
}

#[tokio::test]
async fn a_place_for_tokens_that_gives_none_is_an_error() {
    for answer in [
        reply(403, "", "canary"),
        json("{\"canary\":1}"),
        json("canary"),
        json("{\"access_token\":\"canary\",\"token_type\":\"mac\"}"),
        json("{\"access_token\":\"canary\\n\"}"),
        reply(302, "location: http://169.254.169.254/\r\n", ""),
    ] {
        let place = Stub::start(move |_, _| answer.clone()).await;
        let (_stub, mut settings) = with_tokens(1, false).await;
        if let HttpAuth::ClientCredentials { token_url, .. } = &mut settings.auth {
            *token_url = place.url();
        }
        refused(&settings, &endpoint("/x", &[])).await;
        assert!(!place.lines().is_empty());
    }
}

#[tokio::test]
async fn a_look_at_the_service_needs_an_answer_in_time_and_a_token() {
    let section = section(&endpoint("/people/{id}", &[]));
    let explain = async |settings: &antumbra_config::HttpSilo| {
        let mut session = silo(settings).connect().await.unwrap();
        session.explain(&section, &Identifiers::new()).await
    };
    for (status, advice) in [(200, 0), (404, 0), (302, 0), (401, 1), (403, 1), (503, 1)] {
        let stub = Stub::start(move |_, _| reply(status, "location: /x\r\n", "canary")).await;
        let mut settings = settings(&format!("{}/v1", stub.url()));
        settings.auth = HttpAuth::Bearer(secret());
        let found = explain(&settings).await.unwrap();
        assert_eq!(found.advice.len(), advice, "{status}: {:?}", found.advice);
        assert!(!format!("{found:?}").contains("canary"));
        assert_eq!(stub.lines(), ["HEAD /v1"]);
        assert_eq!(stub.received()[0].header("authorization"), Some("Bearer canary-secret"));
    }
    let (stub, settings) = with_tokens(usize::MAX, false).await;
    explain(&settings).await.unwrap();
    assert_eq!(stub.lines(), ["POST /token", "HEAD /"]);
    let place = Stub::start(|_, _| reply(403, "", "canary")).await;
    let (stub, mut refused) = with_tokens(1, false).await;
    if let HttpAuth::ClientCredentials { token_url, .. } = &mut refused.auth {
        *token_url = place.url();
    }
    assert_eq!(explain(&refused).await.unwrap_err().code(), "silo_settings");
    assert!(stub.lines().is_empty());
    // Whoever takes the connection and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = super::settings(&format!("http://{}", silent.local_addr().unwrap()));
    settings.timeout = Period::new(Duration::from_millis(50)).unwrap();
    assert_eq!(explain(&settings).await.unwrap_err().code(), "silo_unavailable");
}

#[tokio::test]
async fn the_budget_of_requests_lets_all_of_them_through() {
    let stub = Stub::start(|_, _| json(&items(0..1))).await;
    let mut settings = settings(&stub.url());
    settings.requests_per_second = Some(Count::new(20).unwrap());
    let silo = silo(&settings);
    let section = section(&endpoint("/x", &[]));
    for _ in 0..25 {
        read(&silo, &section, &Identifiers::new()).await.unwrap();
    }
    assert_eq!(stub.lines().len(), 25);
}
