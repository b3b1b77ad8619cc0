//! One error for many callers.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use antumbra_crypto::Error;

/// Gives a caller an error of its own.
pub(super) fn own(error: Arc<Error>) -> Error {
    // Who waited alone gets the very error.
    let error = match Arc::try_unwrap(error) {
        Ok(error) => return error,
        Err(error) => error,
    };
    match &*error {
        Error::Authentication => Error::Authentication,
        Error::Truncated => Error::Truncated,
        Error::Malformed { what } => Error::Malformed { what: what.clone() },
        Error::UnknownKey { id } => Error::UnknownKey { id: id.clone() },
        Error::LimitReached { what } => Error::LimitReached { what },
        Error::Random => Error::Random,
        Error::Root { root, retry, .. } => Error::Root {
            root: root.clone(),
            retry: *retry,
            source: Box::new(SharedCause(Arc::clone(&error))),
        },
        other => Error::Root {
            root: String::new(),
            retry: other.retry(),
            source: other.to_string().into(),
        },
    }
}

/// The source of a shared [`Error::Root`], as if it were not shared.
struct SharedCause(Arc<Error>);

impl SharedCause {
    fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

impl fmt::Debug for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause().map_or(Ok(()), |cause| fmt::Display::fmt(cause, f))
    }
}

impl StdError for SharedCause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause().and_then(StdError::source)
    }
}
