//! Who is let in, and what is everybody else told?

use antumbra_e2e::{Caller, Client, Daemon, House, Reply, Scale, Serve, submission, until};
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const REQUESTS: &str = "/v1/data-subject-request";

/// What is wrong, and the headers that are sent.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>);

async fn running(serve: Serve) -> anyhow::Result<(House, Daemon, Caller)> {
    let house = House::new(Scale::Small)?;
    let daemon = serve.start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    Ok((house, daemon, caller))
}

/// The shape that published clients decode.
fn assert_sombra(reply: &Reply, status: u16, what: &str) -> anyhow::Result<Value> {
    assert_eq!(reply.status, status, "{what}: {}", reply.text());
    let body = reply.json()?;
    assert_eq!(reply.header("content-type"), "application/json", "{what}");
    for member in ["message", "error", "code"] {
        assert!(body.get(member).is_some_and(Value::is_string), "{what}: no {member} in {body}");
    }
    Ok(body)
}

#[tokio::test]
async fn both_keys_are_needed_once_and_right() -> anyhow::Result<()> {
    let (house, daemon, _) = running(Serve::new()).await?;
    let client = Client::new(&daemon.url());
    let (api, gateway) = (house.api_key().to_owned(), house.gateway_key()?);
    let (a, g) = (format!("Bearer {api}"), format!("Bearer {gateway}"));
    let other = format!("Bearer {}", other_letter(&gateway));
    let wrong = format!("Bearer {}", other_letter(&api));
    let (authorization, sombra) = ("authorization", "x-sombra-authorization");
    let cases: [Case<'_>; 13] = [
        ("no key", vec![]),
        ("no gateway key", vec![(authorization, &a)]),
        ("no API key", vec![(sombra, &g)]),
        ("unlisted gateway key", vec![(authorization, &a), (sombra, &other)]),
        ("unknown API key", vec![(authorization, &wrong), (sombra, &g)]),
        ("API key twice", vec![(authorization, &a), (authorization, &a), (sombra, &g)]),
        ("gateway key twice", vec![(authorization, &a), (sombra, &g), (sombra, &g)]),
        (
            "right and wrong API key",
            vec![(authorization, &a), (authorization, &wrong), (sombra, &g)],
        ),
        ("keys swapped", vec![(authorization, &g), (sombra, &a)]),
        ("no scheme", vec![(authorization, &api), (sombra, &g)]),
        ("another scheme", vec![(authorization, "Basic YTpi"), (sombra, &g)]),
        ("empty key", vec![(authorization, "Bearer "), (sombra, &g)]),
        ("garbage", vec![(authorization, &a), (sombra, "Bearer not/base64=!")]),
    ];
    let routes = [
        (Method::POST, REQUESTS.to_owned()),
        (Method::GET, format!("{REQUESTS}/0198c0de-0000-7000-8000-000000000000")),
        (Method::GET, format!("{REQUESTS}/0198c0de-0000-7000-8000-000000000000/download-keys")),
    ];
    for (what, headers) in &cases {
        for (method, path) in &routes {
            let body = submission(&["JSON"]).to_string();
            let reply = client.send(method.clone(), path, headers, &body).await?;
            let answer = assert_sombra(&reply, 401, &format!("{what} {method} {path}"))?;
            let text = answer.to_string();
            assert!(!text.contains(&api) && !text.contains(&gateway), "{what}: a key is told");
        }
    }
    let log = daemon.log()?;
    assert!(!log.contains(&api) && !log.contains(&gateway), "a key is logged");
    Ok(())
}

#[tokio::test]
async fn no_listed_gateway_key_lets_nobody_in() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let path = house.path("antumbra.toml");
    let settings = std::fs::read_to_string(&path)?;
    let without: String = settings
        .lines()
        .filter(|line| !line.starts_with("internal_key_hashes"))
        .flat_map(|line| [line, "\n"])
        .collect();
    std::fs::write(&path, without)?;
    let daemon = Serve::new().start(&house).await?;
    let reply = Caller::new(&house, &daemon)?.post(&submission(&["JSON"]).to_string()).await?;
    assert_sombra(&reply, 401, "no gateway key is listed")?;
    Ok(())
}

#[tokio::test]
async fn scopes_and_tenants_keep_callers_apart() -> anyhow::Result<()> {
    let (house, _daemon, caller) = running(Serve::new()).await?;
    let request = caller.submit(&["JSON"]).await?;
    caller.downloadable(&request).await?;
    let path = format!("{REQUESTS}/{request}");

    let reader = house.new_api_key(&["--scope", "request:read"])?;
    let reader = caller.clone().with_api_key(&reader);
    assert_eq!(reader.get(&path).await?.status, 200);
    assert_sombra(
        &reader.post(&submission(&["JSON"]).to_string()).await?,
        401,
        "no scope to submit",
    )?;
    assert_sombra(
        &reader.get(&format!("{path}/download-keys")).await?,
        401,
        "no scope to download",
    )?;

    let stranger = caller.clone().with_api_key(&house.new_api_key(&["--tenant", "other"])?);
    assert_sombra(&stranger.get(&path).await?, 404, "another tenant's request")?;
    assert_sombra(
        &stranger.get(&format!("{path}/download-keys")).await?,
        404,
        "another tenant's keys",
    )?;
    let unknown = stranger.get(&format!("{REQUESTS}/0198c0de-0000-7000-8000-000000000000")).await?;
    let foreign = stranger.get(&path).await?;
    assert_eq!(unknown.body, foreign.body, "a stranger cannot tell that a request exists");
    Ok(())
}

#[tokio::test]
async fn altered_and_foreign_download_keys_open_nothing() -> anyhow::Result<()> {
    let (_house, daemon, caller) = running(Serve::new()).await?;
    let request = caller.submit(&["JSON"]).await?;
    caller.downloadable(&request).await?;
    let downloads = caller.downloads(&request).await?;
    let key = downloads[0].key.clone();
    let (first, second) = (key.clone(), downloads[1].key.clone());
    let parts: Vec<&str> = first.split('.').collect();
    let others: Vec<&str> = second.split('.').collect();
    assert_eq!((parts.len(), others.len()), (3, 3), "a signed token");

    // Another daemon with its own keys, and its own right key.
    let (_other_house, _other, stranger) = other_daemon().await?;
    let foreign = stranger.submit(&["JSON"]).await?;
    stranger.downloadable(&foreign).await?;
    let foreign = stranger.downloads(&foreign).await?.remove(0).key;

    let mut altered = vec![
        ("truncated".to_owned(), key[..key.len() - 1].to_owned()),
        ("extended".to_owned(), format!("{key}A")),
        ("no signature".to_owned(), format!("{}.{}.", parts[0], parts[1])),
        (
            "signature of another file".to_owned(),
            format!("{}.{}.{}", parts[0], parts[1], others[2]),
        ),
        ("claims of another file".to_owned(), format!("{}.{}.{}", parts[0], others[1], parts[2])),
        ("algorithm none".to_owned(), format!("eyJhbGciOiJub25lIn0.{}.", parts[1])),
        ("another daemon's".to_owned(), foreign),
        ("empty".to_owned(), String::new()),
        ("words".to_owned(), "a.b.c".to_owned()),
    ];
    for position in [1, key.len() / 3, key.len() / 2, key.len() - 3] {
        let mut bytes = key.clone().into_bytes();
        if bytes[position] == b'.' {
            continue;
        }
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        altered.push((format!("letter {position}"), String::from_utf8(bytes)?));
    }
    let client = Client::new(&daemon.url());
    for (what, key) in altered {
        let reply = client.get(&format!("/v1/files?downloadKey={key}"), &[]).await?;
        assert_sombra(&reply, 401, &what)?;
        assert!(reply.text().contains("fileMetadata#verify"), "{what}: {}", reply.text());
    }
    let both = client.get(&format!("/v1/files?downloadKey={key}&key={key}"), &[]).await?;
    assert_eq!(both.status, 400, "{}", both.text());
    let none = client.get("/v1/files", &[]).await?;
    assert_sombra(&none, 401, "no key")?;
    assert!(
        client.get(&format!("/v1/files?key={key}"), &[]).await?.complete(),
        "the untouched key opens"
    );
    assert!(!daemon.log()?.contains(&key), "a download key is logged");
    Ok(())
}

#[tokio::test]
async fn expired_download_key_and_bundle_are_gone() -> anyhow::Result<()> {
    let (_house, _daemon, caller) = running(Serve::new().set("export.download_key_ttl=3s")).await?;
    let request = caller.submit(&["JSON"]).await?;
    caller.downloadable(&request).await?;
    let bundle = caller.downloads(&request).await?.remove(0);
    let gone = until("the key's end", async || {
        let reply = caller.download(&bundle, &[]).await?;
        Ok((reply.status != 200).then_some(reply))
    })
    .await?;
    assert_sombra(&gone, 410, "expired key")?;
    assert!(gone.text().contains("fileMetadata#verify"), "{}", gone.text());
    // The old key may be listed until its grant ends, a moment after the key itself.
    let again = until("a new key", async || Ok(caller.bundle(&request).await.ok())).await?;
    assert!(again.starts_with(b"PK"), "a new key opens the bundle again");

    let (_house, _daemon, caller) = running(Serve::new().set("export.bundle_ttl=6s")).await?;
    let request = caller.submit(&["JSON"]).await?;
    caller.downloadable(&request).await?;
    let bundle = caller.downloads(&request).await?.remove(0);
    let gone = until("the bundle's end", async || {
        let reply = caller.download(&bundle, &[]).await?;
        Ok((reply.status != 200).then_some(reply))
    })
    .await?;
    assert_sombra(&gone, 410, "expired bundle")?;
    assert!(gone.text().contains("fileMetadata#verify"), "{}", gone.text());
    assert_sombra(
        &caller.get(&format!("{REQUESTS}/{request}/download-keys")).await?,
        410,
        "keys of an expired bundle",
    )?;
    Ok(())
}

#[tokio::test]
async fn downloads_can_demand_both_headers() -> anyhow::Result<()> {
    let (_house, _daemon, caller) =
        running(Serve::new().set("sombra.files_require_headers=true")).await?;
    let request = caller.submit(&["JSON"]).await?;
    caller.downloadable(&request).await?;
    let bundle = caller.downloads(&request).await?.remove(0);
    assert_sombra(&caller.download(&bundle, &[]).await?, 401, "the key alone")?;
    assert!(caller.download(&bundle, &caller.keys()).await?.complete());
    Ok(())
}

#[tokio::test]
async fn routes_methods_and_limits() -> anyhow::Result<()> {
    let (house, daemon, caller) =
        running(Serve::new().set("listen.body_limit=4096").set("listen.header_timeout=1s")).await?;
    let client = caller.client();
    let health = client.get("/health", &[]).await?;
    assert_eq!(
        (health.status, health.json()?.pointer("/status").cloned()),
        (200, Some(json!("ok")))
    );
    let url = daemon.url();
    let asks = ["healthcheck", "--url", &url];
    assert_eq!(house.antumbra(&asks)?.code, 0);
    let key = client.get("/public-keys/sombra-general-signing-key", &[]).await?;
    assert!(key.text().starts_with("-----BEGIN PUBLIC KEY-----"), "{}", key.text());
    assert_eq!(client.get("/nothing", &[]).await?.status, 404);
    assert_sombra(&client.get("/v1/nothing", &[]).await?, 404, "unknown route")?;
    let wrong = client.send(Method::DELETE, REQUESTS, &caller.keys(), "").await?;
    assert_sombra(&wrong, 405, "wrong method")?;
    assert!(wrong.header("allow").contains("POST"), "{:?}", wrong.headers);

    let mut long = submission(&["JSON"]);
    long["details"] = json!("x".repeat(5_000));
    assert_sombra(&caller.post(&long.to_string()).await?, 413, "a long body")?;

    // Half a request and then nothing: the connection is closed.
    let mut slow = TcpStream::connect(daemon.address()).await?;
    slow.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n").await?;
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(antumbra_e2e::PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "a connection without headers stays open");
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "half a request was answered");
    daemon.kill()?;
    assert_eq!(house.antumbra(&asks)?.code, 1, "a dead daemon is not well");
    Ok(())
}

#[tokio::test]
async fn malformed_bodies_name_the_field() -> anyhow::Result<()> {
    let (_house, _daemon, caller) = running(Serve::new()).await?;
    let change = |pointer: &str, value: Value| {
        let mut body = submission(&["JSON"]);
        if let Some(place) = body.pointer_mut(pointer) {
            *place = value;
        }
        body.to_string()
    };
    let with = |name: &str, value: Value| {
        let mut body = submission(&["JSON"]);
        body[name] = value;
        body.to_string()
    };
    let mut anonymous = submission(&["JSON"]);
    anonymous["subject"] = json!({});
    let cases = [
        ("{\"type\": \"ACCESS\",\n oops".to_owned(), "line 2"),
        ("[]".to_owned(), "expected an object"),
        (change("/type", json!("NOTHING")), "`type`"),
        (change("/type", json!("ERASURE")), "`type`"),
        (change("/type", json!(7)), "`type`"),
        (change("/subjectType", json!("")), "`subjectType`"),
        (change("/subject", json!("Anna")), "`subject`"),
        (change("/subject/email", json!(["a"])), "`subject.email`"),
        (anonymous.to_string(), "`subject`"),
        (with("formats", json!(["JSON", "DOC"])), "`formats[1]`"),
        (with("formats", json!([])), "`formats`"),
        (with("isTest", json!("yes")), "`isTest`"),
        (with("region", json!({"country": "Germany"})), "`region.country`"),
        (with("dataSiloIds", json!(["a"])), "`dataSiloIds`"),
        (with("attributes", json!([{"key": "a", "values": [1]}])), "`attributes[0].values[0]`"),
        (
            with(
                "subject",
                json!({"email": "a@example.org", "attestedExtraIdentifiers": {"phone": [{"value": 7}]}}),
            ),
            "`subject.attestedExtraIdentifiers.phone[0].value`",
        ),
    ];
    for (body, named) in cases {
        let reply = caller.post(&body).await?;
        let answer = assert_sombra(&reply, 400, &body)?;
        let message = answer.pointer("/message").and_then(Value::as_str).unwrap_or_default();
        assert!(message.contains(named), "{body}: `{message}` does not name {named}");
    }
    Ok(())
}

#[tokio::test]
async fn open_request_is_not_taken_twice() -> anyhow::Result<()> {
    let (_house, _daemon, caller) = running(Serve::new().set("worker.enabled=false")).await?;
    caller.submit(&["JSON"]).await?;
    let again = caller.post(&submission(&["PARQUET"]).to_string()).await?;
    let body = assert_sombra(&again, 409, "a second request")?;
    // Published clients look for this in the text of the body.
    assert!(
        again
            .text()
            .contains(r#"{\"message\":\"Client error: You have already made this request."#),
        "{body}"
    );
    Ok(())
}

/// A daemon whose keys are not those of the other stories.
async fn other_daemon() -> anyhow::Result<(House, Daemon, Caller)> {
    // Each scale was prepared by a demo of its own, with keys of its own.
    let house = House::new(Scale::Usual)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    Ok((house, daemon, caller))
}

/// Changes one letter in the middle, staying in base64's alphabet.
fn other_letter(key: &str) -> String {
    let middle = key.len() / 2;
    let swap = |letter: char| if letter == 'A' { 'B' } else { 'A' };
    key.char_indices()
        .map(|(at, letter)| if at == middle { swap(letter) } else { letter })
        .collect()
}
