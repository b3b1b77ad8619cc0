//! The root against a KMS in this process, which keeps the promises of the real one or breaks them.

use std::time::Duration;

use antumbra_crypto::{Context, Error, Retry, Root as _, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use serde_json::{Value, json};

use super::*;
use crate::conformance;
use crate::derived::{DerivedKey, Labels};
use crate::stub::{Reply, Seen, Stub};
use crate::wire::{Client, Patience, Trust};

/// Short pauses; tries as long as a machine under load needs.
const PATIENCE: Patience =
    Patience { timeout: Duration::from_secs(60), attempts: 3, pause: Duration::from_millis(1) };

fn settings(stub: &Stub) -> AwsKms {
    AwsKms {
        key: "arn:aws:kms:eu-central-1:111122223333:key/k-1".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: Some(stub.url()),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: SecretBytes::from_slice(b"s3cret-key"),
            session_token: Some(SecretBytes::from_slice(b"s3cret-token")),
        },
        ca: None,
        patience: PATIENCE,
    }
}

fn root(stub: &Stub) -> AwsKmsRoot {
    AwsKmsRoot::new(settings(stub)).unwrap()
}

fn place() -> Context {
    Context::new("antumbra/kek").with("kek_1")
}

/// A KMS with one key, as far as this room uses it.
fn kms(seen: &Seen) -> Reply {
    let key = DerivedKey::new(b"kms", &Labels { scheme: "k", id: b"i", wrap: b"w" });
    let body = seen.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let bytes = |name: &str| STANDARD.decode(text(name)).expect("base64");
    let context = |name: &str| Context::new("kms").with(body[name].to_string());
    let wrap = |secret: &[u8], context: &Context| {
        STANDARD.encode(key.wrap(&SecretBytes::from_slice(secret), context).unwrap())
    };
    let refusal = Reply::json(400, &json!({ "__type": "InvalidCiphertextException" }));
    match seen.header("x-amz-target") {
        "TrentService.Encrypt" => {
            let blob = wrap(&bytes("Plaintext"), &context("EncryptionContext"));
            Reply::json(200, &json!({ "CiphertextBlob": blob, "KeyId": text("KeyId") }))
        }
        "TrentService.GenerateDataKey" => {
            let key = antumbra_crypto::Secret32::generate().unwrap();
            let blob = wrap(key.expose(), &context("EncryptionContext"));
            let plain = STANDARD.encode(key.expose());
            Reply::json(200, &json!({ "CiphertextBlob": blob, "Plaintext": plain }))
        }
        "TrentService.Decrypt" => {
            match key.unwrap(&bytes("CiphertextBlob"), &context("EncryptionContext")) {
                Ok(secret) => {
                    Reply::json(200, &json!({ "Plaintext": STANDARD.encode(secret.expose()) }))
                }
                Err(_) => refusal,
            }
        }
        "TrentService.ReEncrypt" => {
            match key.unwrap(&bytes("CiphertextBlob"), &context("SourceEncryptionContext")) {
                Ok(secret) => {
                    let blob = wrap(secret.expose(), &context("DestinationEncryptionContext"));
                    Reply::json(200, &json!({ "CiphertextBlob": blob }))
                }
                Err(_) => refusal,
            }
        }
        other => Reply::Is(400, format!("unknown operation {other}")),
    }
}

async fn wrap(root: &AwsKmsRoot) -> Result<Vec<u8>, Error> {
    root.wrap(&SecretBytes::new(vec![7; 32]), &place()).await
}

/// The code of the cause, and the advice.
fn cause(error: &Error) -> (&'static str, Retry) {
    let Error::Root { source, retry, root } = error else { panic!("{error:?}") };
    assert_eq!(root, "aws-kms:arn:aws:kms:eu-central-1:111122223333:key/k-1");
    let source = source.downcast_ref::<crate::Error>().expect("our own error");
    let said = format!("{error:?}");
    assert!(!said.contains("s3cret"), "{said}");
    (source.code(), *retry)
}

#[tokio::test]
async fn it_conforms() {
    let stub = Stub::start(|_, seen| kms(seen)).await;
    conformance::every(&root(&stub)).await;
}

#[tokio::test]
async fn calls_are_signed_and_name_key_and_context() {
    let stub = Stub::start(|_, seen| kms(seen)).await;
    let wrapped = wrap(&root(&stub)).await.unwrap();
    root(&stub).unwrap(&wrapped, &place()).await.unwrap();
    let seen = stub.seen();
    let [encrypt, decrypt] = seen.as_slice() else { panic!("two calls") };
    for call in [encrypt, decrypt] {
        let signature = call.header("authorization");
        assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signature}");
        assert!(signature.contains("/eu-central-1/kms/aws4_request"), "{signature}");
        let signed =
            "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-target";
        assert!(signature.contains(&format!("SignedHeaders={signed},")), "{signature}");
        assert_eq!(call.header("content-type"), "application/x-amz-json-1.1");
        assert_eq!(call.header("x-amz-security-token"), "s3cret-token");
        assert_eq!(call.path, "/");
        let body = call.json();
        assert_eq!(body["KeyId"], "arn:aws:kms:eu-central-1:111122223333:key/k-1");
        let context = json!({
            "antumbra-context": STANDARD.encode(place().as_bytes()),
            "antumbra-purpose": "antumbra/kek",
        });
        assert_eq!(body["EncryptionContext"], context);
    }
    assert_eq!(wrapped[0], 1);
    assert_eq!(decrypt.json()["CiphertextBlob"], STANDARD.encode(&wrapped[1..]));
}

#[tokio::test]
async fn passing_faults_are_tried_again() {
    let stub = Stub::start(|number, seen| match number {
        0 => Reply::Is(500, "<html>".to_owned()),
        1 => Reply::json(400, &json!({ "__type": "ThrottlingException" })),
        _ => kms(seen),
    })
    .await;
    wrap(&root(&stub)).await.unwrap();
    assert_eq!(stub.count(), 3);
}

#[tokio::test]
async fn kms_that_stays_down_is_worth_another_try_later() {
    let stub = Stub::start(|_, _| Reply::Is(503, "s3cret".to_owned())).await;
    let error = wrap(&root(&stub)).await.unwrap_err();
    assert_eq!(cause(&error), ("root_unavailable", Retry::Later));
    assert_eq!(stub.count(), 3);

    let stub = Stub::start(|_, _| Reply::Break).await;
    let error = wrap(&root(&stub)).await.unwrap_err();
    assert_eq!(cause(&error), ("root_unreachable", Retry::Later));

    let stub = Stub::start(|_, _| Reply::Hang).await;
    let patience = Patience { timeout: Duration::from_millis(20), ..PATIENCE };
    let hasty = AwsKmsRoot::new(AwsKms { patience, ..settings(&stub) }).unwrap();
    let error = wrap(&hasty).await.unwrap_err();
    assert_eq!(cause(&error), ("root_timeout", Retry::Later));
}

#[tokio::test]
async fn refusals_are_not_tried_again() {
    for name in ["AccessDeniedException", "DisabledException", "ExpiredTokenException"] {
        let body = json!({ "__type": name, "message": "s3cret" });
        let stub = Stub::start(move |_, _| Reply::json(400, &body)).await;
        let error = wrap(&root(&stub)).await.unwrap_err();
        assert_eq!(cause(&error), ("root_refused", Retry::Operator));
        assert_eq!(stub.count(), 1, "{name}");
    }
    let stub = Stub::start(|_, _| Reply::Redirect("http://127.0.0.1:1/".to_owned())).await;
    let error = wrap(&root(&stub)).await.unwrap_err();
    assert_eq!(cause(&error), ("root_refused", Retry::Operator));
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn answers_of_something_else_are_refused() {
    let long = json!({ "CiphertextBlob": "A".repeat(70_000) }).to_string();
    let answers = [
        "",
        "<html>s3cret</html>",
        "[]",
        "{}",
        r#"{"CiphertextBlob":7,"Plaintext":"s3cret"}"#,
        r#"{"CiphertextBlob":"s3cret!","Plaintext":"s3cret!"}"#,
        r#"{"CiphertextBlob":"","Plaintext":"AAAA"}"#,
        long.as_str(),
    ];
    for answer in answers {
        let text = answer.to_owned();
        let stub = Stub::start(move |_, _| Reply::Is(200, text.clone())).await;
        let root = root(&stub);
        let wants = ("root_answer_malformed", Retry::Operator);
        assert_eq!(cause(&wrap(&root).await.unwrap_err()), wants, "{answer:.40}");
        let error = root.generate(&place()).await.unwrap_err();
        assert_eq!(cause(&error), wants, "{answer:.40}");
        let error = root.rewrap(&[1, 2, 3], &place()).await.unwrap_err();
        assert_eq!(cause(&error), wants, "{answer:.40}");
        assert_eq!(stub.count(), 3);
    }
}

#[tokio::test]
async fn what_kms_would_not_take_is_not_sent() {
    let stub = Stub::start(|_, seen| kms(seen)).await;
    let root = root(&stub);
    for len in [0, 4097] {
        let error = root.wrap(&SecretBytes::new(vec![1; len]), &place()).await.unwrap_err();
        assert_eq!(error.code(), "limit_reached", "{len}");
    }
    let wide = place().with(vec![1; 6000]);
    let error = root.generate(&wide).await.unwrap_err();
    assert_eq!(error.code(), "limit_reached");
    for (wrapped, code) in [(&[][..], "truncated"), (&[1], "truncated"), (&[2, 0], "malformed")] {
        assert_eq!(root.unwrap(wrapped, &place()).await.unwrap_err().code(), code);
    }
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let stub = Stub::start(|_, seen| kms(seen)).await;
    let with = |change: &dyn Fn(&mut AwsKms)| {
        let mut settings = settings(&stub);
        change(&mut settings);
        settings
    };
    let keys = |id: &str, secret: &[u8]| AwsCredentials::Static {
        access_key_id: id.to_owned(),
        secret_access_key: SecretBytes::from_slice(secret),
        session_token: None,
    };
    let cases = [
        ("key", with(&|s| s.key.clear())),
        ("key", with(&|s| s.key = "a key\n".to_owned())),
        ("region", with(&|s| s.region = "eu.example/".to_owned())),
        ("endpoint", with(&|s| s.endpoint = Some("http://kms.internal".to_owned()))),
        ("endpoint", with(&|s| s.endpoint = Some("https://kms.internal/path".to_owned()))),
        ("access_key_id", with(&|s| s.credentials = keys("A\nB", b"x"))),
        ("secret_access_key", with(&|s| s.credentials = keys("A", b" "))),
    ];
    for (field, settings) in cases {
        let error = AwsKmsRoot::new(settings).unwrap_err();
        assert_eq!(error.code(), "root_setting_invalid");
        assert!(error.to_string().contains(&format!("`{field}`")), "{field}: {error}");
    }
    let text = format!("{:?} {:?}", settings(&stub), root(&stub));
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn public_address_follows_from_the_region() {
    for (region, host) in [
        ("eu-central-1", "kms.eu-central-1.amazonaws.com"),
        ("cn-north-1", "kms.cn-north-1.amazonaws.com.cn"),
    ] {
        let settings = AwsKms {
            key: "alias/a".to_owned(),
            region: region.to_owned(),
            endpoint: None,
            credentials: AwsCredentials::Machine,
            ca: None,
            patience: PATIENCE,
        };
        let address = settings.address().unwrap();
        assert_eq!((address.host(), address.is_encrypted()), (host, true));
    }
}

/// Instance metadata as AWS documents it (version 2).
fn metadata(seen: &Seen) -> Reply {
    let role = json!({
        "AccessKeyId": "ASIAMACHINE",
        "SecretAccessKey": "s3cret",
        "Token": "s3cret-of-the-role",
        "Expiration": "2199-01-01T00:00:00Z",
    });
    match seen.path.as_str() {
        "/latest/api/token" => Reply::Is(200, "session".to_owned()),
        _ if seen.header("x-aws-ec2-metadata-token") != "session" => Reply::Is(401, String::new()),
        "/latest/meta-data/iam/security-credentials/" => Reply::Is(200, "role".to_owned()),
        "/latest/meta-data/iam/security-credentials/role" => Reply::json(200, &role),
        _ => Reply::Is(404, String::new()),
    }
}

fn client(timeout: Duration) -> Client {
    Client::new(Trust::Nobody, timeout).unwrap()
}

#[tokio::test]
async fn role_of_the_instance_is_found_and_remembered() {
    let stub = Stub::start(|_, seen| metadata(seen)).await;
    let builder = AmazonS3Builder::new().with_metadata_endpoint(stub.url());
    let provider = machine::provider(builder, "eu-central-1", client(PATIENCE.timeout)).unwrap();
    for _ in 0..2 {
        let found = provider.get_credential().await.unwrap();
        assert_eq!(found.key_id, "ASIAMACHINE");
        assert_eq!(found.token.as_deref(), Some("s3cret-of-the-role"));
    }
    assert_eq!(stub.count(), 3);
}

#[tokio::test]
async fn source_of_credentials_that_is_down_is_told_from_one_that_refuses() {
    type Answer = fn() -> Reply;
    let cases: [(Answer, &str, Retry); 5] = [
        (|| Reply::Is(404, "s3cret".to_owned()), "root_refused", Retry::Operator),
        (|| Reply::Is(500, "s3cret".to_owned()), "root_unavailable", Retry::Later),
        (|| Reply::Break, "root_unavailable", Retry::Later),
        (|| Reply::Hang, "root_unavailable", Retry::Later),
        (|| Reply::Is(200, "s3cret".to_owned()), "root_answer_malformed", Retry::Operator),
    ];
    for (reply, code, retry) in cases {
        let stub = Stub::start(move |_, _| reply()).await;
        let hangs = matches!(reply(), Reply::Hang);
        let timeout = if hangs { Duration::from_millis(20) } else { PATIENCE.timeout };
        let builder = AmazonS3Builder::new().with_metadata_endpoint(stub.url());
        let provider = machine::provider(builder, "eu-central-1", client(timeout)).unwrap();
        let error = machine::fault(&provider.get_credential().await.unwrap_err());
        assert_eq!((error.code(), error.retry()), (code, retry), "{error:?}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn web_identity_is_not_sent_in_the_clear() {
    let stub = Stub::start(|_, _| Reply::Is(200, String::new())).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret").unwrap();
    let builder = AmazonS3Builder::new()
        .with_config(AmazonS3ConfigKey::WebIdentityTokenFile, path.to_str().unwrap())
        .with_config(AmazonS3ConfigKey::RoleArn, "arn:aws:iam::111122223333:role/r")
        .with_config(AmazonS3ConfigKey::StsEndpoint, stub.url());
    let provider = machine::provider(builder, "eu-central-1", client(PATIENCE.timeout)).unwrap();
    let error = machine::fault(&provider.get_credential().await.unwrap_err());
    assert_eq!(error.retry(), Retry::Operator);
    assert!(error.to_string().contains("plain HTTP"), "{error}");
    assert_eq!(stub.count(), 0);
}

/// Keeps the stand-in honest: it must mind the context.
#[test]
fn stand_in_minds_the_context() {
    let call = |target: &str, body: &Value| {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-amz-target", target.parse().unwrap());
        kms(&Seen { path: "/".to_owned(), headers, body: body.to_string().into() })
    };
    let reply = call(
        "TrentService.Encrypt",
        &json!({ "Plaintext": "AAAA", "EncryptionContext": { "a": "b" } }),
    );
    let Reply::Is(200, text) = reply else { panic!("encrypts") };
    let blob = serde_json::from_str::<Value>(&text).unwrap()["CiphertextBlob"].clone();
    let reply = call(
        "TrentService.Decrypt",
        &json!({ "CiphertextBlob": blob, "EncryptionContext": { "a": "c" } }),
    );
    assert!(matches!(reply, Reply::Is(400, _)));
}
