//! Keys move, data stays, and an interruption costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use antumbra_crypto::{Context, Error, LiveRing, Retry, Root, Roots, SecretBytes};
use antumbra_jobs::{AuditEntry, JobId, JobStore as _};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::room::{Blind, Known, Vault, run, wait};
use crate::cli::Exit;
use crate::cli::args::{KeysCommand, SettingsArgs};
use crate::cli::keys::progress::Seen;
use crate::cli::keys::rewrapping;

/// Asks to stop after so many keys.
struct Stopper {
    left: u32,
    stop: CancellationToken,
}

impl Seen for Stopper {
    fn expect(&mut self, keys: u64) {
        assert_eq!(keys, 5);
    }

    fn step(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.stop.cancel();
        }
    }
}

#[tokio::test]
async fn an_interrupted_rewrap_is_taken_up_where_it_stopped() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let jobs = vault.jobs(&daemon, 5).await;
    let old = daemon.current().active_id().to_owned();
    let new = vault.rotate().await;

    let stop = CancellationToken::new();
    let mut stopper = Stopper { left: 2, stop: stop.clone() };
    let first = rewrapping::run(&vault.room(), &vault.store, &mut stopper, &stop).await.unwrap();
    assert!(first.stopped && first.ring && first.done == 2, "{first:?}");
    let mut used = vault.used().await;
    used.sort_by_key(|(_, jobs)| *jobs);
    assert_eq!(used, [(new.clone(), 2), (old, 3)]);
    vault.must_read(&daemon, &jobs).await;

    let second = vault.rewrap().await;
    assert!(!second.stopped && !second.ring && second.done == 3, "{second:?}");
    assert_eq!(vault.used().await, [(new, 5)]);
    vault.must_read(&daemon, &jobs).await;

    let third = vault.rewrap().await;
    assert_eq!((third.done, third.ring), (0, false));
    // Both that did something are in the log, with what each of them did.
    let audited = vault.audited("key.rewrapped").await;
    let fact = |name: &'static str| {
        let of = move |entry: &AuditEntry| entry.facts.get(name).cloned().unwrap_or_default();
        audited.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(fact("stage"), ["ended", "begun", "ended", "begun"]);
    assert_eq!(fact("jobs"), ["3", "", "2", ""]);
    assert_eq!(fact("failed"), ["0", "", "0", ""]);
    assert!(fact("key").iter().all(|key| *key == second.active));
}

#[tokio::test]
async fn nothing_moves_that_the_audit_log_does_not_know() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    vault.jobs(&daemon, 2).await;
    let new = vault.rotate().await;
    // First the ring is to change, then only jobs are.
    for _ in 0..2 {
        let (ring, used) = (vault.ring_text(), vault.used().await);
        vault.stop_audit();
        let refused = vault.rewrap_seen(&mut Blind).await.unwrap_err();
        assert!(format!("{refused:#}").contains("nothing was changed"), "{refused:#}");
        assert_eq!((vault.ring_text(), vault.used().await), (ring, used));
        vault.sql().execute_batch("drop trigger full").unwrap();
        let rewrap = vault.rewrap().await;
        vault.jobs(&daemon, 1).await;
        assert_eq!(rewrap.active, new);
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_unwrapped_is_named_and_stops_nothing() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let before = vault.jobs(&daemon, 1).await;
    let harmed = vault
        .job(&daemon, |mut bytes| {
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        })
        .await
        .unwrap();
    let after = vault.jobs(&daemon, 1).await;
    vault.rotate().await;
    for moved in [2, 0] {
        let rewrap = vault.rewrap().await;
        assert_eq!(rewrap.done, moved);
        let failed: Vec<_> = rewrap.failed.into_iter().collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0, harmed.created.job.id);
        assert!(failed[0].1.starts_with("authentication_failed"), "{failed:?}");
    }
    vault.must_read(&daemon, &before).await;
    vault.must_read(&daemon, &after).await;
    assert_eq!(run(KeysCommand::Rewrap(vault.args())).await.unwrap(), Exit::Failed);
    // It is left as it was.
    let job = vault.store.job(harmed.created.job.id).await.unwrap();
    assert_eq!(job.wrapped_key, harmed.created.job.wrapped_key);
}

#[tokio::test]
async fn a_damaged_key_of_the_ring_is_named_and_stops_nothing() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let old = daemon.current().active_id().to_owned();
    vault.rotate().await;
    vault.rewrap().await;
    let mut file: serde_json::Value = serde_json::from_str(&vault.ring_text()).unwrap();
    let keys = file["keys"].as_array_mut().unwrap();
    let damaged = keys.iter_mut().find(|key| key["id"] == old.as_str()).unwrap();
    damaged["wrapped"] = "AAAA".into();
    std::fs::write(&vault.shop.settings.keys.ring, file.to_string()).unwrap();

    let jobs = vault.jobs(&vault.live().await, 2).await;
    let new = vault.rotate().await;
    let rewrap = vault.rewrap().await;
    assert_eq!((rewrap.unreadable, rewrap.done), (vec![old], 2));
    assert_eq!(vault.used().await, [(new, 2)]);
    vault.must_read(&vault.live().await, &jobs).await;
    assert_eq!(run(KeysCommand::Rewrap(vault.args())).await.unwrap(), Exit::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_a_stale_daemon_makes_meanwhile_are_found_too() {
    struct Daemon<'a>(&'a Vault, LiveRing, u8);

    impl Seen for Daemon<'_> {
        fn expect(&mut self, _keys: u64) {}

        fn step(&mut self) {
            // A daemon that has not read the new ring makes jobs whose ids are behind those that were walked.
            if self.2 > 0 {
                let mut id = [0; 16];
                id[1] = self.2;
                self.2 -= 1;
                let made = self.0.job_named(JobId::from_bytes(id), &self.1, |bytes| bytes);
                wait(made).unwrap();
            }
        }
    }

    let vault = Vault::new().await;
    let daemon = vault.live().await;
    vault.jobs(&daemon, 1).await;
    let new = vault.rotate().await;
    let rewrap = vault.rewrap_seen(&mut Daemon(&vault, daemon, 3)).await.unwrap();
    assert_eq!((rewrap.done, rewrap.left), (4, 0));
    assert_eq!(vault.used().await, [(new.clone(), 4)]);

    // One that never reads it does not keep the command busy for ever, and is told of.
    let stale = LiveRing::fixed(vault.ring().await);
    vault.rotate().await;
    vault.job(&stale, |bytes| bytes).await.unwrap();
    let rewrap = vault.rewrap_seen(&mut Daemon(&vault, stale, 100)).await.unwrap();
    assert!(rewrap.left > 0 && rewrap.failed.is_empty(), "{rewrap:?}");
    assert!(vault.used().await.contains(&(new, rewrap.left)), "{rewrap:?}");
}

/// Does something once the walks begin.
struct Meanwhile<F: FnMut()>(F);

impl<F: FnMut() + Send> Seen for Meanwhile<F> {
    fn expect(&mut self, _keys: u64) {
        (self.0)();
    }

    fn step(&mut self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_meanwhile_is_no_fault_of_the_keys() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let mut jobs = vault.jobs(&daemon, 2).await;
    vault.rotate().await;
    for makes_job in [true, false] {
        let mut rotated = String::new();
        let mut rotate = Meanwhile(|| {
            rotated = wait(vault.rotate());
            if makes_job {
                jobs.extend(wait(async { vault.jobs(&vault.live().await, 1).await }));
            }
        });
        let refused = format!("{:#}", vault.rewrap_seen(&mut rotate).await.unwrap_err());
        assert!(refused.contains("rotated meanwhile") && refused.contains("again"), "{refused}");
        // None was blamed, nor moved away from the key that is active now.
        assert_eq!(vault.audited("key.rewrapped").await[0].facts["failed"], "0");
        vault.must_read(&daemon, &jobs).await;
        let rewrap = vault.rewrap().await;
        assert!(rewrap.failed.is_empty() && rewrap.active == rotated, "{rewrap:?}");
        assert_eq!(vault.used().await, [(rotated, 3)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_ring_learns_of_meanwhile_is_moved() {
    let vault = Vault::new().await;
    let old = vault.ring_text();
    let first = vault.ring().await.active_id().to_owned();
    let second = vault.rotate().await;
    let jobs = vault.jobs(&vault.live().await, 2).await;
    // The ring of a backup was put back; then one in which both keys are, and the first is active.
    let both = vault.ring_text();
    let both = both.replace("\"active\"", "\"x\"").replace("\"readable\"", "\"active\"");
    let both = both.replace("\"x\"", "\"readable\"");
    let path = &vault.shop.settings.keys.ring;
    std::fs::write(path, old).unwrap();
    let mut learn = Meanwhile(|| std::fs::write(path, &both).unwrap());
    let rewrap = vault.rewrap_seen(&mut learn).await.unwrap();
    assert_eq!((rewrap.done, rewrap.left, rewrap.failed.len()), (2, 0, 0), "{rewrap:?}");
    assert_eq!(vault.used().await, [(first, 2)]);
    assert!(vault.ring_text().contains(&second));
    vault.must_read(&vault.live().await, &jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_somebody_else_was_at_are_told_of() {
    /// After the first job of each walk somebody wraps the others anew, under the old key as before.
    struct Other<'a>(&'a Vault, LiveRing, &'a [Known]);

    impl Seen for Other<'_> {
        fn expect(&mut self, _keys: u64) {}

        fn step(&mut self) {
            wait(async {
                for known in self.2 {
                    let job = self.0.store.job(known.created.job.id).await.unwrap();
                    let context = antumbra_pipeline::data_key_context(&job.tenant, job.id);
                    let anew = self.1.wrap(&known.key, &context).await.unwrap();
                    let old = job.wrapped_key.unwrap();
                    assert!(self.0.store.replace_key(job.id, &old, &anew).await.unwrap());
                }
            });
        }
    }

    let vault = Vault::new().await;
    let daemon = vault.live().await;
    // The first that is walked cannot be moved, so that a walk in which the other wins each time moves none.
    let first = JobId::from_bytes([0; 16]);
    let harm = |mut bytes: Vec<u8>| {
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    vault.job_named(first, &daemon, harm).await.unwrap();
    let jobs = vault.jobs(&daemon, 2).await;
    let stale = LiveRing::fixed(vault.ring().await);
    vault.rotate().await;
    let rewrap = vault.rewrap_seen(&mut Other(&vault, stale, &jobs)).await.unwrap();
    assert_eq!((rewrap.done, rewrap.left, rewrap.failed.len()), (0, 2, 1), "{rewrap:?}");
    vault.must_read(&daemon, &jobs).await;
    // A key that is destroyed meanwhile is no failure any more, and hides none that is left.
    let mut destroy = Meanwhile(|| {
        wait(vault.store.destroy_key(first, &antumbra_jobs::Actor::Operator)).unwrap();
    });
    let rewrap = vault.rewrap_seen(&mut destroy).await.unwrap();
    assert_eq!((rewrap.done, rewrap.left, rewrap.failed.len()), (2, 0, 0), "{rewrap:?}");
}

/// A root that answers so many times.
#[derive(Debug)]
struct Tiring {
    inner: Arc<dyn Root>,
    left: AtomicU32,
}

#[async_trait]
impl Root for Tiring {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Error> {
        self.inner.wrap(secret, context).await
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Error> {
        let tired = self.left.try_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if tired.is_err() {
            let (root, source) = (self.id().to_owned(), "no answer".into());
            return Err(Error::Root { root, retry: Retry::Later, source });
        }
        self.inner.unwrap(wrapped, context).await
    }
}

#[tokio::test]
async fn a_root_that_goes_away_ends_it_and_nothing_is_lost() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let jobs = vault.jobs(&daemon, 4).await;
    let new = vault.rotate().await;
    let mut room = vault.room();
    let root =
        Arc::new(Tiring { inner: Arc::clone(room.roots.current()), left: AtomicU32::new(1000) });
    let current: Arc<dyn Root> = Arc::<Tiring>::clone(&root);
    room.roots = Roots::new(current);
    // Moving one key asks twice: for the key that wrapped it, and for the one that is to.
    let mut tire = Meanwhile(|| root.left.store(4, Ordering::SeqCst));
    let stop = CancellationToken::new();
    let ended = rewrapping::run(&room, &vault.store, &mut tire, &stop).await;
    let error = format!("{:#}", ended.unwrap_err());
    assert!(error.contains("run it again") && error.contains("no answer"), "{error}");
    let ended = vault.audited("key.rewrapped").await.remove(0);
    assert_eq!(ended.facts["failed"], "0", "the root's fault is no key's");
    let done: u64 = ended.facts["jobs"].parse().unwrap();
    assert!((1..4).contains(&done), "{done}");
    vault.must_read(&daemon, &jobs).await;
    assert_eq!(vault.rewrap().await.done + done, 4);
    assert_eq!(vault.used().await, [(new, 4)]);
}

#[tokio::test]
async fn everything_moves_under_another_root_and_the_old_one_is_not_needed_any_more() {
    let vault = Vault::new().await;
    let daemon = vault.live().await;
    let jobs = vault.jobs(&daemon, 2).await;
    let new_key = vault.shop.path("keys/new.key");
    antumbra_roots::generate_key_file(&new_key).unwrap();
    let (keys, old_key) = (&vault.shop.settings.keys, vault.shop.path("keys/root.key"));
    let settings = |older: &str| {
        let path = vault.shop.path("moved.toml");
        let text = std::fs::read_to_string(vault.shop.path("antumbra.toml")).unwrap();
        let text = text.replace(
            "root = { file = \"keys/root.key\" }",
            &format!("root = {{ file = \"keys/new.key\" }}\n{older}"),
        );
        std::fs::write(&path, text).unwrap();
        SettingsArgs { config: Some(path), set: Vec::new() }
    };

    let unnamed = run(KeysCommand::Rewrap(settings(""))).await.unwrap_err();
    let unnamed = format!("{unnamed:#}");
    assert!(unnamed.contains("keys.older_roots") && unnamed.contains("local:"), "{unnamed}");

    let named = settings("older_roots = [{ file = \"keys/root.key\" }]");
    assert_eq!(run(KeysCommand::Rewrap(named)).await.unwrap(), Exit::Done);
    std::fs::remove_file(old_key).unwrap();
    let room = crate::cli::keys::room::Room::open(&settings("")).unwrap();
    let ring = room.ring().await.unwrap();
    let root = room.roots.current().id();
    assert!(ring.keys().iter().all(|key| key.root.as_deref() == Some(root)));
    let live = LiveRing::fixed(ring);
    vault.must_read(&live, &jobs).await;
    assert!(keys.ring.try_exists().unwrap());
}
