//! The root itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use antumbra_crypto::{Context, Error, Root, Secret32, SecretBytes};
use async_trait::async_trait;
use futures::future::FutureExt as _;
use tokio::time::Instant;

use super::memory::{Answer, Memory, Name, Question};
use super::shared;

/// Keeps unwrapped keys in memory for a bounded time, so that a KMS is not asked for each of them
/// again and again.
///
/// A key is kept for at most `ttl` after the root gave it, and at most 1024 are. Once that time is
/// over it is not returned any more; the next call, whichever it is, overwrites it in memory, and
/// [`purge`](Self::purge) does where no call comes. Callers that ask for the same key at once share one question and its
/// outcome; an error is not remembered beyond those callers. Dropping a call is harmless.
///
/// [`wrap`](Root::wrap), [`rewrap`](Root::rewrap) and [`generate`](Root::generate) pass through and
/// nothing of theirs is kept: who reads back what a root wrapped must hear it from the root.
pub struct CachedRoot {
    root: Arc<dyn Root>,
    ttl: Duration,
    memory: Mutex<Memory>,
}

impl CachedRoot {
    /// Puts a memory of `ttl` in front of `root`.
    #[must_use]
    pub fn new(root: Arc<dyn Root>, ttl: Duration) -> Self {
        Self { root, ttl, memory: Mutex::default() }
    }

    /// Overwrites the keys whose time is over. To be called every second or so.
    pub fn purge(&self) {
        drop(self.memory());
    }

    /// Returns how many keys are in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.locked().held()
    }

    /// The memory without what is over.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        let mut memory = self.locked();
        memory.purge(Instant::now());
        memory
    }

    fn locked(&self) -> MutexGuard<'_, Memory> {
        // Each use leaves it whole, even one that panicked.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, name: Name, answer: &Answer) {
        // Who was scheduled late must not prolong anything.
        let until = answer.given.checked_add(self.ttl);
        if let Some(until) = until.filter(|until| Instant::now() < *until) {
            self.memory().keep(name, answer.secret.clone(), until);
        }
    }

    fn ask(&self, wrapped: &[u8], context: &Context) -> Question {
        let (root, wrapped, context) = (Arc::clone(&self.root), wrapped.to_vec(), context.clone());
        let question = async move {
            let secret = root.unwrap(&wrapped, &context).await.map_err(Arc::new)?;
            Ok(Answer { secret, given: Instant::now() })
        };
        question.boxed().shared()
    }
}

#[async_trait]
impl Root for CachedRoot {
    fn id(&self) -> &str {
        self.root.id()
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Error> {
        self.purge();
        self.root.wrap(secret, context).await
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Error> {
        let name = Name::of(wrapped, context);
        let question = {
            let mut memory = self.memory();
            if let Some(secret) = memory.find(&name) {
                return Ok(secret);
            }
            memory.join(name, || self.ask(wrapped, context))
        };
        let outcome = question.await;
        if let Ok(answer) = &outcome {
            self.keep(name, answer);
        }
        self.purge();
        outcome.map(|answer| answer.secret).map_err(shared::own)
    }

    async fn generate(&self, context: &Context) -> Result<(Secret32, Vec<u8>), Error> {
        self.purge();
        self.root.generate(context).await
    }

    async fn rewrap(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, Error> {
        self.purge();
        self.root.rewrap(wrapped, context).await
    }
}

impl fmt::Debug for CachedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedRoot")
            .field("root", &self.root)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
