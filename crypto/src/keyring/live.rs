//! The ring of a process that goes on while the file changes.

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use futures::lock::Mutex;

use super::info::WrappedKey;
use super::ring::KeyRing;
use super::root::Roots;
use crate::stream::DataKey;
use crate::{Context, Error};

/// Reads the ring file again.
#[async_trait]
pub trait RingSource: fmt::Debug + Send + Sync {
    /// Returns the bytes of the file as they are now.
    ///
    /// # Errors
    ///
    /// [`Error::RingUnreadable`] with the reason.
    async fn read(&self) -> Result<Vec<u8>, Error>;
}

/// Holds the newest ring that was read, and changes it for a newer one while others use it.
///
/// Who took [`current`](Self::current) keeps that ring; old and new ones unwrap side by side.
///
/// Every method may be dropped at any await: a ring is taken over whole or not at all.
pub struct LiveRing {
    current: RwLock<Arc<KeyRing>>,
    source: Option<(Roots, Arc<dyn RingSource>)>,
    /// How many reloads have begun.
    begun: AtomicU64,
    /// Held by the one reload that runs.
    last: Mutex<Option<Outcome>>,
}

/// How the last reload that came to its end went.
struct Outcome {
    /// Its number among those begun.
    number: u64,
    failure: Option<Error>,
}

impl LiveRing {
    /// Holds a ring that never changes.
    #[must_use]
    pub fn fixed(ring: KeyRing) -> Self {
        Self::with(ring, None)
    }

    /// Holds a ring that was opened from `source` with `roots`.
    #[must_use]
    pub fn new(ring: KeyRing, roots: Roots, source: Arc<dyn RingSource>) -> Self {
        Self::with(ring, Some((roots, source)))
    }

    fn with(ring: KeyRing, source: Option<(Roots, Arc<dyn RingSource>)>) -> Self {
        Self {
            current: RwLock::new(Arc::new(ring)),
            source,
            begun: AtomicU64::new(0),
            last: Mutex::new(None),
        }
    }

    /// Returns the newest ring.
    #[must_use]
    pub fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the source again and takes over what it holds; returns whether that is new.
    ///
    /// One reload runs at a time, others wait for it and then read by themselves. A fixed ring
    /// never changes.
    ///
    /// # Errors
    ///
    /// Those of the source and of [`KeyRing::open`], and [`Error::ForeignRing`] if the file is the
    /// ring of another installation. The old ring stays.
    pub async fn reload(&self) -> Result<bool, Error> {
        let mut last = self.last.lock().await;
        self.reload_under(&mut last).await
    }

    /// Wraps a data key as [`KeyRing::wrap`] of the newest ring does.
    ///
    /// # Errors
    ///
    /// As [`unwrap`](Self::unwrap).
    pub async fn wrap(&self, key: &DataKey, context: &Context) -> Result<WrappedKey, Error> {
        let seen = self.begun.load(Ordering::SeqCst);
        match self.current().wrap(key, context).await {
            Err(error @ Error::UnknownKey { .. }) => {
                self.newer_than(seen, error).await?.wrap(key, context).await
            }
            done => done,
        }
    }

    /// Unwraps a data key as [`KeyRing::unwrap`] of the newest ring does.
    ///
    /// A key that the ring does not know may be newer than the ring: the file is read again, once
    /// for all who wait for it.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::unwrap`]; if the file had to be read again and could not be taken over,
    /// [`Error::Root`] when a root is the reason and [`Error::RingUnreadable`] for all others: a
    /// file that is half written, missing or another's says nothing about the key.
    pub async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<DataKey, Error> {
        let seen = self.begun.load(Ordering::SeqCst);
        match self.current().unwrap(wrapped, context).await {
            Err(error @ Error::UnknownKey { .. }) => {
                self.newer_than(seen, error).await?.unwrap(wrapped, context).await
            }
            done => done,
        }
    }

    /// Returns a ring that may know the key of `unknown`: the newest if it does, else the one after
    /// a reload that began when more than `seen` had begun. Only such a reload has surely read what
    /// was written before the caller looked, so those who wait share the second one at the latest.
    /// A fixed ring has no newer one, and `unknown` stands.
    async fn newer_than(&self, seen: u64, unknown: Error) -> Result<Arc<KeyRing>, Error> {
        if self.source.is_none() {
            return Err(unknown);
        }
        let mut last = self.last.lock().await;
        let current = self.current();
        if matches!(&unknown, Error::UnknownKey { id } if current.knows(id)) {
            return Ok(current);
        }
        match &*last {
            Some(Outcome { number, failure }) if *number > seen => {
                failure
                    .as_ref()
                    .map_or(Ok(()), |failure| Err(not_found_out(told_again(failure))))?;
            }
            _ => {
                self.reload_under(&mut last).await.map_err(not_found_out)?;
            }
        }
        Ok(self.current())
    }

    /// The caller holds the lock, whose content this is.
    async fn reload_under(&self, last: &mut Option<Outcome>) -> Result<bool, Error> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let done = self.read_and_swap().await;
        let failure = done.as_ref().err().map(told_again);
        *last = Some(Outcome { number, failure });
        done
    }

    async fn read_and_swap(&self) -> Result<bool, Error> {
        let Some((roots, source)) = &self.source else { return Ok(false) };
        let bytes = source.read().await?;
        let current = self.current();
        if bytes == current.bytes {
            return Ok(false);
        }
        let ring = KeyRing::open(&bytes, roots).await?;
        if !ring.is_of_same_installation(&current) {
            return Err(Error::ForeignRing);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(true)
    }
}

impl fmt::Debug for LiveRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveRing")
            .field("current", &self.current())
            .field("source", &self.source.as_ref().map(|(_, source)| source))
            .finish_non_exhaustive()
    }
}

/// What the failure of a reload is to one who looked for a key. It says nothing about that key, so
/// it must never sound as if it did: the same call may succeed once the file is whole again.
fn not_found_out(failure: Error) -> Error {
    match failure {
        Error::Root { .. } | Error::RingUnreadable { .. } => failure,
        other => Error::RingUnreadable { source: Box::new(other) },
    }
}

/// The failure of one reload for another who waited for it: the same, its source as text.
fn told_again(failure: &Error) -> Error {
    match failure {
        Error::Authentication => Error::Authentication,
        Error::Truncated => Error::Truncated,
        Error::Malformed { what } => Error::Malformed { what: what.clone() },
        Error::UnknownKey { id } => Error::UnknownKey { id: id.clone() },
        Error::Expired => Error::Expired,
        Error::LimitReached { what } => Error::LimitReached { what },
        Error::Root { root, retry, source } => {
            Error::Root { root: root.clone(), retry: *retry, source: text(&**source).into() }
        }
        Error::Kek { id, source } => {
            Error::Kek { id: id.clone(), source: Box::new(told_again(source)) }
        }
        Error::KeyNeeded { id, by } => Error::KeyNeeded { id: id.clone(), by },
        Error::RingUnreadable { source } => {
            Error::RingUnreadable { source: text(&**source).into() }
        }
        Error::ForeignRing => Error::ForeignRing,
        Error::Random => Error::Random,
    }
}

fn text(error: &dyn StdError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
