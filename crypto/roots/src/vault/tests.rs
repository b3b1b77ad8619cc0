//! The root against a vault in this process, which keeps the promises of the real one or breaks
//! them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antumbra_crypto::{Context, Error, Retry, Root as _, Secret32, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::session::{Granted, Login, Session};
use super::*;
use crate::derived::{DerivedKey, Labels};
use crate::fault::Fault;
use crate::stub::{Reply, Seen, Stub};
use crate::{Patience, SecretSource, conformance};

/// Short pauses; tries as long as a machine under load needs.
const PATIENCE: Patience =
    Patience { timeout: Duration::from_secs(60), attempts: 3, pause: Duration::from_millis(1) };

fn always(text: &'static str) -> SecretSource {
    Arc::new(move || Ok(SecretBytes::from_slice(text.as_bytes())))
}

fn settings(stub: &Stub, auth: VaultAuth) -> Vault {
    Vault {
        address: stub.url(),
        mount: "team/transit".to_owned(),
        key: "antumbra".to_owned(),
        derived: false,
        namespace: Some("eu/prod".to_owned()),
        auth,
        ca: None,
        patience: PATIENCE,
    }
}

fn root(stub: &Stub) -> VaultRoot {
    VaultRoot::new(settings(stub, VaultAuth::Token(always(" s3cret-token\n")))).unwrap()
}

fn approle() -> VaultAuth {
    VaultAuth::AppRole {
        mount: "approle".to_owned(),
        role_id: always("s3cret-role"),
        secret_id: always("s3cret-id"),
    }
}

fn place() -> Context {
    Context::new("antumbra/kek").with("kek_1")
}

async fn wrap(root: &VaultRoot) -> Result<Vec<u8>, Error> {
    root.wrap(&SecretBytes::new(vec![7; 32]), &place()).await
}

/// A vault with one key, as far as this room uses it.
fn vault(seen: &Seen) -> Reply {
    let key = DerivedKey::new(b"vault", &Labels { scheme: "k", id: b"i", wrap: b"w" });
    let body = seen.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let context = Context::new("vault").with(text("associated_data"));
    let wrap = |secret: &[u8]| {
        let wrapped = key.wrap(&SecretBytes::from_slice(secret), &context).unwrap();
        format!("vault:v1:{}", STANDARD.encode(wrapped))
    };
    match seen.path.as_str() {
        "/v1/team/transit/encrypt/antumbra" => {
            let secret = STANDARD.decode(text("plaintext")).expect("base64");
            Reply::json(200, &json!({ "data": { "ciphertext": wrap(&secret) } }))
        }
        "/v1/team/transit/datakey/plaintext/antumbra" => {
            let secret = Secret32::generate().unwrap();
            let plain = STANDARD.encode(secret.expose());
            let wrapped = wrap(secret.expose());
            Reply::json(200, &json!({ "data": { "ciphertext": wrapped, "plaintext": plain } }))
        }
        "/v1/team/transit/decrypt/antumbra" => {
            let wrapped = text("ciphertext");
            let wrapped = wrapped.strip_prefix("vault:v1:").unwrap_or_default();
            match key.unwrap(&STANDARD.decode(wrapped).unwrap_or_default(), &context) {
                Ok(secret) => {
                    let plain = STANDARD.encode(secret.expose());
                    Reply::json(200, &json!({ "data": { "plaintext": plain } }))
                }
                Err(_) => refusal("cipher: message authentication failed"),
            }
        }
        _ => Reply::json(404, &json!({ "errors": ["no handler for route"] })),
    }
}

fn refusal(text: &str) -> Reply {
    Reply::json(400, &json!({ "errors": [text] }))
}

fn forbidden() -> Reply {
    Reply::json(403, &json!({ "errors": ["permission denied"] }))
}

fn logged_in(token: &str, lease: u64) -> Reply {
    Reply::json(200, &json!({ "auth": { "client_token": token, "lease_duration": lease } }))
}

/// The code of the cause, and the advice.
fn cause(error: &Error) -> (&'static str, Retry) {
    let Error::Root { source, retry, root } = error else { panic!("{error:?}") };
    assert_eq!(root, "vault:team/transit/antumbra");
    let source = source.downcast_ref::<crate::Error>().expect("our own error");
    let said = format!("{error:?}");
    assert!(!said.contains("s3cret"), "{said}");
    (source.code(), *retry)
}

#[tokio::test]
async fn it_conforms() {
    let stub = Stub::start(|_, seen| vault(seen)).await;
    conformance::every(&root(&stub)).await;
}

#[tokio::test]
async fn calls_carry_token_namespace_and_context() {
    let stub = Stub::start(|_, seen| vault(seen)).await;
    let wrapped = wrap(&root(&stub)).await.unwrap();
    let seen = stub.seen();
    let [call] = seen.as_slice() else { panic!("one call") };
    assert_eq!(call.header("x-vault-token"), "s3cret-token");
    assert_eq!(call.header("x-vault-namespace"), "eu/prod");
    assert_eq!(call.header("x-vault-request"), "true");
    assert_eq!(call.json()["associated_data"], STANDARD.encode(place().as_bytes()));
    assert!(wrapped.starts_with(b"\x01vault:v1:"));
}

#[tokio::test]
async fn generated_key_is_bound_even_by_a_vault_that_ignores_its_context() {
    let stub = Stub::start(|_, seen| {
        let mut seen = seen.clone();
        if seen.path.contains("datakey") {
            seen.body = r#"{"bits":256}"#.into();
        }
        vault(&seen)
    })
    .await;
    let root = root(&stub);
    let (key, wrapped) = root.generate(&place()).await.unwrap();
    assert_eq!(root.unwrap(&wrapped, &place()).await.unwrap().expose(), key.expose());
    let error = root.unwrap(&wrapped, &place().with("x")).await.unwrap_err();
    assert_eq!(error.code(), "authentication_failed");
}

#[tokio::test]
async fn vault_that_wraps_another_key_than_it_hands_out_is_not_believed() {
    let instead = |text: &str, name: &str, with: &[u8]| {
        let mut answer: serde_json::Value = serde_json::from_str(text).unwrap();
        answer["data"][name] = STANDARD.encode(with).into();
        answer.to_string()
    };
    // The key that it hands out is not the one that it wrapped.
    let stub = Stub::start(move |_, seen| match vault(seen) {
        Reply::Is(200, text) if seen.path.contains("datakey") => {
            Reply::Is(200, instead(&text, "plaintext", &[9; 32]))
        }
        reply => reply,
    })
    .await;
    let error = root(&stub).generate(&place()).await.unwrap_err();
    assert_eq!(cause(&error), ("root_answer_malformed", Retry::Operator));

    // It ignores the context of a new key, and what it then encrypts is something else.
    let stub = Stub::start(|_, seen| {
        let mut seen = seen.clone();
        if seen.path.contains("datakey") {
            seen.body = r#"{"bits":256}"#.into();
        } else if seen.path.contains("encrypt") {
            let mut body = seen.json();
            body["plaintext"] = STANDARD.encode([9; 32]).into();
            seen.body = body.to_string().into();
        }
        vault(&seen)
    })
    .await;
    let error = root(&stub).generate(&place()).await.unwrap_err();
    assert_eq!(cause(&error), ("root_answer_malformed", Retry::Operator));
    let paths: Vec<_> = stub.seen().iter().map(|call| call.path.clone()).collect();
    assert_eq!(paths.len(), 4, "{paths:?}");
}

#[tokio::test]
async fn rewrap_changes_what_an_older_version_wrapped_and_nothing_else() {
    let rotated = Arc::new(AtomicU32::new(0));
    let shared = Arc::clone(&rotated);
    // The stand-in knows one version; this one calls it by the newest name when it wraps.
    let stub = Stub::start(move |_, seen| {
        let mut seen = seen.clone();
        seen.body = String::from_utf8_lossy(&seen.body).replace(":v2:", ":v1:").into();
        match vault(&seen) {
            Reply::Is(200, text) if shared.load(Ordering::SeqCst) == 1 => {
                Reply::Is(200, text.replace(":v1:", ":v2:"))
            }
            reply => reply,
        }
    })
    .await;
    let root = root(&stub);
    let wrapped = wrap(&root).await.unwrap();
    assert_eq!(root.rewrap(&wrapped, &place()).await.unwrap(), wrapped);
    rotated.store(1, Ordering::SeqCst);
    let anew = root.rewrap(&wrapped, &place()).await.unwrap();
    assert!(anew.starts_with(b"\x01vault:v2:"));
    assert_eq!(root.unwrap(&anew, &place()).await.unwrap().expose(), [7; 32]);
    assert_eq!(root.rewrap(&anew, &place()).await.unwrap(), anew);
}

/// The key of each wrap is derived from `context`; `rewrap` opens and wraps where the key is.
fn deriving_vault(seen: &Seen) -> Reply {
    let mut seen = seen.clone();
    let mut body = seen.json();
    assert!(body.get("associated_data").is_none(), "{body}");
    body["associated_data"] = body["context"].take();
    seen.body = body.to_string().into();
    let Some(name) = seen.path.strip_prefix("/v1/team/transit/rewrap/") else {
        return vault(&seen);
    };
    let name = name.to_owned();
    seen.path = format!("/v1/team/transit/decrypt/{name}");
    let Reply::Is(200, opened) = vault(&seen) else { return vault(&seen) };
    let opened: serde_json::Value = serde_json::from_str(&opened).unwrap();
    body["plaintext"] = opened["data"]["plaintext"].clone();
    seen.body = body.to_string().into();
    seen.path = format!("/v1/team/transit/encrypt/{name}");
    match vault(&seen) {
        Reply::Is(200, text) => Reply::Is(200, text.replace(":v1:", ":v2:")),
        reply => reply,
    }
}

fn deriving_root(stub: &Stub) -> VaultRoot {
    let settings = settings(stub, VaultAuth::Token(always("s3cret-token")));
    VaultRoot::new(Vault { derived: true, ..settings }).unwrap()
}

#[tokio::test]
async fn derived_key_is_rewrapped_by_the_vault_and_its_plaintext_never_travels() {
    let stub = Stub::start(|_, seen| deriving_vault(seen)).await;
    let root = deriving_root(&stub);
    let wrapped = wrap(&root).await.unwrap();
    let before = stub.count();
    let anew = root.rewrap(&wrapped, &place()).await.unwrap();
    assert!(anew.starts_with(b"\x01vault:v2:"));
    let calls: Vec<_> = stub.seen()[before..].iter().map(|call| call.path.clone()).collect();
    assert_eq!(calls, ["/v1/team/transit/rewrap/antumbra"]);
    let moved = root.rewrap(&wrapped, &place().with("x")).await.unwrap_err();
    assert_eq!(moved.code(), "authentication_failed");
}

#[tokio::test]
async fn key_that_is_not_derived_wraps_nothing_where_the_settings_say_that_it_is() {
    // As vaults do: the context of such a key is ignored.
    let stub = Stub::start(|_, seen| {
        let mut seen = seen.clone();
        let mut body = seen.json();
        body["context"].take();
        seen.body = body.to_string().into();
        vault(&seen)
    })
    .await;
    let root = deriving_root(&stub);
    assert_eq!(cause(&wrap(&root).await.unwrap_err()), ("root_answer_malformed", Retry::Operator));
    let error = root.generate(&place()).await.unwrap_err();
    assert_eq!(cause(&error), ("root_answer_malformed", Retry::Operator));
}

#[tokio::test]
async fn sealed_vault_is_tried_again() {
    let stub = Stub::start(|number, seen| match number {
        0 => Reply::json(503, &json!({ "errors": ["Vault is sealed"] })),
        1 => Reply::Is(473, String::new()),
        _ => vault(seen),
    })
    .await;
    wrap(&root(&stub)).await.unwrap();
    assert_eq!(stub.count(), 3);

    let stub = Stub::start(|_, _| Reply::json(503, &json!({ "errors": ["s3cret"] }))).await;
    let error = wrap(&root(&stub)).await.unwrap_err();
    assert_eq!(cause(&error), ("root_unavailable", Retry::Later));
    assert_eq!(stub.count(), 3);

    let stub = Stub::start(|_, _| Reply::Hang).await;
    let patience = Patience { timeout: Duration::from_millis(20), ..PATIENCE };
    let settings = settings(&stub, approle());
    let hasty = VaultRoot::new(Vault { patience, ..settings }).unwrap();
    let error = wrap(&hasty).await.unwrap_err();
    assert_eq!(cause(&error), ("root_timeout", Retry::Later));
}

#[tokio::test]
async fn role_logs_in_once_and_again_when_its_token_is_refused() {
    let stub = Stub::start(|number, seen| match seen.path.as_str() {
        "/v1/auth/approle/login" => {
            let ids = json!({ "role_id": "s3cret-role", "secret_id": "s3cret-id" });
            assert_eq!(seen.json(), ids);
            assert_eq!(seen.header("x-vault-token"), "");
            logged_in(if number == 0 { "s3cret-1" } else { "s3cret-2" }, 3600)
        }
        // The first token is revoked after two calls.
        _ if seen.header("x-vault-token") == "s3cret-1" && number > 2 => forbidden(),
        _ => vault(seen),
    })
    .await;
    let root = VaultRoot::new(settings(&stub, approle())).unwrap();
    for _ in 0..4 {
        wrap(&root).await.unwrap();
    }
    let seen = stub.seen();
    let paths: Vec<_> = seen.iter().map(|call| call.path.rsplit('/').next().unwrap()).collect();
    let call = "antumbra";
    assert_eq!(paths, ["login", call, call, call, "login", call, call]);
}

#[tokio::test]
async fn role_without_permission_is_refused_after_one_more_login() {
    let stub = Stub::start(|_, seen| match seen.path.as_str() {
        "/v1/auth/approle/login" => logged_in("s3cret-1", 0),
        _ => forbidden(),
    })
    .await;
    let root = VaultRoot::new(settings(&stub, approle())).unwrap();
    let error = wrap(&root).await.unwrap_err();
    assert_eq!(cause(&error), ("root_refused", Retry::Operator));
    assert_eq!(stub.count(), 4);

    let stub = Stub::start(|_, _| refusal("invalid role or secret ID")).await;
    let root = VaultRoot::new(settings(&stub, approle())).unwrap();
    let error = wrap(&root).await.unwrap_err();
    assert_eq!(cause(&error), ("root_refused", Retry::Operator));
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn refused_token_is_read_again_and_tried_if_it_changed() {
    let kept = Arc::new(Mutex::new("s3cret-old"));
    let shared = Arc::clone(&kept);
    let source: SecretSource =
        Arc::new(move || Ok(SecretBytes::from_slice(shared.lock().unwrap().as_bytes())));
    let valid = Arc::new(Mutex::new("s3cret-old"));
    let accepted = Arc::clone(&valid);
    let stub = Stub::start(move |_, seen| {
        if seen.header("x-vault-token") == *accepted.lock().unwrap() {
            vault(seen)
        } else {
            forbidden()
        }
    })
    .await;
    let root = VaultRoot::new(settings(&stub, VaultAuth::Token(source))).unwrap();
    wrap(&root).await.unwrap();
    *valid.lock().unwrap() = "s3cret-new";
    let error = wrap(&root).await.unwrap_err();
    assert_eq!(cause(&error), ("root_refused", Retry::Operator));
    assert_eq!(stub.count(), 2, "the same token is not tried twice");
    *kept.lock().unwrap() = "s3cret-new";
    wrap(&root).await.unwrap();
    *valid.lock().unwrap() = "s3cret-3";
    *kept.lock().unwrap() = "s3cret-3";
    wrap(&root).await.unwrap();
    assert_eq!(stub.count(), 5);
}

#[tokio::test]
async fn secret_that_cannot_be_read_is_named() {
    let stub = Stub::start(|_, seen| vault(seen)).await;
    let gone: SecretSource = Arc::new(|| Err("no such file".into()));
    for (auth, field) in [
        (VaultAuth::Token(gone.clone()), "token"),
        (VaultAuth::Token(always(" \n")), "token"),
        (
            VaultAuth::AppRole {
                mount: "approle".to_owned(),
                role_id: always("r"),
                secret_id: gone.clone(),
            },
            "secret_id",
        ),
    ] {
        let root = VaultRoot::new(settings(&stub, auth)).unwrap();
        let error = wrap(&root).await.unwrap_err();
        assert_eq!(cause(&error), ("root_secret_unreadable", Retry::Operator));
        assert!(format!("{error:?}").contains(field), "{error:?}");
    }
    let root = VaultRoot::new(settings(&stub, VaultAuth::Token(always("s3cret\ntoken")))).unwrap();
    assert_eq!(cause(&wrap(&root).await.unwrap_err()), ("root_setting_invalid", Retry::Operator));
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn answers_of_something_else_are_refused() {
    let long = json!({ "data": { "ciphertext": "A".repeat(70_000) } }).to_string();
    let answers = [
        "",
        "<html>s3cret</html>",
        "[]",
        "{}",
        r#"{"data":{"ciphertext":7,"plaintext":"s3cret"}}"#,
        r#"{"data":{"ciphertext":"s3cret","plaintext":"s3cret"}}"#,
        r#"{"data":{"ciphertext":"vault:v1:AAAA","plaintext":"AAAA"}}"#,
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
        assert_eq!(stub.count(), 2);
    }
}

#[tokio::test]
async fn each_ciphertext_has_one_spelling() {
    let stub = Stub::start(|_, seen| vault(seen)).await;
    let root = root(&stub);
    let good = STANDARD.encode([5; 31]);
    // The same bytes for a decoder that overlooks the last bits.
    let odd = good.replace("Q==", "R==");
    assert_ne!(odd, good);
    for text in [
        format!("vault:v0:{good}"),
        format!("vault:v01:{good}"),
        format!("vault:v:{good}"),
        format!("vault:v-1:{good}"),
        format!("vault:v12345678901:{good}"),
        format!("Vault:v1:{good}"),
        format!("vault:v1:{good}\n"),
        format!("vault:v1:{}", good.trim_end_matches('=')),
        format!("vault:v1:{good}:"),
        format!("vault:v1:{odd}"),
        "vault:v1:".to_owned(),
        good.clone(),
    ] {
        let wrapped = [&[1], text.as_bytes()].concat();
        assert_eq!(
            root.unwrap(&wrapped, &place()).await.unwrap_err().code(),
            "malformed",
            "{text}"
        );
    }
    assert_eq!(stub.count(), 0);
    let wrapped = [b"\x01vault:v1:", good.as_bytes()].concat();
    let error = root.unwrap(&wrapped, &place()).await.unwrap_err();
    assert_eq!((error.code(), stub.count()), ("authentication_failed", 1));
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let stub = Stub::start(|_, seen| vault(seen)).await;
    let with = |change: &dyn Fn(&mut Vault)| {
        let mut settings = settings(&stub, VaultAuth::Token(always("s3cret")));
        change(&mut settings);
        settings
    };
    let mut elsewhere = approle();
    if let VaultAuth::AppRole { mount, .. } = &mut elsewhere {
        *mount = "../sys".to_owned();
    }
    let cases = [
        ("address", with(&|s| s.address = "http://vault.internal:8200".to_owned())),
        ("address", with(&|s| s.address = "https://u:s3cret@vault.internal".to_owned())),
        ("mount", with(&|s| s.mount = "transit/../sys".to_owned())),
        ("mount", with(&|s| s.mount = "/transit".to_owned())),
        ("mount", with(&|s| s.mount.clear())),
        ("key", with(&|s| s.key = "a/b".to_owned())),
        ("key", with(&|s| s.key = "a?b".to_owned())),
        ("namespace", with(&|s| s.namespace = Some("a b".to_owned()))),
        ("approle", with(&|s| s.auth = elsewhere.clone())),
    ];
    for (field, settings) in cases {
        let error = VaultRoot::new(settings).unwrap_err();
        assert_eq!(error.code(), "root_setting_invalid");
        let text = format!("{error} {error:?}");
        assert!(text.contains(&format!("`{field}`")) && !text.contains("s3cret"), "{text}");
    }
    let text = format!("{:?} {:?}", settings(&stub, approle()), root(&stub));
    assert!(!text.contains("s3cret"), "{text}");
}

/// Counts logins and gives tokens of this lease.
async fn token(session: &Session, logins: &AtomicU32, lease: Duration) -> String {
    let login = |_: Login| async {
        let number = logins.fetch_add(1, Ordering::SeqCst);
        let token = SecretBytes::new(format!("t{number}").into_bytes());
        Ok::<_, Fault>(Granted { token, lease })
    };
    let token = session.token(login).await.unwrap();
    token.text.expose_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn role_logs_in_before_its_lease_ends() {
    let (session, logins) = (Session::new(approle()), AtomicU32::new(0));
    let lease = Duration::from_secs(90);
    assert_eq!(token(&session, &logins, lease).await, "t0");
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(token(&session, &logins, lease).await, "t0");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(token(&session, &logins, lease).await, "t1");

    let (session, logins) = (Session::new(approle()), AtomicU32::new(0));
    assert_eq!(token(&session, &logins, Duration::ZERO).await, "t0");
    tokio::time::advance(Duration::from_secs(1_000_000)).await;
    assert_eq!(token(&session, &logins, Duration::ZERO).await, "t0", "it never ends");
}

#[tokio::test]
async fn callers_at_once_share_one_login() {
    let (session, logins) = (Session::new(approle()), AtomicU32::new(0));
    let lease = Duration::from_secs(90);
    let tokens = (0..8).map(|_| token(&session, &logins, lease));
    let tokens = futures::future::join_all(tokens).await;
    assert!(tokens.iter().all(|token| token == "t0"), "{tokens:?}");

    // All of them are refused at once; one new login serves them.
    let old = session.token(|_| async { Err::<Granted, Fault>(cannot()) }).await.unwrap();
    for _ in 0..8 {
        assert!(session.refused(&old).await);
        token(&session, &logins, lease).await;
    }
    assert_eq!(logins.load(Ordering::SeqCst), 2);
}

fn cannot() -> Fault {
    crate::Error::KeyText.into()
}
