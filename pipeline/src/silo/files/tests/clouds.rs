//! The requests that clouds get, and what their answers become.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use antumbra_config::{FileFormat, FilesLocation, FilesSilo as Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::FilesSilo;
use super::{attachments, column, known, read, section};
use crate::SiloError;
use crate::silo::Silo as _;

/// Answers one request after the other; remembers their heads.
#[derive(Clone)]
struct Stub {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// `answer` makes status line, further headers and body of a request's first line.
    async fn start(answer: fn(&str) -> (&'static str, &'static str, &'static str)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self { address: listener.local_addr().unwrap(), heads: Arc::default() };
        let heads = Arc::clone(&stub.heads);
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                serve(line, &heads, answer).await;
            }
        });
        stub
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(
    mut line: TcpStream,
    heads: &Mutex<Vec<String>>,
    answer: fn(&str) -> (&'static str, &'static str, &'static str),
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = line.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let (status, headers, body) = answer(head.lines().next().unwrap());
    let is_head = head.starts_with("HEAD");
    heads.lock().unwrap().push(head);
    let len = body.len();
    let mut text = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {len}\r\nlast-modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n\
         connection: close\r\n\r\n"
    );
    if !is_head {
        text.push_str(body);
    }
    line.write_all(text.as_bytes()).await.unwrap();
}

fn silo(location: FilesLocation) -> FilesSilo {
    FilesSilo::new(&Settings { location, insecure_http: false }, &[]).unwrap()
}

fn s3(stub: &Stub, dir: &std::path::Path) -> FilesSilo {
    let file = dir.join("secret");
    std::fs::write(&file, "canary-secret-0123456789").unwrap();
    silo(FilesLocation::S3 {
        bucket: "lake".to_owned(),
        prefix: Some("in".to_owned()),
        region: "eu-central-1".to_owned(),
        endpoint: Some(format!("http://{}", stub.address)),
        access_key_id: Some("AKIAEXAMPLE".to_owned()),
        secret_access_key: Some(antumbra_config::SecretRef::File(file)),
        session_token: None,
        ca: None,
        path_style: true,
    })
}

const S3_LISTING: &str = "<?xml version=\"1.0\"?><ListBucketResult><Name>lake</Name><IsTruncated>false</IsTruncated>\
    <Contents><Key>in/a.csv</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"t1\"</ETag><Size>5</Size></Contents>\
    </ListBucketResult>";

#[tokio::test]
async fn s3_is_asked_with_signed_requests_for_what_was_listed() {
    let stub = Stub::start(|line| match line {
        line if line.contains("list-type=2") => ("200 OK", "", S3_LISTING),
        line if line.starts_with("GET /lake/in/a.csv ") => {
            ("200 OK", "etag: \"t1\"\r\n", "id\n7\n")
        }
        _ => ("404 Not Found", "", ""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut session = s3(&stub, dir.path()).connect().await.unwrap();
    let spec = section("*.csv", FileFormat::Csv, &[("id", "id")]);
    let (_, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "id"), ["7"]);
    let heads = stub.heads();
    assert!(heads[0].contains("prefix=in%2F"), "{}", heads[0]);
    for head in &heads {
        assert!(head.contains("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/"), "{head}");
        assert!(!head.contains("canary"), "{head}");
    }
    assert!(heads[1].contains("if-match: \"t1\""), "{}", heads[1]);
}

#[tokio::test]
async fn what_stands_for_a_folder_is_no_file() {
    let stub = Stub::start(|line| match line {
        line if line.contains("list-type=2") => (
            "200 OK",
            "",
            "<?xml version=\"1.0\"?><ListBucketResult><Name>lake</Name><IsTruncated>false</IsTruncated>\
             <Contents><Key>in/d/7/</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"t0\"</ETag><Size>0</Size></Contents>\
             <Contents><Key>in/d/7/archive/</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"t0\"</ETag><Size>0</Size></Contents>\
             <Contents><Key>in/d/7/a</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"t1\"</ETag><Size>5</Size></Contents>\
             <Contents><Key>in/d/7/empty</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"t2\"</ETag><Size>0</Size></Contents>\
             </ListBucketResult>",
        ),
        line if line.starts_with("HEAD /lake/in/d/7/empty ") => ("200 OK", "etag: \"t2\"\r\n", ""),
        _ => ("404 Not Found", "", ""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut session = s3(&stub, dir.path()).connect().await.unwrap();
    let found = session.attachments(&attachments("d/{id}/*"), &known("id", &["7"])).await.unwrap();
    let names: Vec<&str> = found.iter().map(|attached| attached.name.as_str()).collect();
    assert_eq!(names, ["d/7/a", "d/7/empty"]);
    let heads = stub.heads();
    assert_eq!(heads.iter().filter(|head| head.starts_with("HEAD")).count(), 2, "{heads:?}");
}

#[tokio::test]
async fn a_stores_words_are_not_passed_on() {
    let stub = Stub::start(|line| match line {
        line if line.contains("list-type=2") => {
            ("403 Forbidden", "", "<Error><Code>canary</Code></Error>")
        }
        _ => ("412 Precondition Failed", "", "<Error><Code>canary</Code></Error>"),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut session = s3(&stub, dir.path()).connect().await.unwrap();
    let spec = section("*.csv", FileFormat::Csv, &[("id", "id")]);
    let error = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap_err();
    assert!(matches!(error, SiloError::Settings { .. }), "{error}");
    assert_eq!(error.to_string(), "the store refuses the request (HTTP 403)");
    let plain = section("a.csv", FileFormat::Csv, &[("id", "id")]);
    let error = read(session.as_mut(), &plain, &known("id", &["7"])).await.unwrap_err();
    assert_eq!(error, super::super::fault::changed());
}

#[tokio::test]
async fn gcs_lists_and_reads_below_the_prefix() {
    let stub = Stub::start(|line| match line {
        line if line.contains("list-type=2") => ("200 OK", "", S3_LISTING),
        line if line.starts_with("GET /lake/in%2Fa%2Ecsv ") => {
            ("200 OK", "etag: \"t1\"\r\n", "id\n7\n")
        }
        _ => ("404 Not Found", "", ""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key.json");
    let text = r#"{"private_key":"","private_key_id":"","client_email":"","disable_oauth":true}"#;
    std::fs::write(&key, text).unwrap();
    let silo = silo(FilesLocation::Gcs {
        bucket: "lake".to_owned(),
        prefix: Some("in".to_owned()),
        endpoint: Some(format!("http://{}", stub.address)),
        service_account: Some(antumbra_config::SecretRef::File(key)),
        ca: None,
    });
    let mut session = silo.connect().await.unwrap();
    let spec = section("*.csv", FileFormat::Csv, &[("id", "id")]);
    let (_, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "id"), ["7"]);
}

#[tokio::test]
async fn azure_lists_and_reads_with_the_accounts_key() {
    let stub = Stub::start(|line| match line {
        line if line.contains("comp=list") => (
            "200 OK",
            "",
            "<?xml version=\"1.0\"?><EnumerationResults><Blobs><Blob><Name>in/a.csv</Name><Properties>\
             <Last-Modified>Mon, 01 Jan 2024 00:00:00 GMT</Last-Modified><Content-Length>5</Content-Length>\
             <Content-Type>text/csv</Content-Type><Etag>t1</Etag></Properties></Blob></Blobs><NextMarker/></EnumerationResults>",
        ),
        line if line.contains("/in/a.csv") => {
            ("200 OK", "etag: \"t1\"\r\nx-ms-blob-type: BlockBlob\r\n", "id\n7\n")
        }
        _ => ("404 Not Found", "", ""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "Y2FuYXJ5LWtleS0wMTIzNDU2Nzg5").unwrap();
    let silo = silo(FilesLocation::Azure {
        account: "shop".to_owned(),
        container: "lake".to_owned(),
        prefix: Some("in".to_owned()),
        endpoint: Some(format!("http://{}", stub.address)),
        access_key: Some(antumbra_config::SecretRef::File(key)),
        sas: None,
        ca: None,
    });
    let mut session = silo.connect().await.unwrap();
    let spec = section("*.csv", FileFormat::Csv, &[("id", "id")]);
    let (_, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "id"), ["7"]);
    let heads = stub.heads();
    assert!(heads.iter().all(|head| head.contains("authorization: SharedKey shop:")));
    // The listing has the tag without quotes, headers with them.
    assert!(heads.iter().any(|head| head.contains("if-match: \"t1\"\r\n")), "{heads:?}");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_asked_again_later() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stub = Stub { address: gone.local_addr().unwrap(), heads: Arc::default() };
    drop(gone);
    let dir = tempfile::tempdir().unwrap();
    let mut session = s3(&stub, dir.path()).connect().await.unwrap();
    let spec = section("a.csv", FileFormat::Csv, &[("id", "id")]);
    let error = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap_err();
    let reason = "the store cannot be reached".to_owned();
    assert_eq!(error, SiloError::Unavailable { reason });
}
