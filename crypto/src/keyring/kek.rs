//! A key-encryption key while it is in use.

use std::sync::Arc;

use super::file::KeyEntry;
use super::root::{Root, Roots};
use crate::{Context, Error, Retry, Secret32, SecretBytes, random};

/// Lives from the root's answer to the end of one wrap or unwrap; overwritten when dropped.
pub(super) struct Kek {
    pub(super) id: String,
    pub(super) secret: Secret32,
}

impl Kek {
    /// Asks the root that wrapped it for the key of `entry`.
    ///
    /// A wrapping that the root refuses is [`Error::Kek`], naming the key.
    pub(super) async fn fetch(entry: &KeyEntry, roots: &Roots) -> Result<Self, Error> {
        let unknown = |id: &str| Error::UnknownKey { id: id.to_owned() };
        let wrapped = entry.wrapped.as_ref().ok_or_else(|| unknown(&entry.id))?;
        let root = roots.by_id(&wrapped.root).ok_or_else(|| unknown(&wrapped.root))?;
        let secret = root.unwrap(&wrapped.bytes, &context(&entry.id)).await;
        let secret = secret.and_then(|secret| Secret32::from_slice(secret.expose()));
        let secret = secret.map_err(|error| named(&entry.id, error))?;
        Ok(Self { id: entry.id.clone(), secret })
    }

    /// Compares with the key that this one should be. A root that cannot read back what it wrapped
    /// must not become the keeper of the only copy.
    pub(super) fn must_be(&self, made: &Self, root: &Arc<dyn Root>) -> Result<(), Error> {
        if self.secret.is(made.secret.expose()) {
            return Ok(());
        }
        Err(Error::Root {
            root: root.id().to_owned(),
            retry: Retry::Operator,
            source: "what it wrapped does not unwrap to the same key".into(),
        })
    }

    pub(super) fn as_bytes(&self) -> SecretBytes {
        SecretBytes::from_slice(self.secret.expose())
    }
}

/// Names the key in a verdict about its bytes; trouble with the root is none.
pub(super) fn named(id: &str, error: Error) -> Error {
    match error {
        Error::Authentication | Error::Truncated | Error::Malformed { .. } => {
            Error::Kek { id: id.to_owned(), source: Box::new(error) }
        }
        other => other,
    }
}

/// Says that a KEK cannot be had from its wrapping: that is damaged, or its root is not at hand.
/// A root that is down or refuses may give it another time.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Kek { .. } | Error::UnknownKey { .. })
}

/// The place a KEK is wrapped for.
pub(super) fn context(id: &str) -> Context {
    Context::new("antumbra/kek").with(id)
}

pub(super) fn new_id() -> Result<String, Error> {
    Ok(format!("kek_{:016x}", u64::from_be_bytes(random::array()?)))
}
