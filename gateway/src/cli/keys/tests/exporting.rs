//! A key leaves only when settings, log and file system agree.

use std::fs;
use std::path::PathBuf;

use antumbra_bundle::{JobObjects, PackWriter};
use antumbra_crypto::tinkey;
use antumbra_jobs::{Actor, JobStore as _};
use serde_json::Value;

use super::room::{Known, Vault, run};
use crate::cli::Exit;
use crate::cli::args::{KeysCommand, KeysExportArgs};

fn args(vault: &Vault, known: &Known, allowed: bool) -> KeysExportArgs {
    let mut settings = vault.args();
    if allowed {
        settings.set.push(("keys.allow_export".to_owned(), "true".to_owned()));
    }
    KeysExportArgs {
        job: known.created.job.id.to_string(),
        out: Some(vault.shop.path("keyset.json")),
        objects: None,
        settings,
    }
}

async fn refusal(vault: &Vault, args: KeysExportArgs) -> String {
    let refused = run(KeysCommand::ExportTinkey(args)).await.unwrap_err();
    assert!(vault.audited("job.key_exported").await.is_empty());
    format!("{refused:#}")
}

#[tokio::test]
async fn it_is_refused_unless_the_settings_allow_it() {
    let vault = Vault::new().await;
    let job = vault.jobs(&vault.live().await, 1).await.remove(0);
    let refused = refusal(&vault, args(&vault, &job, false)).await;
    assert!(refused.contains("keys.allow_export"), "{refused}");
    assert!(!vault.shop.path("keyset.json").try_exists().unwrap());
}

#[tokio::test]
async fn the_keyset_and_what_tink_needs_of_each_object_are_written_and_logged() {
    let vault = Vault::new().await;
    let job = vault.jobs(&vault.live().await, 1).await.remove(0);
    let id = job.created.job.id;
    let (stored, _) = crate::app::open_objects(&vault.shop.settings).unwrap();
    let objects =
        JobObjects::new(std::sync::Arc::new(stored), job.key.clone(), "default", &id.to_string());
    for name in ["b", "a"] {
        let mut pack = PackWriter::create(&objects, name.to_owned()).await.unwrap();
        pack.write(b"sealed").await.unwrap();
        pack.finish().await.unwrap();
    }
    let lines = vault.shop.path("objects.jsonl");
    let wanted = KeysExportArgs { objects: Some(lines.clone()), ..args(&vault, &job, true) };
    assert_eq!(run(KeysCommand::ExportTinkey(wanted.clone())).await.unwrap(), Exit::Done);

    let written = fs::read(wanted.out.as_ref().unwrap()).unwrap();
    let [.., a, b, c, d] = *id.as_bytes();
    let expected = tinkey::keyset(&job.key, u32::from_be_bytes([a, b, c, d]).max(1));
    assert_eq!(written, expected.expose());
    let audited = vault.audited("job.key_exported").await;
    assert_eq!(audited.len(), 1);
    assert_eq!(audited[0].job.as_deref(), Some(id.to_string().as_str()));
    assert_eq!(Some(&audited[0].facts["key"]), job.created.job.key_id.as_ref());

    let lines = fs::read_to_string(lines).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for (line, name) in lines.iter().zip(["a", "b"]) {
        use base64::Engine as _;
        let context = base64::prelude::BASE64_STANDARD.encode(objects.context(name).as_bytes());
        assert_eq!(line["object"], name);
        assert_eq!(line["associatedData"], context);
        let path = vault.shop.path("data/objects").join(line["path"].as_str().unwrap());
        assert_eq!(line["length"], fs::metadata(path).unwrap().len());
    }
}

#[tokio::test]
async fn a_file_that_is_there_is_not_touched_and_nothing_is_logged() {
    let vault = Vault::new().await;
    let job = vault.jobs(&vault.live().await, 1).await.remove(0);
    let taken = vault.shop.path("keyset.json");
    fs::write(&taken, "mine").unwrap();
    refusal(&vault, args(&vault, &job, true)).await;
    assert_eq!(fs::read(&taken).unwrap(), b"mine");
    // Nor is the one left behind that was made before the other failed.
    let other = KeysExportArgs {
        out: Some(vault.shop.path("other.json")),
        objects: Some(taken),
        ..args(&vault, &job, true)
    };
    refusal(&vault, other).await;
    assert!(!vault.shop.path("other.json").try_exists().unwrap());
    let dash = KeysExportArgs { objects: Some(PathBuf::from("-")), ..args(&vault, &job, true) };
    assert!(refusal(&vault, dash).await.contains("--objects"));
}

#[tokio::test]
async fn a_destroyed_key_is_not_exported() {
    let vault = Vault::new().await;
    let job = vault.jobs(&vault.live().await, 1).await.remove(0);
    vault.store.destroy_key(job.created.job.id, &Actor::Operator).await.unwrap();
    let refused = refusal(&vault, args(&vault, &job, true)).await;
    assert!(refused.contains("destroyed"), "{refused}");
    assert!(!vault.shop.path("keyset.json").try_exists().unwrap());
}
