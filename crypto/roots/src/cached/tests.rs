//! The memory against a root that counts, waits and fails on demand.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use antumbra_crypto::{Context, Error, KeyRing, Retry, Root, Roots, SecretBytes};
use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::Semaphore;

use super::CachedRoot;
use super::memory::MOST_KEPT;
use crate::{LocalRoot, conformance};

#[derive(Debug)]
struct CountingRoot {
    inner: LocalRoot,
    asked: AtomicU32,
    down: AtomicU32,
    /// Wraps something else than what it was given.
    broken: AtomicBool,
    gate: Semaphore,
}

impl CountingRoot {
    fn open() -> Arc<Self> {
        Self::with_gate(Semaphore::MAX_PERMITS)
    }

    fn with_gate(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: LocalRoot::from_text(KEY).unwrap(),
            asked: AtomicU32::new(0),
            down: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            gate: Semaphore::new(permits),
        })
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    fn fail(&self, times: u32) {
        self.down.store(times, Ordering::SeqCst);
    }
}

#[async_trait]
impl Root for CountingRoot {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Error> {
        let other = SecretBytes::new(vec![0; secret.len()]);
        let is_broken = self.broken.load(Ordering::SeqCst);
        self.inner.wrap(if is_broken { &other } else { secret }, context).await
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _permit = self.gate.acquire().await.expect("the gate is never closed");
        let down = |left: u32| left.checked_sub(1);
        if self.down.fetch_update(Ordering::SeqCst, Ordering::SeqCst, down).is_ok() {
            let source = crate::Error::Unavailable { host: "h".to_owned(), what: "w".to_owned() };
            return Err(Error::Root {
                root: self.id().to_owned(),
                retry: Retry::Later,
                source: Box::new(source),
            });
        }
        self.inner.unwrap(wrapped, context).await
    }
}

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NOW: &str = "2026-01-02T03:04:05Z";

const TTL: Duration = Duration::from_secs(60);

fn place() -> Context {
    Context::new("antumbra/kek").with("kek_1")
}

async fn wrapped(root: &CountingRoot, byte: u8) -> Vec<u8> {
    root.wrap(&SecretBytes::new(vec![byte; 32]), &place()).await.unwrap()
}

#[tokio::test]
async fn it_conforms() {
    let cached = CachedRoot::new(CountingRoot::open(), TTL);
    conformance::every(&cached).await;
    let other = LocalRoot::from_text(OTHER).unwrap();
    conformance::strangers(&cached, &other).await;
}

#[tokio::test(start_paused = true)]
async fn key_is_asked_for_once_until_its_time_is_over() {
    let root = CountingRoot::open();
    let cached = CachedRoot::new(root.clone(), TTL);
    let wrapped = wrapped(&root, 7).await;
    for _ in 0..3 {
        assert_eq!(cached.unwrap(&wrapped, &place()).await.unwrap().expose(), [7; 32]);
    }
    assert_eq!(root.asked(), 1);
    tokio::time::advance(TTL - Duration::from_millis(1)).await;
    cached.unwrap(&wrapped, &place()).await.unwrap();
    assert_eq!(root.asked(), 1, "use does not prolong");
    tokio::time::advance(Duration::from_millis(1)).await;
    root.fail(1);
    assert!(cached.unwrap(&wrapped, &place()).await.is_err(), "over, purged or not");
    assert_eq!(cached.held(), 0);
    cached.unwrap(&wrapped, &place()).await.unwrap();
    assert_eq!((root.asked(), cached.held()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn purge_drops_what_is_over_and_nothing_else() {
    let root = CountingRoot::open();
    let cached = CachedRoot::new(root.clone(), TTL);
    let (early, late) = (wrapped(&root, 1).await, wrapped(&root, 2).await);
    cached.unwrap(&early, &place()).await.unwrap();
    tokio::time::advance(TTL / 2).await;
    cached.unwrap(&late, &place()).await.unwrap();
    cached.purge();
    assert_eq!(cached.held(), 2);
    tokio::time::advance(TTL / 2).await;
    cached.purge();
    assert_eq!(cached.held(), 1);
    cached.unwrap(&late, &place()).await.unwrap();
    assert_eq!(root.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn every_call_drops_what_is_over_even_if_nobody_purges() {
    let root = CountingRoot::open();
    let cached = CachedRoot::new(root.clone(), TTL);
    let (key, other) = (wrapped(&root, 1).await, wrapped(&root, 2).await);
    for call in ["wrap", "unwrap", "generate", "rewrap", "failing unwrap"] {
        cached.unwrap(&key, &place()).await.unwrap();
        assert_eq!(cached.held(), 1);
        tokio::time::advance(TTL).await;
        let left = match call {
            "wrap" => cached.wrap(&SecretBytes::new(vec![1]), &place()).await.map(|_| 0),
            "unwrap" => cached.unwrap(&other, &place()).await.map(|_| 1),
            "generate" => cached.generate(&place()).await.map(|_| 0),
            "rewrap" => cached.rewrap(&other, &place()).await.map(|_| 0),
            _ => cached.unwrap(&other, &place().with("x")).await.map(|_| 1).or(Ok(0)),
        };
        assert_eq!(cached.held(), left.unwrap(), "{call}");
        tokio::time::advance(TTL).await;
        cached.purge();
        assert_eq!(cached.held(), 0);
    }
}

#[tokio::test]
async fn context_is_part_of_what_is_remembered() {
    let root = CountingRoot::open();
    let cached = CachedRoot::new(root.clone(), TTL);
    let wrapped = wrapped(&root, 7).await;
    cached.unwrap(&wrapped, &place()).await.unwrap();
    let error = cached.unwrap(&wrapped, &place().with("x")).await.unwrap_err();
    assert_eq!(error.code(), "authentication_failed");
}

#[tokio::test]
async fn what_was_wrapped_is_not_remembered_before_the_root_unwrapped_it() {
    let root = CountingRoot::open();
    let cached = CachedRoot::new(root.clone(), TTL);
    let (key, generated) = cached.generate(&place()).await.unwrap();
    let wrapped = cached.wrap(&SecretBytes::new(vec![1]), &place()).await.unwrap();
    let again = cached.rewrap(&wrapped, &place()).await.unwrap();
    assert_eq!((cached.held(), root.asked()), (0, 1));
    for _ in 0..2 {
        assert_eq!(cached.unwrap(&generated, &place()).await.unwrap().expose(), key.expose());
        assert_eq!(cached.unwrap(&again, &place()).await.unwrap().expose(), [1]);
    }
    assert_eq!((cached.held(), root.asked()), (2, 3));
}

/// Reading back what was wrapped is worth nothing if the memory answers.
#[tokio::test]
async fn root_that_cannot_read_back_is_found_out_behind_the_memory() {
    let is_found_out = |error: Error| match error {
        Error::Root { retry, source, .. } => {
            assert_eq!(retry, Retry::Operator);
            assert_eq!(source.to_string(), "what it wrapped does not unwrap to the same key");
        }
        other => panic!("{other:?}"),
    };
    let root = CountingRoot::open();
    let roots = Roots::new(Arc::new(CachedRoot::new(root.clone(), TTL)));
    let (ring, file) = KeyRing::create(&roots, NOW).await.unwrap();
    root.break_down();
    is_found_out(KeyRing::create(&roots, NOW).await.unwrap_err());
    is_found_out(ring.rotated(NOW).await.unwrap_err());

    let old: Arc<dyn Root> = Arc::new(LocalRoot::from_text(OTHER).unwrap());
    let (_, file_of_old) = KeyRing::create(&Roots::new(Arc::clone(&old)), NOW).await.unwrap();
    let both = roots.clone().with_older(old);
    let ring = KeyRing::open(&file_of_old, &both).await.unwrap();
    is_found_out(ring.rewrapped().await.unwrap_err());
    KeyRing::open(&file, &roots).await.unwrap();
}

#[tokio::test]
async fn callers_at_once_share_one_question() {
    let root = CountingRoot::with_gate(0);
    let cached = CachedRoot::new(root.clone(), TTL);
    let wrapped = wrapped(&root, 7).await;
    let place = place();
    let calls = join_all((0..20).map(|_| cached.unwrap(&wrapped, &place)));
    let (outcomes, ()) = futures::join!(calls, async {
        tokio::task::yield_now().await;
        root.gate.add_permits(1);
    });
    assert!(outcomes.iter().all(|secret| secret.as_ref().unwrap().expose() == [7; 32]));
    assert_eq!(root.asked(), 1);
}

#[tokio::test]
async fn error_reaches_all_who_wait_and_nobody_after_them() {
    let root = CountingRoot::with_gate(0);
    let cached = CachedRoot::new(root.clone(), TTL);
    let wrapped = wrapped(&root, 7).await;
    root.fail(1);
    let place = place();
    let calls = join_all((0..5).map(|_| cached.unwrap(&wrapped, &place)));
    let (outcomes, ()) = futures::join!(calls, async {
        tokio::task::yield_now().await;
        root.gate.add_permits(1);
    });
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!((error.code(), error.retry()), ("root_key_unusable", Retry::Later));
        let cause = error.source().expect("the cause is kept");
        assert_eq!(cause.to_string(), "h cannot answer now: w");
    }
    assert_eq!(root.asked(), 1);
    cached.unwrap(&wrapped, &place).await.unwrap();
    assert_eq!(root.asked(), 2);
}

#[tokio::test]
async fn lone_caller_gets_the_very_error() {
    let root = CountingRoot::open();
    let cached = CachedRoot::new(root.clone(), TTL);
    root.fail(1);
    let error = cached.unwrap(&wrapped(&root, 7).await, &place()).await.unwrap_err();
    let Error::Root { source, .. } = error else { panic!("{error:?}") };
    assert!(source.is::<crate::Error>());
}

#[tokio::test]
async fn dropped_question_does_not_stop_the_next() {
    let root = CountingRoot::with_gate(0);
    let cached = CachedRoot::new(root.clone(), TTL);
    let wrapped = wrapped(&root, 7).await;
    let place = place();
    let mut call = cached.unwrap(&wrapped, &place);
    assert!(futures::poll!(&mut call).is_pending());
    drop(call);
    root.gate.add_permits(1);
    assert_eq!(cached.unwrap(&wrapped, &place).await.unwrap().expose(), [7; 32]);
    assert_eq!(root.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_gives_up_the_oldest() {
    let root = CountingRoot::open();
    let cached = CachedRoot::new(root.clone(), TTL);
    let first = wrapped(&root, 1).await;
    cached.unwrap(&first, &place()).await.unwrap();
    tokio::time::advance(Duration::from_millis(1)).await;
    for _ in 0..MOST_KEPT {
        cached.unwrap(&wrapped(&root, 2).await, &place()).await.unwrap();
    }
    assert_eq!(cached.held(), MOST_KEPT);
    let asked = root.asked();
    cached.unwrap(&first, &place()).await.unwrap();
    assert_eq!(root.asked(), asked + 1);
}

#[tokio::test]
async fn debug_prints_no_key() {
    let root = CountingRoot::open();
    let cached = CachedRoot::new(root.clone(), TTL);
    cached.unwrap(&wrapped(&root, 7).await, &place()).await.unwrap();
    let text = format!("{cached:?}");
    assert!(text.contains("local:") && !text.contains("7, 7"), "{text}");
}
