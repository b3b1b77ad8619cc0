//! A ring that is read again while it is in use.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{join, join_all};
use futures::poll;
use tokio::sync::Semaphore;

use super::room::*;
use crate::{Error, KeyRing, LiveRing, RingSource, Roots};

/// A file that the test writes. A read looks at the file, then waits for a permit.
struct TestSource {
    file: Mutex<Option<Vec<u8>>>,
    gate: Semaphore,
    reads: AtomicUsize,
}

impl TestSource {
    fn write(&self, file: &[u8]) {
        *self.file.lock().unwrap() = Some(file.to_vec());
    }

    fn remove(&self) {
        *self.file.lock().unwrap() = None;
    }

    fn let_pass(&self, reads: usize) {
        self.gate.add_permits(reads);
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl std::fmt::Debug for TestSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestSource")
    }
}

#[async_trait]
impl RingSource for TestSource {
    async fn read(&self) -> Result<Vec<u8>, Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let file = self.file.lock().unwrap().clone();
        self.gate.acquire().await.unwrap().forget();
        file.ok_or_else(|| Error::RingUnreadable { source: "no such file".into() })
    }
}

const ROTATIONS: usize = 10;

struct House {
    live: LiveRing,
    source: Arc<TestSource>,
    roots: Roots,
    root: Arc<TestRoot>,
}

async fn house() -> House {
    let (ring, _, roots, root) = ring().await;
    let source = Arc::new(TestSource {
        file: Mutex::new(Some(ring.bytes.clone())),
        gate: Semaphore::new(0),
        reads: AtomicUsize::new(0),
    });
    let live = LiveRing::new(ring, roots.clone(), source.clone());
    House { live, source, roots, root }
}

impl House {
    /// What another process does: rotates the file and wraps a key under the new KEK.
    async fn rotate_behind_its_back(&self) -> ([u8; 32], Vec<u8>) {
        let (ring, file) = self.live.current().rotated(NOW).await.unwrap();
        self.source.write(&file);
        wrapped(&ring).await
    }

    async fn unwrap(&self, envelope: &[u8]) -> Result<[u8; 32], Error> {
        let key = self.live.unwrap(envelope, &place()).await?;
        Ok(*key.secret().expose())
    }
}

#[tokio::test]
async fn reload_takes_the_new_ring_over_and_leaves_the_old_one_to_its_users() {
    let house = house().await;
    house.source.let_pass(3);
    assert!(!house.live.reload().await.unwrap());
    let before = house.live.current();
    let (secret, envelope) = house.rotate_behind_its_back().await;
    assert!(house.live.reload().await.unwrap());
    assert!(!house.live.reload().await.unwrap());
    assert_ne!(house.live.current().active_id(), before.active_id());
    assert_eq!(house.unwrap(&envelope).await.unwrap(), secret);
    assert!(before.unwrap(&envelope, &place()).await.is_err());
}

#[tokio::test]
async fn fixed_ring_never_changes() {
    let (ring, ..) = ring().await;
    let (other, _) = ring.rotated(NOW).await.unwrap();
    let (_, newer) = wrapped(&other).await;
    let live = LiveRing::fixed(ring);
    assert!(!live.reload().await.unwrap());
    let error = live.unwrap(&newer, &place()).await.unwrap_err();
    assert_eq!(unknown_key(&error), other.active_id());
}

#[tokio::test]
async fn bad_file_leaves_the_old_ring() {
    let house = house().await;
    let active = house.live.current().active_id().to_owned();
    let (foreign, foreign_file) = KeyRing::create(&house.roots, NOW).await.unwrap();
    assert!(!foreign.is_of_same_installation(&house.live.current()));
    house.source.let_pass(4);

    house.source.write(b"{}");
    assert_eq!(house.live.reload().await.unwrap_err().code(), "malformed");
    house.source.write(&foreign_file);
    assert_eq!(house.live.reload().await.unwrap_err().code(), "ring_foreign");
    house.source.remove();
    assert_eq!(house.live.reload().await.unwrap_err().code(), "ring_unreadable");
    drop(house.rotate_behind_its_back().await);
    house.root.set_down(true);
    assert_eq!(house.live.reload().await.unwrap_err().code(), "root_key_unusable");
    house.root.set_down(false);

    assert_eq!(house.live.current().active_id(), active);
    let (secret, envelope) = wrapped(&house.live.current()).await;
    assert_eq!(house.unwrap(&envelope).await.unwrap(), secret);
}

#[tokio::test]
async fn unknown_key_is_looked_for_once_for_all_who_wait() {
    let house = house().await;
    let (secret, envelope) = house.rotate_behind_its_back().await;
    let all = join_all((0..20).map(|_| house.unwrap(&envelope)));
    let let_pass = async { house.source.let_pass(20) };
    for found in join(all, let_pass).await.0 {
        assert_eq!(found.unwrap(), secret);
    }
    assert_eq!(house.source.reads(), 1);
}

#[tokio::test]
async fn failed_look_is_told_to_all_who_wait_and_not_remembered() {
    let house = house().await;
    let (secret, envelope) = house.rotate_behind_its_back().await;
    let file = house.source.file.lock().unwrap().take().unwrap();
    let all = join_all((0..20).map(|_| house.unwrap(&envelope)));
    for found in join(all, async { house.source.let_pass(20) }).await.0 {
        let error = found.unwrap_err();
        assert_eq!((error.code(), error.retry()), ("ring_unreadable", crate::Retry::Later));
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "no such file");
    }
    // The one that was on its way when the others came, and one for all of them.
    assert_eq!(house.source.reads(), 2);
    house.source.write(&file);
    assert_eq!(house.unwrap(&envelope).await.unwrap(), secret);
}

#[tokio::test]
async fn file_that_is_bad_for_a_moment_never_condemns_a_key() {
    let house = house().await;
    let (secret, envelope) = house.rotate_behind_its_back().await;
    let file = house.source.file.lock().unwrap().take().unwrap();
    let (_, foreign) = KeyRing::create(&house.roots, NOW).await.unwrap();
    let text = String::from_utf8(file.clone()).unwrap();
    // The context of a KEK holds its id.
    let renamed = text.replace(house.live.current().active_id(), "kek_0000000000000000");
    let no_root = text.replace("test-root", "another-root");
    house.source.let_pass(Semaphore::MAX_PERMITS / 2);
    for (bad, reason) in [
        (Vec::new(), "malformed"),
        (file[..file.len() / 2].to_vec(), "malformed"),
        (foreign, "ring_foreign"),
        (renamed.into_bytes(), "unknown_key"),
        (no_root.into_bytes(), "unknown_key"),
        (altered(&file), "authentication_failed"),
    ] {
        house.source.write(&bad);
        assert_eq!(house.live.reload().await.unwrap_err().code(), reason, "the keeper's log");
        let looked = join_all((0..3).map(|_| house.unwrap(&envelope))).await;
        for error in looked.into_iter().map(Result::unwrap_err) {
            let told = (error.code(), error.retry());
            assert_eq!(told, ("ring_unreadable", crate::Retry::Later), "{reason}");
            let cause = std::error::Error::source(&error).unwrap();
            let cause = cause.downcast_ref::<Error>().expect("the reason is kept");
            assert_eq!(cause.code(), reason);
        }
    }
    house.source.write(&file);
    assert_eq!(house.unwrap(&envelope).await.unwrap(), secret);
}

/// The file with one bit of the active KEK's wrapping turned.
fn altered(file: &[u8]) -> Vec<u8> {
    let mut file: serde_json::Value = serde_json::from_slice(file).unwrap();
    spoil(&mut file["keys"][1]["wrapped"]);
    serde_json::to_vec(&file).unwrap()
}

#[tokio::test]
async fn root_that_is_down_while_a_key_is_looked_for_is_named_to_all_who_wait() {
    let house = house().await;
    let (secret, envelope) = house.rotate_behind_its_back().await;
    house.root.set_down(true);
    let all = join_all((0..20).map(|_| house.unwrap(&envelope)));
    for found in join(all, async { house.source.let_pass(20) }).await.0 {
        let error = found.unwrap_err();
        assert!(matches!(&error, Error::Root { root, .. } if root == "test-root"), "{error}");
        assert_eq!(error.retry(), crate::Retry::Later);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "down");
    }
    assert_eq!(house.source.reads(), 2);
    house.root.set_down(false);
    assert_eq!(house.unwrap(&envelope).await.unwrap(), secret);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotating_under_load_fails_no_reader() {
    let house = Arc::new(house().await);
    house.source.let_pass(Semaphore::MAX_PERMITS / 2);
    let known = Arc::new(Mutex::new(vec![wrapped(&house.live.current()).await]));
    let rotations_left = Arc::new(AtomicUsize::new(ROTATIONS));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (house, known, left) = (house.clone(), known.clone(), rotations_left.clone());
        readers.spawn(async move {
            let mut reads = 0_usize;
            while left.load(Ordering::SeqCst) > 0 || reads == 0 {
                let keys = known.lock().unwrap().clone();
                for (secret, envelope) in keys {
                    assert_eq!(house.unwrap(&envelope).await.unwrap(), secret);
                    reads += 1;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let mut ring = house.live.current();
    for _ in 0..ROTATIONS {
        let (rotated, _) = ring.rotated(NOW).await.unwrap();
        let (rewrapped, file) = rotated.rewrapped().await.unwrap().unwrap();
        house.source.write(&file);
        let key = wrapped(&rewrapped).await;
        known.lock().unwrap().push(key);
        ring = Arc::new(rewrapped);
        rotations_left.fetch_sub(1, Ordering::SeqCst);
    }
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
    house.live.reload().await.unwrap();
    assert_eq!(house.live.current().keys().len(), ROTATIONS + 1);
}

#[tokio::test]
async fn reload_that_began_before_the_key_was_made_is_not_enough() {
    let house = house().await;
    let mut early = pin!(house.live.reload());
    assert!(poll!(&mut early).is_pending());
    let (secret, envelope) = house.rotate_behind_its_back().await;
    let (early, found) =
        join(early, join(house.unwrap(&envelope), async { house.source.let_pass(2) })).await;
    assert!(!early.unwrap(), "it saw the old file");
    assert_eq!(found.0.unwrap(), secret);
    assert_eq!(house.source.reads(), 2);
}

#[tokio::test]
async fn dropped_reload_does_not_count_and_blocks_nobody() {
    let house = house().await;
    let (secret, envelope) = house.rotate_behind_its_back().await;
    {
        let mut dropped = pin!(house.unwrap(&envelope));
        assert!(poll!(&mut dropped).is_pending());
        let mut waiting = pin!(house.unwrap(&envelope));
        assert!(poll!(&mut waiting).is_pending());
    }
    house.source.let_pass(1);
    assert_eq!(house.unwrap(&envelope).await.unwrap(), secret);
    assert_eq!(house.source.reads(), 2);
}

#[tokio::test]
async fn wrapping_uses_the_newest_ring_and_tells_its_key() {
    let house = house().await;
    drop(house.rotate_behind_its_back().await);
    house.source.let_pass(1);
    house.live.reload().await.unwrap();
    let key = crate::stream::DataKey::generate().unwrap();
    let wrapped = house.live.wrap(&key, &place()).await.unwrap();
    assert_eq!(wrapped.key_id, house.live.current().active_id());
    assert_eq!(house.unwrap(&wrapped.bytes).await.unwrap(), *key.secret().expose());
}

#[tokio::test]
async fn debug_shows_no_key() {
    let text = format!("{:?}", house().await.live);
    assert!(text.contains("KeyRing") && text.len() < 300, "{text}");
}
