//! What do the commands do where there is no job store? Nothing: it is elsewhere, and what it needs is not known here.

use antumbra_crypto::KeyState;

use super::room::{Vault, run};
use crate::cli::Exit;
use crate::cli::args::{
    KeysCommand, KeysDestroyArgs, KeysExportArgs, KeysListArgs, KeysRetireArgs, KeysRotateArgs,
    SettingsArgs,
};
use crate::cli::keys::list;
use crate::cli::keys::room::Room;
use crate::cli::testing::Shop;

/// Every command that changes a key or hands it out.
fn every(settings: &SettingsArgs, key: &str, job: &str) -> Vec<KeysCommand> {
    let settings = || settings.clone();
    let retire = |key: Option<&str>| KeysRetireArgs {
        key: key.map(str::to_owned),
        unused: key.is_none(),
        settings: settings(),
    };
    let mut exporting = settings();
    exporting.set.push(("keys.allow_export".to_owned(), "true".to_owned()));
    vec![
        KeysCommand::Rotate(KeysRotateArgs { rewrap: false, settings: settings() }),
        KeysCommand::Rotate(KeysRotateArgs { rewrap: true, settings: settings() }),
        KeysCommand::Rewrap(settings()),
        KeysCommand::Retire(retire(Some(key))),
        KeysCommand::Retire(retire(None)),
        KeysCommand::Destroy(KeysDestroyArgs {
            job: job.to_owned(),
            yes: true,
            settings: settings(),
        }),
        KeysCommand::ExportTinkey(KeysExportArgs {
            job: job.to_owned(),
            out: Some("/nowhere/keyset.json".into()),
            objects: None,
            settings: exporting,
        }),
    ]
}

#[tokio::test]
async fn a_key_that_jobs_elsewhere_need_is_not_retired() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let jobs = vault.jobs(&daemon, 1).await;
    let (old, job) = (daemon.current().active_id().to_owned(), jobs[0].created.job.id.to_string());
    let new = vault.rotate().await;
    // The ring needs the old key no more; a job does, in a store that the settings do not lead to.
    let (ring, mut edit) = vault.room().edit().await.unwrap();
    edit.replace(&ring.rewrapped().await.unwrap().unwrap().1).unwrap();
    drop(edit);
    let before = vault.ring_text();
    let mut elsewhere = vault.args();
    let empty = vault.shop.path("empty").display().to_string();
    elsewhere.set.push(("data.directory".to_owned(), empty.clone()));
    for made in [false, true] {
        if made {
            // Somebody began to make a store, and did not come far.
            std::fs::create_dir(&empty).unwrap();
            std::fs::write(vault.shop.path("empty/antumbra.db"), "").unwrap();
        }
        for command in every(&elsewhere, &old, &job) {
            let what = format!("{command:?}");
            let refused = format!("{:#}", run(command).await.unwrap_err());
            assert!(refused.contains("no job store at"), "{what}: {refused}");
            assert!(refused.contains(&format!("{empty}/antumbra.db")), "{what}: {refused}");
            assert_eq!(vault.ring_text(), before, "{what}");
        }
    }
    assert_eq!(std::fs::metadata(vault.shop.path("empty/antumbra.db")).unwrap().len(), 0);
    let states: Vec<_> =
        vault.ring().await.keys().into_iter().map(|key| (key.id, key.state)).collect();
    assert_eq!(states, [(old, KeyState::Readable), (new, KeyState::Active)]);
    vault.must_read(&vault.live().await, &jobs).await;
    vault.store.verify_audit().await.unwrap();
}

#[tokio::test]
async fn looking_makes_no_store_and_does_not_say_that_nothing_is_needed() {
    let shop = Shop::new().await;
    for json in [false, true] {
        let args = KeysListArgs { json, settings: shop.args() };
        assert_eq!(run(KeysCommand::List(args)).await.unwrap(), Exit::Done);
    }
    let rows = list::look(&Room::open(&shop.args()).unwrap()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.jobs).collect::<Vec<_>>(), [None]);
    assert!(!shop.names(".").contains(&"data".to_owned()));
    drop(shop.store().await);
    let rows = list::look(&Room::open(&shop.args()).unwrap()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.jobs).collect::<Vec<_>>(), [Some(0)]);
}
