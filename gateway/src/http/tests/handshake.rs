//! What is spoken, what is not, and how long a handshake may take.

use std::sync::Arc;

use http::Response;
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::server::{Server, shake};
use crate::http::full;

/// Asks once over HTTP/1.1 and reads until the server closes.
async fn ask<IO>(stream: &mut TlsStream<IO>) -> String
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    // A connection that ends without close_notify is an error here.
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let server = Server::new();
    for (version, spoken) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut stream = shake(server.client_of(version), server.dial()).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
        let answer = ask(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
    }
}

#[tokio::test]
async fn tls_1_1_is_refused() {
    let server = Server::new();
    let mut stream = server.dial();
    // A ClientHello of TLS 1.1 (3, 2): random, no session, one cipher suite, no compression, and the one extension that is
    // looked for before the version. Spec: RFC 4346 §7.4.1.2, RFC 5246 §7.4.1.4.1.
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(hello.len()).unwrap();
    let head = [0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    stream.write_all(&[&head[..], &hello].concat()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    // An alert, fatal, protocol_version. Spec: RFC 8446 §6.
    assert_eq!((answer[0], &answer[5..]), (0x15, &[2, 70][..]));
}

#[tokio::test]
async fn the_client_chooses_between_http_2_and_http_1_1() {
    let server = Server::new();
    for (offered, chosen) in [
        (&[&b"h2"[..], b"http/1.1"][..], Some(&b"h2"[..])),
        (&[b"http/1.1", b"h2"], Some(b"h2")),
        (&[b"http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = shake(server.client(offered), server.dial()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
    let mut stream = shake(server.client(&[]), server.dial()).await.unwrap();
    assert!(ask(&mut stream).await.ends_with("done"), "HTTP/1.1 without saying so");
    assert!(shake(server.client(&[b"spdy/3"]), server.dial()).await.is_err());
}

#[tokio::test]
async fn nothing_is_resumed() {
    let server = Server::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = Arc::new(server.client_of(version));
        for _ in 0..2 {
            let mut stream = shake(Arc::clone(&config), server.dial()).await.unwrap();
            // Tickets would come with the answer.
            ask(&mut stream).await;
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_takes_too_long_is_cut() {
    let server = Server::new();
    for begun in [&b""[..], b"\x16\x03\x01"] {
        let mut stream = server.dial();
        let start = Instant::now();
        stream.write_all(begun).await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
        assert_eq!(start.elapsed().as_secs(), 10);
    }
    server.tasks.close();
    server.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_speaks_plain_http_is_hung_up_on() {
    let server = Server::new();
    let mut stream = server.dial();
    let start = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(start.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_no_handshake() {
    let server = Server::new();
    let mut stream = server.dial();
    stream.write_all(b"\x16").await.unwrap();
    tokio::task::yield_now().await;
    let start = Instant::now();
    server.drain.cancel();
    server.tasks.close();
    server.tasks.wait().await;
    assert_eq!(start.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn headers_that_do_not_come_end_the_connection_over_tls_too() {
    let server = Server::new();
    let mut stream = shake(server.client(&[b"http/1.1"]), server.dial()).await.unwrap();
    let start = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    // Cut, not closed: the end is an error.
    assert!(stream.read_to_end(&mut Vec::new()).await.is_err());
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_ends_the_connection_over_tls_too() {
    let server = Server::answering(|_| async { Response::new(full(vec![b'x'; 4 << 20])) });
    let mut stream = shake(server.client(&[b"http/1.1"]), server.dial()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let start = Instant::now();
    server.tasks.close();
    server.tasks.wait().await;
    assert_eq!(start.elapsed().as_secs(), 60);
    assert!(stream.read_to_end(&mut Vec::new()).await.is_err(), "a clean end");
}
