//! The keeper with a clock of the test's own, over files and over what stands for them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antumbra_crypto::{
    Context, Error, KeyRing, LiveRing, Retry, RingSource, Root, Roots, SecretBytes,
};
use antumbra_roots::{CachedRoot, LocalRoot};
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::task::{LOOK_EVERY, REPAIRED_EVERY};
use super::{Keeper, Look};
use crate::keys::RingFile;

const NOW: &str = "2026-03-04T05:06:07Z";

fn roots() -> Roots {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    Roots::new(Arc::new(LocalRoot::from_text(key).unwrap()))
}

/// What stands for the disk, and for a KMS that is down.
#[derive(Debug)]
struct Source {
    answer: Mutex<Result<Vec<u8>, ()>>,
    reads: AtomicUsize,
}

impl Source {
    fn of(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(Ok(bytes.to_vec())), reads: AtomicUsize::new(0) })
    }

    fn answers(&self, answer: Result<&[u8], ()>) {
        *self.answer.lock().unwrap() = answer.map(<[u8]>::to_vec);
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl RingSource for Source {
    async fn read(&self) -> Result<Vec<u8>, Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        answer.map_err(|()| Error::RingUnreadable { source: "gone".into() })
    }
}

/// A keeper that runs, over a ring with a file to look at.
struct Kept {
    ring: Arc<LiveRing>,
    asked: Arc<Notify>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Kept {
    async fn start(ring: KeyRing, source: Arc<dyn RingSource>, path: &Path) -> Self {
        Self::of(LiveRing::new(ring, roots(), source), path).await
    }

    async fn of(ring: LiveRing, path: &Path) -> Self {
        let (ring, seen) = (Arc::new(ring), Look::at(path).await);
        let keeper = Keeper::new(Arc::clone(&ring), path.to_owned(), seen, Vec::new());
        let (asked, shutdown) = (keeper.asked(), CancellationToken::new());
        let run = keeper.run(shutdown.clone(), shutdown.clone());
        let task = tokio_util::task::TaskTracker::new().spawn(run);
        Self { ring, asked, shutdown, task }
    }

    fn active(&self) -> String {
        self.ring.current().active_id().to_owned()
    }

    /// Waits for the ring to be another one; the clock is the test's.
    async fn becomes(&self, active: &str) {
        for _ in 0..100 {
            if self.active() == active {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("the ring was not reloaded");
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

/// A ring, and what it is after one rotation.
async fn rings() -> (KeyRing, Vec<u8>, String, Vec<u8>) {
    let (ring, one) = KeyRing::create(&roots(), NOW).await.unwrap();
    let (rotated, two) = ring.rotated(NOW).await.unwrap();
    (ring, one, rotated.active_id().to_owned(), two)
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ring.json");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_replaced_is_read_again() {
    let (ring, one, active, two) = rings().await;
    let (_dir, path) = file(&one);
    let source = Arc::new(RingFile::at(&path));
    let kept = Kept::start(ring, source, &path).await;
    let (_, mut edit) = RingFile::at(&path).edit().await.unwrap();
    edit.replace(&two).unwrap();
    kept.becomes(&active).await;
    kept.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_stays_is_looked_at_and_not_read() {
    let (ring, one, _, _) = rings().await;
    let (_dir, path) = file(&one);
    let source = Source::of(&one);
    let kept = Kept::start(ring, Arc::<Source>::clone(&source), &path).await;
    sleep(LOOK_EVERY * 20).await;
    assert_eq!(source.reads(), 0);
    kept.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_ask_reads_the_ring_whatever_the_file_looks_like() {
    let (ring, one, active, two) = rings().await;
    let (_dir, path) = file(&one);
    let source = Source::of(&two);
    let kept = Kept::start(ring, Arc::<Source>::clone(&source), &path).await;
    kept.asked.notify_one();
    kept.becomes(&active).await;
    kept.stop().await;
}

/// Kubernetes mounts `ring.json` → `..data/ring.json`, `..data` → `..one`, and exchanges the middle link alone.
#[tokio::test(start_paused = true)]
async fn links_that_lead_elsewhere_are_noticed() {
    let (ring, one, active, two) = rings().await;
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("..one", &one), ("..two", &two)] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("ring.json"), bytes).unwrap();
    }
    symlink("..one", dir.path().join("..data")).unwrap();
    let path = dir.path().join("ring.json");
    symlink("..data/ring.json", &path).unwrap();
    let kept = Kept::start(ring, Arc::new(RingFile::at(&path)), &path).await;
    symlink("..two", dir.path().join("..next")).unwrap();
    fs::rename(dir.path().join("..next"), dir.path().join("..data")).unwrap();
    kept.becomes(&active).await;
    kept.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_leaves_the_old_ring_and_is_tried_again() {
    let (ring, one, active, two) = rings().await;
    let (before, (_dir, path)) = (ring.active_id().to_owned(), file(&one));
    let source = Source::of(&one);
    source.answers(Err(()));
    let kept = Kept::start(ring, Arc::<Source>::clone(&source), &path).await;
    kept.asked.notify_one();
    sleep(LOOK_EVERY * 5).await;
    assert!(source.reads() >= 3, "it gave up");
    assert_eq!(kept.active(), before);
    // The file was not touched meanwhile: what it could not read before it reads now.
    source.answers(Ok(&two));
    kept.becomes(&active).await;
    let reads = source.reads();
    sleep(LOOK_EVERY * 5).await;
    assert_eq!(source.reads(), reads, "it goes on reading");
    kept.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_is_damaged_or_foreign_is_refused_once() {
    let (ring, one, active, two) = rings().await;
    let (_, foreign) = KeyRing::create(&roots(), NOW).await.unwrap();
    let (before, (_dir, path)) = (ring.active_id().to_owned(), file(&one));
    let source = Source::of(b"{");
    let kept = Kept::start(ring, Arc::<Source>::clone(&source), &path).await;
    for bad in [b"{".as_slice(), &foreign] {
        source.answers(Ok(bad));
        let reads = source.reads();
        kept.asked.notify_one();
        sleep(LOOK_EVERY * 5).await;
        assert_eq!(source.reads(), reads + 1);
        assert_eq!(kept.active(), before);
    }
    source.answers(Ok(&two));
    kept.asked.notify_one();
    kept.becomes(&active).await;
    kept.stop().await;
}

/// What the file holds is not what was wrong: a key was disabled, or a policy forgot the daemon.
#[tokio::test(start_paused = true)]
async fn what_only_an_operator_repairs_is_taken_over_once_it_is_repaired() {
    /// Refuses until somebody repairs it.
    #[derive(Debug)]
    struct Refusing(Arc<dyn Root>, AtomicBool);

    #[async_trait]
    impl Root for Refusing {
        fn id(&self) -> &str {
            self.0.id()
        }

        async fn wrap(&self, secret: &SecretBytes, to: &Context) -> Result<Vec<u8>, Error> {
            self.0.wrap(secret, to).await
        }

        async fn unwrap(&self, wrapped: &[u8], to: &Context) -> Result<SecretBytes, Error> {
            if self.1.load(Ordering::SeqCst) {
                return self.0.unwrap(wrapped, to).await;
            }
            let (root, source) = (self.id().to_owned(), "refused".into());
            Err(Error::Root { root, retry: Retry::Operator, source })
        }
    }

    let (ring, _, active, two) = rings().await;
    let (before, (_dir, path)) = (ring.active_id().to_owned(), file(&two));
    let root = Arc::new(Refusing(Arc::clone(roots().current()), AtomicBool::new(false)));
    let source = Source::of(&two);
    let live = LiveRing::new(ring, Roots::new(Arc::<Refusing>::clone(&root)), source.clone());
    let kept = Kept::of(live, &path).await;
    kept.asked.notify_one();
    sleep(REPAIRED_EVERY * 3).await;
    assert_eq!(kept.active(), before);
    assert!((2..=6).contains(&source.reads()), "{}", source.reads());
    root.1.store(true, Ordering::SeqCst);
    sleep(REPAIRED_EVERY).await;
    kept.becomes(&active).await;
    kept.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_is_read_again_after_a_while() {
    let (ring, one, active, two) = rings().await;
    let (_dir, path) = file(&one);
    let source = Source::of(b"{");
    let kept = Kept::start(ring, Arc::<Source>::clone(&source), &path).await;
    kept.asked.notify_one();
    sleep(LOOK_EVERY * 5).await;
    // As where the clock of a network file system hides that it was written again.
    source.answers(Ok(&two));
    sleep(REPAIRED_EVERY).await;
    kept.becomes(&active).await;
    kept.stop().await;
}

/// A cache of 30 seconds that holds one key.
async fn filled() -> Arc<CachedRoot> {
    let root = Arc::clone(roots().current());
    let cache = Arc::new(CachedRoot::new(root, Duration::from_secs(30)));
    let context = Context::new("antumbra/kek").with("kek_1");
    let wrapped = cache.wrap(&SecretBytes::new(vec![7; 32]), &context).await.unwrap();
    cache.unwrap(&wrapped, &context).await.unwrap();
    assert_eq!(cache.held(), 1);
    cache
}

#[tokio::test(start_paused = true)]
async fn unwrapped_keys_are_forgotten_in_time_until_the_drain_has_ended() {
    let (ring, one, _, _) = rings().await;
    let (_dir, path) = file(&one);
    let ring = Arc::new(LiveRing::new(ring, roots(), Source::of(&one)));
    let (cache, seen) = (filled().await, Look::at(&path).await);
    let keeper = Keeper::new(ring, path, seen, vec![Arc::clone(&cache)]);
    let (shutdown, drained) = (CancellationToken::new(), CancellationToken::new());
    let run = keeper.run(shutdown.clone(), drained.clone());
    let task = tokio_util::task::TaskTracker::new().spawn(run);
    sleep(Duration::from_secs(5)).await;
    shutdown.cancel();
    sleep(Duration::from_secs(28)).await;
    assert_eq!(cache.held(), 0);
    assert!(!task.is_finished());
    drained.cancel();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn unwrapped_keys_are_forgotten_while_a_reload_hangs() {
    /// Never answers.
    #[derive(Debug)]
    struct Hanging;

    #[async_trait]
    impl RingSource for Hanging {
        async fn read(&self) -> Result<Vec<u8>, Error> {
            std::future::pending().await
        }
    }

    let (ring, one, _, _) = rings().await;
    let (_dir, path) = file(&one);
    let ring = Arc::new(LiveRing::new(ring, roots(), Arc::new(Hanging)));
    let cache = filled().await;
    let seen = Look::at(&path).await;
    let keeper = Keeper::new(ring, path, seen, vec![Arc::clone(&cache)]);
    keeper.asked().notify_one();
    let shutdown = CancellationToken::new();
    let run = keeper.run(shutdown.clone(), shutdown.clone());
    let task = tokio_util::task::TaskTracker::new().spawn(run);
    sleep(Duration::from_secs(29)).await;
    assert_eq!(cache.held(), 1);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(cache.held(), 0);
    shutdown.cancel();
    task.await.unwrap();
}
