//! Refusals, pauses, broken lines and bodies.

use std::sync::Arc;
use std::time::Duration;

use antumbra_config::{ByteSize, Period};

use super::stub::{Stub, json, reply};
use super::{endpoint, ids, items, known, read, refused, section, settings, silo};
use crate::SiloError;
use crate::silo::Identifiers;

/// Answers the first requests with one thing and later ones with items.
async fn after(first: usize, fault: Vec<u8>) -> Stub {
    Stub::start(move |number, _| if number < first { fault.clone() } else { json(&items(0..3)) })
        .await
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_not_for_ever() {
    for fault in [
        reply(429, "retry-after: 0\r\n", "canary"),
        reply(429, "", ""),
        reply(
            503,
            "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            "",
        ),
        reply(500, "", "canary"),
        reply(502, "", ""),
        reply(504, "", ""),
        b"".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[canary".to_vec(),
        b"canary\r\n\r\n".to_vec(),
    ] {
        let said = String::from_utf8_lossy(&fault).into_owned();
        let stub = after(2, fault.clone()).await;
        let section = section(&endpoint("/x", &[]));
        let (_, batches) =
            read(&silo(&settings(&stub.url())), &section, &Identifiers::new()).await.unwrap();
        assert_eq!(ids(&batches), [0, 1, 2], "{said}");
        let stub = after(usize::MAX, fault).await;
        let error = refused(&settings(&stub.url()), &endpoint("/x", &[])).await;
        assert!(matches!(error, SiloError::Unavailable { .. }), "{said}: {error}");
        assert_eq!(stub.lines().len(), 3, "{said}");
    }
}

#[tokio::test]
async fn what_will_not_pass_is_not_tried_again() {
    for (status, code) in [
        (400, "silo_query"),
        (403, "silo_settings"),
        (404, "silo_missing"),
        (410, "silo_missing"),
        (418, "silo_query"),
        (501, "silo_query"),
    ] {
        let stub = after(usize::MAX, reply(status, "", "canary-body")).await;
        let error = refused(&settings(&stub.url()), &endpoint("/x", &[])).await;
        assert_eq!(error.code(), code, "{status}");
        assert_eq!(stub.lines().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_service_that_wants_a_long_pause_is_left_alone() {
    let stub = after(1, reply(429, "retry-after: 86400\r\n", "")).await;
    let error = refused(&settings(&stub.url()), &endpoint("/x", &[])).await;
    assert!(matches!(error, SiloError::Unavailable { .. }), "{error}");
    assert_eq!(stub.lines().len(), 1);
}

#[tokio::test]
async fn who_never_answers_is_given_up() {
    let stub = Stub::start(|_, _| b"HTTP/1.1 200 OK\r\nx: content-length:\r\n".to_vec()).await;
    let mut settings = settings(&stub.url());
    settings.timeout = Period::new(Duration::from_millis(100)).unwrap();
    let error = refused(&settings, &endpoint("/x", &[])).await;
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let address = {
        let stub = after(0, Vec::new()).await;
        stub.address
    };
    // The port was free a moment ago; whoever has it by now is no service.
    let error = refused(&settings(&format!("http://{address}")), &endpoint("/x", &[])).await;
    assert!(matches!(error, SiloError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_body_without_end_is_given_up_at_the_limit() {
    let huge = format!("[\"{}\"]", "canary".repeat(20_000));
    let declared = huge.clone();
    let chunk = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{huge}\r\n",
        huge.len()
    );
    for answer in
        [json(&declared), chunk.into_bytes(), format!("HTTP/1.1 200 OK\r\n\r\n{huge}").into_bytes()]
    {
        let stub = after(usize::MAX, answer).await;
        let error = refused(&settings(&stub.url()), &endpoint("/x", &[])).await;
        assert!(error.to_string().contains("max_response"), "{error}");
        assert_eq!(stub.lines().len(), 1);
    }
    let stub = after(0, Vec::new()).await;
    let mut exact = settings(&stub.url());
    exact.max_response = ByteSize::new(items(0..3).len() as u64).unwrap();
    read(&silo(&exact), &section(&endpoint("/x", &[])), &Identifiers::new()).await.unwrap();
}

#[tokio::test]
async fn broken_bodies_are_named_and_not_quoted() {
    for (head, body, said) in [
        ("", "[{\"id\":1},{\"canary\":}]", "byte 20"),
        ("", "[{\"id\":1}", "byte 9"),
        ("", "<html>canary</html>", "byte 0"),
        ("content-type: application/x-ndjson\r\n", "{\"id\":1}\n{canary\n", "line 2"),
        ("content-encoding: gzip\r\n", "canary", "compressed"),
    ] {
        let stub = after(usize::MAX, reply(200, head, body)).await;
        let error = refused(&settings(&stub.url()), &endpoint("/x", &[])).await;
        assert!(error.to_string().contains(said), "{error}");
    }
    let stub = after(usize::MAX, json("{\"canary\":[]}")).await;
    let mut endpoint = endpoint("/x", &[]);
    endpoint.items = "/items".to_owned();
    assert!(refused(&settings(&stub.url()), &endpoint).await.to_string().contains("/items"));
}

#[tokio::test]
async fn redirects_stay_within_the_service() {
    let stub = Stub::start(|_, asked| match asked.line.as_str() {
        "GET /v1/x" => reply(302, "location: /v1/y\r\n", ""),
        "GET /v1/y" => reply(307, "location: z\r\n", "canary"),
        "GET /v1/z" => json(&items(0..2)),
        _ => reply(301, "location: /v1/round\r\n", ""),
    })
    .await;
    let base = format!("{}/v1", stub.url());
    let section = section(&endpoint("/x", &[]));
    let (_, batches) = read(&silo(&settings(&base)), &section, &Identifiers::new()).await.unwrap();
    assert_eq!(ids(&batches), [0, 1]);
    let before = stub.lines().len();
    let error = refused(&settings(&base), &endpoint("/round", &[])).await;
    assert!(error.to_string().contains("circles"), "{error}");
    assert_eq!(stub.lines().len() - before, 4);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let other = Arc::new(after(0, Vec::new()).await);
    let port = other.address.port();
    for target in [
        other.url(),
        format!("//127.0.0.1:{port}/"),
        "https://127.0.0.1/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let stub = after(usize::MAX, reply(302, &format!("location: {target}\r\n"), "")).await;
        let error = refused(&settings(&stub.url()), &endpoint("/x", &[])).await;
        assert!(error.to_string().contains("another host"), "{target}: {error}");
    }
    let stub = after(usize::MAX, reply(302, "", "")).await;
    refused(&settings(&stub.url()), &endpoint("/x", &[])).await;
    assert!(other.lines().is_empty());
}

#[tokio::test]
async fn a_path_that_is_not_there_has_no_rows_where_the_path_selects() {
    let stub = Stub::start(|_, asked| match asked.line.as_str() {
        "GET /people/a" => json(&items(0..1)),
        "GET /people/b" => reply(404, "", "canary"),
        "GET /people/c" => reply(204, "", ""),
        _ => reply(410, "", "canary"),
    })
    .await;
    let section = section(&endpoint("/people/{id}", &[]));
    let people = known("id", &["a", "b", "c", "d"]);
    let (shape, batches) = read(&silo(&settings(&stub.url())), &section, &people).await.unwrap();
    assert_eq!(ids(&batches), [0]);
    assert_eq!(shape.rows, Some(1));
    assert!(shape.notes.iter().any(|note| note.contains("404")), "{:?}", shape.notes);
    assert!(shape.notes.iter().any(|note| note.contains("may repeat")), "{:?}", shape.notes);
}
