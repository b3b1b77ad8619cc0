//! What do the commands make of a daemon's answers? A small server plays the daemon.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::run;
use crate::cli::Exit;
use crate::cli::args::{
    BoundArgs, DaemonArgs, Personal, RequestCommand, RequestDownloadArgs, RequestListArgs,
    RequestOneArgs, RequestSubmitArgs, SubjectArgs, WindowArgs,
};
use crate::cli::exit::Fault;

/// Answers in the order given, and remembers what it was asked.
struct Daemon {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    key_file: tempfile::NamedTempFile,
    _serving: AbortOnDropHandle<()>,
}

struct Asked {
    line: String,
    authorization: String,
    body: Value,
}

impl Daemon {
    async fn answering(answers: Vec<(u16, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        let heard = Arc::clone(&asked);
        let serving = TaskTracker::new().spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let service = service_fn(|request: Request<Incoming>| {
                    let (heard, answers) = (Arc::clone(&heard), Arc::clone(&answers));
                    async move {
                        let line = format!("{} {}", request.method(), request.uri());
                        let header = request.headers().get("authorization");
                        let authorization =
                            header.map_or("", |value| value.to_str().unwrap()).to_owned();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let body = serde_json::from_slice(&body).unwrap_or_default();
                        heard.lock().unwrap().push(Asked { line, authorization, body });
                        let (status, bytes) = answers.lock().unwrap().pop_front().unwrap();
                        let answer = Full::new(Bytes::from(bytes));
                        Response::builder().status(status).body(answer)
                    }
                });
                let _gone = hyper::server::conn::http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            }
        });
        let key_file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(key_file.path(), "the-key\n").unwrap();
        Self { url, asked, key_file, _serving: AbortOnDropHandle::new(serving) }
    }

    fn args(&self) -> DaemonArgs {
        DaemonArgs {
            url: Some(self.url.clone()),
            api_key_file: Some(self.key_file.path().to_owned()),
            ..DaemonArgs::default()
        }
    }

    fn one(&self) -> RequestOneArgs {
        RequestOneArgs { id: ID.to_owned(), daemon: self.args() }
    }

    fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.line.clone()).collect()
    }
}

fn data(data: &Value) -> (u16, Vec<u8>) {
    let answer = json!({ "ok": true, "data": data, "contractVersion": "v1.0" });
    (200, answer.to_string().into_bytes())
}

fn job(state: &str, format: &str) -> Value {
    json!({
        "id": format!("dsar:{ID}"), "state": state, "format": format, "scope": { "kind": "TENANT_FULL" },
        "progress": { "rowsCollected": 5, "rowsExpected": 9, "bytesPackaged": 1 },
        "delivery": { "bundleSizeBytes": 3, "bundleSha256": SHA256_OF_ZIP }, "failure": null, "timeline": [],
    })
}

#[tokio::test]
async fn a_request_is_submitted_with_the_key_of_the_file() {
    let daemon = Daemon::answering(vec![data(
        &json!({ "job": job("REQUESTED", "JSON"), "activeLimit": 5 }),
    )])
    .await;
    let subject: Personal = "s-1".parse().unwrap();
    let args = RequestSubmitArgs {
        who: SubjectArgs { data_subject: Some(subject), tenant_full: false },
        window: WindowArgs::default(),
        bound: BoundArgs::default(),
        format: None,
        requested_by: None,
        notes: None,
        daemon: daemon.args(),
    };
    assert_eq!(run(RequestCommand::Submit(Box::new(args))).await.unwrap(), Exit::Done);
    let asked = daemon.asked.lock().unwrap();
    assert_eq!(asked[0].line, "POST /v1/compliance/dsar");
    assert_eq!(asked[0].authorization, "Bearer the-key");
    assert_eq!(asked[0].body["scope"]["dataSubjectId"], "s-1");
}

#[tokio::test]
async fn list_show_and_cancel_ask_for_what_they_name() {
    let list = json!({ "jobs": [job("READY", "CSV")], "total": 3, "filteredCount": 1, "activeCount": 0, "activeLimit": 5 });
    let one = data(&json!({ "job": job("READY", "CSV") }));
    let daemon = Daemon::answering(vec![data(&list), one.clone(), one]).await;
    let args =
        RequestListArgs { state: Some("READY".parse().unwrap()), limit: 7, daemon: daemon.args() };
    assert_eq!(run(RequestCommand::List(args)).await.unwrap(), Exit::Done);
    assert_eq!(run(RequestCommand::Show(daemon.one())).await.unwrap(), Exit::Done);
    assert_eq!(run(RequestCommand::Cancel(daemon.one())).await.unwrap(), Exit::Done);
    let expected = [
        "GET /v1/compliance/dsar?limit=7&state=READY".to_owned(),
        format!("GET /v1/compliance/dsar/dsar:{ID}"),
        format!("POST /v1/compliance/dsar/dsar:{ID}/cancel"),
    ];
    assert_eq!(daemon.lines(), expected);
}

#[tokio::test]
async fn watching_ends_with_the_code_of_the_last_state() {
    for (state, exit) in [
        ("READY", Exit::Done),
        ("DELIVERED", Exit::Done),
        ("FAILED", Exit::Failed),
        ("CANCELLED", Exit::Gone),
        ("EXPIRED", Exit::Gone),
    ] {
        let daemon = Daemon::answering(vec![
            data(&json!({ "job": job("COLLECTING", "CSV") })),
            data(&json!({ "job": job(state, "CSV") })),
        ])
        .await;
        assert_eq!(run(RequestCommand::Watch(daemon.one())).await.unwrap(), exit, "{state}");
        assert_eq!(daemon.lines().len(), 2);
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_daemons_words_without_its_control_characters() {
    let refusal = json!({
        "ok": false, "contractVersion": "v1.0",
        "error": { "code": "INVALID_STATE", "message": "no\u{1b}[2J", "context": { "state": "READY" } },
    });
    let daemon = Daemon::answering(vec![(409, refusal.to_string().into_bytes())]).await;
    let error = run(RequestCommand::Cancel(daemon.one())).await.unwrap_err();
    assert!(error.downcast_ref::<Fault>().is_none());
    assert_eq!(
        error.to_string(),
        "the request was not cancelled (409 Conflict INVALID_STATE): no\\u{1b}[2J (READY)"
    );
}

#[tokio::test]
async fn another_server_is_told_apart_from_a_daemon() {
    let daemon = Daemon::answering(vec![(200, b"<html>hello</html>".to_vec())]).await;
    let error = run(RequestCommand::Show(daemon.one())).await.unwrap_err();
    assert!(error.to_string().contains("none of this API"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let daemon = Daemon::answering(Vec::new()).await;
    let mut args = daemon.one();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    args.daemon.url = Some(format!("http://{}", free.local_addr().unwrap()));
    drop(free);
    let error = run(RequestCommand::Show(args)).await.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Fault::Unreachable(_))), "{error:#}");
}

#[tokio::test]
async fn a_missing_key_is_noticed_before_anybody_is_asked() {
    let daemon = Daemon::answering(Vec::new()).await;
    let mut args = daemon.one();
    args.daemon.api_key_file = Some("/none/of/these".into());
    assert!(run(RequestCommand::Show(args)).await.is_err());
    assert_eq!(daemon.lines(), [""; 0]);
}

fn download(daemon: &Daemon, out: &Path) -> RequestCommand {
    RequestCommand::Download(RequestDownloadArgs {
        id: ID.to_owned(),
        out: out.to_owned(),
        force: false,
        daemon: daemon.args(),
    })
}

#[tokio::test]
async fn a_zip_that_arrives_has_to_be_the_one_that_the_daemon_states() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("x.zip");
    let found = data(&json!({ "job": job("READY", "CSV") }));
    let daemon = Daemon::answering(vec![
        found.clone(),
        (200, b"zap".to_vec()),
        found,
        (200, b"zip".to_vec()),
    ])
    .await;
    let error = run(download(&daemon, &out)).await.unwrap_err();
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(run(download(&daemon, &out)).await.unwrap(), Exit::Done);
    assert_eq!(std::fs::read(&out).unwrap(), b"zip");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_download_replaces_nothing_unasked_and_leaves_nothing_when_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("x.json");
    let found = data(&json!({ "job": job("FAILED", "JSON") }));
    let refusal =
        json!({ "ok": false, "error": { "code": "INVALID_STATE", "message": "it FAILED" } });
    let daemon =
        Daemon::answering(vec![found.clone(), (409, refusal.to_string().into_bytes()), found])
            .await;
    assert!(run(download(&daemon, &out)).await.is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    std::fs::write(&out, "old").unwrap();
    assert!(run(download(&daemon, &out)).await.unwrap_err().to_string().contains("--force"));
    assert_eq!(std::fs::read(&out).unwrap(), b"old");
}

const ID: &str = "01900000-0000-7000-8000-000000000001";
/// Of the three letters `zip`.
const SHA256_OF_ZIP: &str = "4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2";
