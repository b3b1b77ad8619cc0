//! A bundle that a real worker collected from a real database, byte by byte.

use std::io::Read as _;
use std::sync::Arc;

use antumbra_config::{Datapoint, DatapointKind, Silo, SiloKind, Source};
use antumbra_jobs::Scope;
use antumbra_pipeline::Worker;
use bytes::Bytes;
use futures::TryStreamExt as _;
use http::{Method, Request, StatusCode, header};
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::support::{SUBMIT, keys_of};
use crate::http::testing::{Answer, Rig};

/// A gateway with one ready bundle of 3000 rows as JSON and Parquet.
struct Ready {
    rig: Rig,
    key: String,
    request: String,
    nodes: Vec<Value>,
    _source: TempDir,
}

impl Ready {
    async fn new() -> Self {
        let source = tempfile::tempdir().unwrap();
        let path = source.path().join("shop.db");
        fill(&path);
        let rig = Rig::with(|settings| settings.silos.push(shop(path))).await;
        let key = rig.api_key("acme", &Scope::ALL).await;
        let body = json!({
            "type": "ACCESS", "subjectType": "customer", "formats": ["JSON", "PARQUET"],
            "subject": { "email": "a@example.org" },
        });
        let submitted = rig.post(SUBMIT, &key, &body).await.json();
        let request = submitted["request"]["id"].as_str().unwrap().to_owned();
        let worked = CancellationToken::new();
        let worker = Worker::new(Arc::clone(rig.shared.engine())).run(worked.clone());
        let watch = async {
            let path = format!("{SUBMIT}/{request}");
            loop {
                let state = rig.get(&path, &key).await.json();
                match state["status"].as_str() {
                    Some("REQUEST_MADE" | "COMPILING") => tokio::task::yield_now().await,
                    Some("DOWNLOADABLE") => break,
                    _ => panic!("{state}"),
                }
            }
            worked.cancel();
        };
        tokio::join!(worker, watch);
        let path = format!("{}?bundle=true", keys_of(&request));
        let listed = rig.get(&path, &key).await.json();
        let nodes = listed["nodes"].as_array().unwrap().clone();
        Self { rig, key, request, nodes, _source: source }
    }

    /// Asks for a file whose name ends so.
    async fn fetch(&self, method: Method, name: &str, headers: &[(&str, &str)]) -> Answer {
        let named = |node: &&Value| node["fileName"].as_str().unwrap().ends_with(name);
        let key = self.nodes.iter().find(named).unwrap()["downloadKey"].as_str().unwrap();
        let mut request = Request::builder().method(method).uri(format!("/v1/files?key={key}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.rig.send(request.body("").unwrap()).await
    }

    async fn get(&self, name: &str, headers: &[(&str, &str)]) -> Answer {
        self.fetch(Method::GET, name, headers).await
    }

    async fn status(&self) -> Value {
        self.rig.shared.tasks().close();
        self.rig.shared.tasks().wait().await;
        self.rig.get(&format!("{SUBMIT}/{}", self.request), &self.key).await.json()
    }
}

fn fill(path: &std::path::Path) {
    let mut source = rusqlite::Connection::open(path).unwrap();
    let batch = source.transaction().unwrap();
    batch
        .execute_batch("create table orders (id integer primary key, email text, note text)")
        .unwrap();
    for id in 0..3000_u32 {
        let (email, note) =
            ("a@example.org", format!("note {} ünïcødé", id.wrapping_mul(2_654_435_761)));
        batch.execute("insert into orders values (?, ?, ?)", (id, email, note)).unwrap();
    }
    batch.commit().unwrap();
}

fn shop(path: std::path::PathBuf) -> Silo {
    let datapoint = Datapoint {
        name: "orders".parse().unwrap(),
        title: None,
        description: None,
        source: Source::Table { name: vec!["orders".to_owned()] },
        matches: vec![("email".to_owned(), "email".parse().unwrap())],
        provides: Vec::new(),
        key: vec!["id".to_owned()],
        time_column: None,
        filter: Vec::new(),
        redact: Vec::new(),
        columns: Vec::new(),
        partitions: None,
        kind: DatapointKind::Data,
    };
    Silo {
        name: "shop".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        kind: SiloKind::Sqlite { path, busy_timeout: "5s".parse().unwrap() },
        limits: antumbra_config::SiloLimits::default(),
        datapoints: vec![datapoint],
    }
}

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

#[tokio::test]
async fn a_file_is_sent_whole_in_parts_and_as_gzip() {
    let ready = Ready::new().await;
    let whole = ready.get("orders.json", &[]).await;
    assert_eq!(whole.status, StatusCode::OK);
    assert_eq!(whole.headers[header::CONTENT_LENGTH], whole.bytes.len().to_string());
    assert_eq!(whole.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(whole.headers[header::VARY], "accept-encoding");
    assert_eq!(whole.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(whole.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let disposition = "attachment; filename=\"shop-orders.json\"";
    assert_eq!(whole.headers[header::CONTENT_DISPOSITION], disposition);
    assert_eq!(whole.json().as_array().unwrap().len(), 3000);
    let etag = whole.headers[header::ETAG].to_str().unwrap().to_owned();
    let hash = antumbra_bundle::hex(&Sha256::digest(&whole.bytes));
    assert_eq!(etag, format!("\"{hash}\""));

    let gzip = ready.get("orders.json", &[("accept-encoding", "gzip")]).await;
    assert_eq!(gzip.headers[header::CONTENT_ENCODING], "gzip");
    assert_eq!(gzip.headers[header::ETAG], format!("\"{hash}-gzip\""));
    assert_eq!(gzip.headers[header::CONTENT_LENGTH], gzip.bytes.len().to_string());
    assert_eq!(inflate(&gzip.bytes), whole.bytes);

    for (encoding, form) in [("identity", &whole), ("gzip", &gzip)] {
        let len = form.bytes.len();
        for (range, cut) in [("0-0", 0..1), ("700-4099", 700..4100), ("-9", len - 9..len)] {
            let range = format!("bytes={range}");
            let headers = [("accept-encoding", encoding), ("range", range.as_str())];
            let part = ready.get("orders.json", &headers).await;
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{encoding} {range}");
            let content_range = format!("bytes {}-{}/{len}", cut.start, cut.end - 1);
            assert_eq!(part.headers[header::CONTENT_RANGE], content_range);
            assert_eq!(part.bytes, form.bytes[cut], "{encoding} {range}");
        }
    }
    let outside = ready.get("orders.json", &[("range", "bytes=99999999-")]).await;
    assert_eq!(outside.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let content_range = format!("bytes */{}", whole.bytes.len());
    assert_eq!(outside.headers[header::CONTENT_RANGE], content_range);
    let known = ready.get("orders.json", &[("if-none-match", &etag)]).await;
    assert_eq!((known.status, known.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(known.headers[header::ETAG], etag);
    let head = ready.fetch(Method::HEAD, "orders.json", &[("if-none-match", &etag)]).await;
    assert_eq!(
        (head.status, &head.headers[header::ETAG]),
        (known.status, &known.headers[header::ETAG])
    );
    assert_eq!(head.headers.get(header::CONTENT_LENGTH), None, "0 would be the file's length");
}

#[tokio::test]
async fn a_file_that_is_packed_already_has_one_form() {
    let ready = Ready::new().await;
    let parquet = ready.get("orders.parquet", &[("accept-encoding", "gzip")]).await;
    assert_eq!(parquet.status, StatusCode::OK);
    assert!(!parquet.headers.contains_key(header::CONTENT_ENCODING));
    assert!(!parquet.headers.contains_key(header::VARY));
    assert!(parquet.bytes.starts_with(b"PAR1") && parquet.bytes.ends_with(b"PAR1"));
}

#[tokio::test]
async fn head_and_ranges_leave_the_request_downloadable_and_the_whole_zip_completes_it() {
    let ready = Ready::new().await;
    let head = ready.fetch(Method::HEAD, ".zip", &[]).await;
    assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
    let all = ready.get(".zip", &[("range", "bytes=0-")]).await;
    assert_eq!(all.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(head.headers[header::CONTENT_LENGTH], all.bytes.len().to_string());
    let status = ready.status().await;
    assert_eq!(status["status"], "DOWNLOADABLE");

    let zip = ready.get(".zip", &[("accept-encoding", "gzip")]).await;
    assert_eq!((zip.status, &zip.bytes), (StatusCode::OK, &all.bytes));
    assert_eq!(zip.headers[header::CONTENT_TYPE], "application/zip");
    let name = format!("attachment; filename=\"antumbra-{}.zip\"", ready.request);
    assert_eq!(zip.headers[header::CONTENT_DISPOSITION], name);
    assert_eq!(status["bundleSha256"], antumbra_bundle::hex(&Sha256::digest(&zip.bytes)));
    assert_eq!(status["bundleSize"], zip.bytes.len());
    let status = ready.status().await;
    assert_eq!(status["status"], "COMPLETED");
    assert_eq!(status["sections"][0]["outcome"], "complete");
}

#[tokio::test]
async fn an_altered_object_is_never_sent_as_a_file_and_a_lost_one_is_gone() {
    let ready = Ready::new().await;
    let truth = ready.get(".zip", &[]).await.bytes;
    let mut refused = 0;
    let objects = &ready.rig.objects;
    let listed: Vec<_> = objects.list(None).try_collect().await.unwrap();
    assert!(!listed.is_empty());
    for object in &listed {
        let bytes = objects.get(&object.location).await.unwrap().bytes().await.unwrap();
        for offset in [0, 20, bytes.len() / 2, bytes.len() - 1] {
            let mut altered = bytes.to_vec();
            altered[offset] ^= 1;
            objects.put(&object.location, Bytes::from(altered).into()).await.unwrap();
            let answer = ready.get(".zip", &[]).await;
            if answer.cut {
                // A later piece: what went out before it is true, and the client sees that it is not all.
                assert!(truth.len() > answer.bytes.len() && truth.starts_with(&answer.bytes));
            } else {
                assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{offset}");
                assert_eq!(answer.json()["message"], "something went wrong inside the gateway");
                refused += 1;
            }
        }
        objects.put(&object.location, bytes.into()).await.unwrap();
    }
    assert!(refused > 0, "the first piece was never the altered one");
    assert_eq!(ready.get(".zip", &[]).await.bytes, truth);
    for object in &listed {
        objects.delete(&object.location).await.unwrap();
    }
    assert_eq!(ready.get("orders.json", &[]).await.status, StatusCode::GONE);
}
