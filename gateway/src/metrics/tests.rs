//! The listener, as a monitoring system sees it.

use std::net::SocketAddr;

use antumbra_config::Metrics;
use antumbra_pipeline::runner::Sessions;
use antumbra_pipeline::silo::Silos;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::MetricsListener;
use crate::cli::testing::Shop;

async fn open() -> MetricsListener {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let settings = Metrics { listen, ..Metrics::default() };
    MetricsListener::open(&settings).await.unwrap().unwrap()
}

/// Asks once and reads until the listener closes.
async fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Serves while `client` asks.
async fn serving<T>(listener: MetricsListener, client: impl Future<Output = T>) -> T {
    let shutdown = CancellationToken::new();
    let asked = async {
        let asked = client.await;
        shutdown.cancel();
        asked
    };
    tokio::join!(listener.serve(shutdown.clone()), asked).1
}

#[tokio::test]
async fn without_an_address_there_is_no_listener() {
    assert!(MetricsListener::open(&Metrics::default()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = open().await.address();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Metrics { listen: Some(address), ..Metrics::default() };
    assert_eq!(MetricsListener::open(&settings).await.unwrap_err().0, address);
    assert_ne!(taken, address);
}

#[tokio::test]
async fn what_silos_did_is_shown_and_nothing_of_their_data() {
    let listener = open().await;
    let address = listener.address();
    let shop = Shop::new().await;
    let silos = Silos::open(&shop.settings.silos, &[]).unwrap();
    let mut sessions = Sessions::new(&silos);
    sessions.of("shop").await.unwrap();
    let text = serving(listener, ask(address, "GET /metrics")).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    for line in [
        "antumbra_silo_connections{silo=\"shop\",type=\"sqlite\"} 1",
        "antumbra_silo_connections_max{silo=\"shop\",type=\"sqlite\"} 4",
        "antumbra_silo_circuit{silo=\"shop\",type=\"sqlite\"} 0",
        "# TYPE antumbra_silo_rows_total counter",
        "antumbra_info{version=",
    ] {
        assert!(body.contains(line), "{line}\nis missing in\n{body}");
    }
    for personal in ["ada@example.org", "4711081500", "secret-note"] {
        assert!(!body.contains(personal), "{body}");
    }
}

#[tokio::test]
async fn one_path_and_two_methods_are_answered() {
    let listener = open().await;
    let address = listener.address();
    serving(listener, async {
        assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404 "));
        assert!(ask(address, "GET /metrics/").await.starts_with("HTTP/1.1 404 "));
        let refused = ask(address, "POST /metrics").await;
        assert!(refused.starts_with("HTTP/1.1 405 ") && refused.contains("allow: GET, HEAD"));
        let head = ask(address, "HEAD /metrics").await;
        assert!(head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(ask(address, "nonsense").await.starts_with("HTTP/1.1 400 "));
        let long = format!("GET /{}", "x".repeat(64 << 10));
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may hang up before all is written.
        let written = stream.write_all(long.as_bytes()).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        let refused = [&b"HTTP/1.1 414"[..], b"HTTP/1.1 431", b"HTTP/1.1 400"];
        let refused = refused.iter().any(|status| answer.starts_with(status));
        assert!(refused || written.is_err() || read.is_err(), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn when_told_to_stop_it_closes_idle_connections_and_returns() {
    let listener = open().await;
    let address = listener.address();
    let mut idle = serving(listener, async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut piece = [0; 15];
        stream.read_exact(&mut piece).await.unwrap();
        assert_eq!(&piece, b"HTTP/1.1 200 OK");
        stream
    })
    .await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
}
