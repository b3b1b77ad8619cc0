//! What is remembered, and what is being asked.

use std::collections::HashMap;
use std::sync::Arc;

use antumbra_crypto::{Context, Error, SecretBytes};
use futures::future::{BoxFuture, Shared, WeakShared};
use ring::digest::{self, SHA256};
use tokio::time::Instant;

/// Keys with their deadlines, and questions that somebody waits for.
#[derive(Default)]
pub(super) struct Memory {
    kept: HashMap<Name, Kept>,
    /// They live as long as somebody waits for them.
    asked: HashMap<Name, WeakShared<Asking>>,
}

/// What a root said, and when.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) secret: SecretBytes,
    pub(super) given: Instant,
}

/// A question that many can wait for.
pub(super) type Question = Shared<Asking>;

type Asking = BoxFuture<'static, Result<Answer, Arc<Error>>>;

impl Memory {
    /// Returns a key that is remembered. It is for the caller to purge before.
    pub(super) fn find(&self, name: &Name) -> Option<SecretBytes> {
        self.kept.get(name).map(|kept| kept.secret.clone())
    }

    /// Returns the question that is on its way, or the one that `ask` makes.
    pub(super) fn join(&mut self, name: Name, ask: impl FnOnce() -> Question) -> Question {
        // One that is answered was kept, or its time is over: it is asked anew.
        if let Some(question) = self.asked.get(&name).and_then(open) {
            return question;
        }
        let question = ask();
        if let Some(weak) = question.downgrade() {
            self.asked.insert(name, weak);
        }
        question
    }

    pub(super) fn keep(&mut self, name: Name, secret: SecretBytes, until: Instant) {
        if self.kept.len() >= MOST_KEPT && !self.kept.contains_key(&name) {
            self.drop_soonest();
        }
        self.kept.insert(name, Kept { secret, until });
    }

    /// Forgets the keys whose time is over, and the questions that have their answer or nobody who
    /// waits for it.
    pub(super) fn purge(&mut self, now: Instant) {
        self.kept.retain(|_, kept| now < kept.until);
        self.asked.retain(|_, asked| open(asked).is_some());
    }

    pub(super) fn held(&self) -> usize {
        self.kept.len()
    }

    fn drop_soonest(&mut self) {
        let soonest = self.kept.iter().min_by_key(|(_, kept)| kept.until);
        if let Some(name) = soonest.map(|(name, _)| *name) {
            self.kept.remove(&name);
        }
    }
}

/// SHA-256 of a wrapped key and its context.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name([u8; 32]);

impl Name {
    pub(super) fn of(wrapped: &[u8], context: &Context) -> Self {
        let mut hash = digest::Context::new(&SHA256);
        hash.update(&(wrapped.len() as u64).to_be_bytes());
        hash.update(wrapped);
        hash.update(context.as_bytes());
        let mut name = [0; 32];
        name.copy_from_slice(hash.finish().as_ref());
        Self(name)
    }
}

struct Kept {
    secret: SecretBytes,
    until: Instant,
}

fn open(asked: &WeakShared<Asking>) -> Option<Question> {
    asked.upgrade().filter(|question| question.peek().is_none())
}

/// More KEKs than a ring has in many years.
pub(super) const MOST_KEPT: usize = 1024;
