//! A job's key goes, and only that job's.

use antumbra_jobs::{JobState, JobStore as _};

use super::room::{Vault, run};
use crate::cli::Exit;
use crate::cli::args::{KeysCommand, KeysDestroyArgs};
use crate::cli::exit::Fault;

fn args(vault: &Vault, job: &str, yes: bool) -> KeysCommand {
    KeysCommand::Destroy(KeysDestroyArgs { job: job.to_owned(), yes, settings: vault.args() })
}

#[tokio::test]
async fn the_key_goes_for_good_and_others_stay() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let jobs = vault.jobs(&daemon, 2).await;
    let id = jobs[0].created.job.id;
    for _ in 0..2 {
        assert_eq!(run(args(&vault, &id.to_string(), true)).await.unwrap(), Exit::Done);
        let job = vault.store.job(id).await.unwrap();
        assert_eq!((job.state, job.wrapped_key, job.key_id), (JobState::Cancelled, None, None));
    }
    assert_eq!(vault.audited("job.key_destroyed").await.len(), 1);
    vault.must_read(&daemon, &jobs[1..]).await;
    let active = daemon.current().active_id().to_owned();
    assert_eq!(vault.used().await, [(active, 1)]);
    // Nothing of it is left to wrap anew.
    vault.rotate().await;
    assert_eq!(vault.rewrap().await.done, 1);
    vault.store.verify_audit().await.unwrap();
}

#[tokio::test]
async fn a_request_is_answered_with_its_job() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let jobs = vault.jobs(&daemon, 1).await;
    let (request, job) = (jobs[0].created.request.id, jobs[0].created.job.id);
    for text in [request.to_string(), format!("dsar:{request}")] {
        let refused = run(args(&vault, &text, true)).await.unwrap_err();
        assert!(refused.to_string().contains(&job.to_string()), "{refused}");
        assert_eq!(refused.downcast_ref::<Fault>().unwrap().exit(), Exit::Usage);
    }
    for wrong in ["", "7", "dsar:", &format!("dsar:{job}"), "01900000-0000-7000-8000-000000000001"]
    {
        let refused = run(args(&vault, wrong, true)).await.unwrap_err();
        assert_eq!(refused.downcast_ref::<Fault>().unwrap().exit(), Exit::Usage, "{wrong}");
    }
    vault.must_read(&daemon, &jobs).await;
}

#[tokio::test]
async fn without_a_terminal_and_without_yes_nothing_is_destroyed() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let jobs = vault.jobs(&daemon, 1).await;
    // Whether tests have a terminal or not: nobody types `yes`.
    let ended = run(args(&vault, &jobs[0].created.job.id.to_string(), false)).await;
    assert!(!matches!(ended, Ok(Exit::Done)), "{ended:?}");
    vault.must_read(&daemon, &jobs).await;
    assert!(vault.audited("job.key_destroyed").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_reader_kept_is_told_of_and_goes_with_the_next_call() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let known = vault.jobs(&daemon, 1).await.remove(0);
    let id = known.created.job.id.to_string();
    let mut key = known.created.job.wrapped_key.unwrap();
    // What stands before the ciphertext names the key of the ring.
    let key = key.split_off(32);
    let reader = vault.sql();
    let count = "select count(*) from audit";
    reader.execute_batch("begin").unwrap();
    let before: u64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(run(args(&vault, &id, true)).await.unwrap(), Exit::Failed, "it is not all gone");
    assert_eq!(vault.store.job(known.created.job.id).await.unwrap().wrapped_key, None);
    assert!(keeps(&vault, &key), "the search finds it where it is");
    reader.execute_batch("commit").unwrap();
    // It was destroyed before: nobody is asked, and nothing is changed but the files.
    assert_eq!(run(args(&vault, &id, false)).await.unwrap(), Exit::Done);
    assert!(!keeps(&vault, &key));
    assert_eq!(vault.audited("job.key_destroyed").await.len(), 1);
    let after: u64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
    assert!(after > before);
}

/// Whether a file of the store has the bytes.
fn keeps(vault: &Vault, bytes: &[u8]) -> bool {
    vault.shop.names("data").iter().any(|name| {
        let path = vault.shop.path("data").join(name);
        path.is_file()
            && std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}
