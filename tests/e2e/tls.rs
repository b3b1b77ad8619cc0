//! A daemon that shows a certificate: curl reaches it over HTTP/1.1 and HTTP/2, TLS 1.2 and 1.3, and believes nobody else.

use std::net::SocketAddr;
use std::path::Path;

use antumbra_e2e::{Certificate, Daemon, House, Ran, Scale, Serve, left_out, run, submission};
use anyhow::{Context, ensure};
use serde_json::Value;

#[tokio::test]
async fn curl_speaks_both_versions_of_http_and_of_tls() -> anyhow::Result<()> {
    if left_out("curl") {
        return Ok(());
    }
    let (house, daemon) = secured().await?;
    let curl = Curl::new(&house, daemon.address());
    for (flags, version) in [
        (&["--http1.1", "--tlsv1.2", "--tls-max", "1.2"][..], "1.1"),
        (&["--http1.1", "--tlsv1.3"], "1.1"),
        (&["--http2", "--tlsv1.2", "--tls-max", "1.2"], "2"),
        (&["--http2", "--tlsv1.3"], "2"),
    ] {
        let out = ["-o", "health.json", "-w", "%{http_code} %{http_version}", "/health"];
        let said = curl.run(&[flags, &out].concat())?.ok().with_context(|| flags.join(" "))?;
        assert_eq!(said, format!("200 {version}"), "{flags:?}");
    }
    // 1: the answer is TLS's own alert and no HTTP; 35: the handshake failed; 60: the certificate is not trusted; 52, 56: the connection was closed without an answer.
    assert_eq!(curl.run(&["--tlsv1.0", "--tls-max", "1.1", "/health"])?.code, 35);
    let stranger = Certificate::make(&house.path("tmp"), &["localhost"])?;
    let stranger = stranger.authority.display().to_string();
    assert_eq!(curl.run(&["--cacert", &stranger, "/health"])?.code, 60);
    let plain = run(
        Path::new("curl"),
        house.root(),
        &["-sS", "--max-time", "60", &format!("http://{}/health", daemon.address())],
    )?;
    assert!([1, 52, 56].contains(&plain.code), "plain HTTP on the TLS port: {plain:?}");
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

#[tokio::test]
async fn whole_journey_over_http2_ends_with_a_verified_bundle() -> anyhow::Result<()> {
    if left_out("curl") {
        return Ok(());
    }
    let (house, daemon) = secured().await?;
    let curl = Curl::new(&house, daemon.address());
    let api = format!("authorization: Bearer {}", house.api_key());
    let gateway = format!("x-sombra-authorization: Bearer {}", house.gateway_key()?);
    let ask = |more: &[&str]| -> anyhow::Result<Value> {
        let said = curl.run(&[&["--http2", "-H", &api, "-H", &gateway], more].concat())?.ok()?;
        serde_json::from_str(&said).with_context(|| said)
    };
    let body = submission(&["JSON", "PARQUET"]).to_string();
    let submitted = ask(&["-d", &body, REQUESTS])?;
    let id = submitted.pointer("/request/id").and_then(Value::as_str).context("no id")?;
    let path = format!("{REQUESTS}/{id}");
    antumbra_e2e::until("DOWNLOADABLE", async || {
        let answer = ask(&[&path])?;
        Ok((answer.pointer("/status") == Some(&"DOWNLOADABLE".into())).then_some(()))
    })
    .await?;
    let keys = ask(&[&format!("{path}/download-keys?bundle=true&limit=100")])?;
    let key = keys.pointer("/nodes/0/downloadKey").and_then(Value::as_str).context("no key")?;
    curl.run(&["--http2", "-f", "-o", "bundle.zip", &format!("/v1/files?downloadKey={key}")])?
        .ok()?;
    assert!(house.verified(&house.path("bundle.zip"))?.contains("VERIFIED"));
    Ok(())
}

#[tokio::test]
async fn health_check_trusts_the_daemons_own_certificate() -> anyhow::Result<()> {
    let (house, daemon) = secured().await?;
    let address = format!("listen.address={}", daemon.address());
    let [chain, key] = settings(&house);
    let own = ["healthcheck", "--set", &address, "--set", &chain, "--set", &key];
    let said = house.antumbra(&own)?;
    assert_eq!(said.code, 0, "{said:?}");
    // A certificate of the same names by somebody else.
    Certificate::make(&house.path("tmp"), &NAMES)?;
    let others = ["tls_certificate=tmp/chain.pem", "tls_key=tmp/key.pem"]
        .map(|pair| format!("listen.{pair}"));
    let [chain, key] = &others;
    let said = house.antumbra(&["healthcheck", "--set", &address, "--set", chain, "--set", key])?;
    assert_ne!(said.code, 0, "somebody else's certificate was believed");
    Ok(())
}

#[tokio::test]
async fn certificate_and_key_that_do_not_fit_are_refused_by_name() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    Certificate::make(&house.path("keys"), &NAMES)?;
    Certificate::make(&house.path("tmp"), &NAMES)?;
    for (chain, key, named) in [
        ("keys/chain.pem", "tmp/key.pem", "tls_key"),
        ("keys/absent.pem", "keys/key.pem", "absent.pem"),
        ("keys/key.pem", "keys/key.pem", "tls_certificate"),
    ] {
        let chain = format!("listen.tls_certificate={chain}");
        let key = format!("listen.tls_key={key}");
        let ran = house.antumbra(&["serve", "--set", &chain, "--set", &key])?;
        ensure!(ran.code != 0, "{chain} {key}: it started");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(named), "{chain} {key}: {said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
    Ok(())
}

/// A daemon with a certificate for `localhost` and 127.0.0.1.
async fn secured() -> anyhow::Result<(House, Daemon)> {
    let house = House::new(Scale::Small)?;
    Certificate::make(&house.path("keys"), &NAMES)?;
    let [chain, key] = settings(&house);
    let daemon = Serve::new().set(&chain).set(&key).start(&house).await?;
    Ok((house, daemon))
}

fn settings(house: &House) -> [String; 2] {
    let path = |name: &str| house.path("keys").join(name).display().to_string();
    [
        format!("listen.tls_certificate={}", path("chain.pem")),
        format!("listen.tls_key={}", path("key.pem")),
    ]
}

/// A curl that trusts the house's authority and finds the daemon under the name `localhost`.
struct Curl<'h> {
    house: &'h House,
    address: SocketAddr,
}

impl<'h> Curl<'h> {
    fn new(house: &'h House, address: SocketAddr) -> Self {
        Self { house, address }
    }

    /// The last argument is the path.
    fn run(&self, args: &[&str]) -> anyhow::Result<Ran> {
        let (path, flags) = args.split_last().context("no path")?;
        let port = self.address.port();
        let url = format!("https://localhost:{port}{path}");
        let resolve = format!("localhost:{port}:127.0.0.1");
        // A later --cacert wins.
        let always =
            ["-sS", "--max-time", "100", "--cacert", "keys/authority.pem", "--resolve", &resolve];
        run(Path::new("curl"), self.house.root(), &[&always, flags, &[&url]].concat())
    }
}

const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];
const REQUESTS: &str = "/v1/data-subject-request";
