//! What can go wrong, by what the caller can do about it.

use std::borrow::Cow;
use std::error::Error as StdError;

/// Why bytes were not sealed, opened, signed or believed.
///
/// No variant carries key material, plaintext or a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes, the key or the place is wrong; which of them cannot be known.
    #[error("authentication failed: the bytes, the key or the place is wrong")]
    Authentication,
    /// The input ends before it may.
    #[error("the input ends too early")]
    Truncated,
    /// The input does not have the shape its format demands.
    #[error("malformed {what}")]
    Malformed {
        /// The format, and the field of it where one can be named.
        what: Cow<'static, str>,
    },
    /// The input names a key that is not held here, or that is wrapped by a root that is not.
    #[error("no usable key `{id}`")]
    UnknownKey {
        /// The name of the key or of the root, which is not secret.
        id: String,
    },
    /// The token was genuine until its `exp`.
    #[error("the token has expired")]
    Expired,
    /// A format's limit would be passed.
    #[error("limit reached: {what}")]
    LimitReached {
        /// The limit, as `FORMAT.md` calls it.
        what: &'static str,
    },
    /// The root of the key ring could not wrap or unwrap.
    #[error("the root key `{root}` cannot be used")]
    Root {
        /// [`Root::id`](crate::Root::id) of that root.
        root: String,
        /// What the root advises.
        retry: Retry,
        /// What the root says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The wrapping of one key-encryption key is damaged, or stands in another's place. Code and
    /// advice are those of the reason.
    #[error("the key `{id}` of the ring cannot be unwrapped")]
    Kek {
        /// The name of the key.
        id: String,
        /// Why: what the root says of the bytes.
        source: Box<Self>,
    },
    /// The ring still needs the key, so it cannot be retired.
    #[error("the key `{id}` is still needed by {by}")]
    KeyNeeded {
        /// The name of the key.
        id: String,
        /// What needs it: `new data keys` or `service keys`.
        by: &'static str,
    },
    /// The ring file could not be read again; the ring that was read before goes on.
    #[error("the key ring cannot be read")]
    RingUnreadable {
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The ring holds other service keys than the one it was to replace.
    #[error("the key ring belongs to another installation")]
    ForeignRing,
    /// The operating system gave no random bytes.
    #[error("the system's random source failed")]
    Random,
}

impl Error {
    /// Names the variant for response bodies, log fields and metric labels. Never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Authentication => "authentication_failed",
            Self::Truncated => "truncated",
            Self::Malformed { .. } => "malformed",
            Self::UnknownKey { .. } => "unknown_key",
            Self::Expired => "expired",
            Self::LimitReached { .. } => "limit_reached",
            Self::Root { .. } => "root_key_unusable",
            Self::Kek { source, .. } => source.code(),
            Self::KeyNeeded { .. } => "key_needed",
            Self::RingUnreadable { .. } => "ring_unreadable",
            Self::ForeignRing => "ring_foreign",
            Self::Random => "random_unavailable",
        }
    }

    /// Says whether the same call can succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Authentication
            | Self::Truncated
            | Self::Malformed { .. }
            | Self::Expired
            | Self::LimitReached { .. } => Retry::Never,
            Self::UnknownKey { .. } | Self::KeyNeeded { .. } | Self::ForeignRing => Retry::Operator,
            Self::Root { retry, .. } => *retry,
            Self::Kek { source, .. } => source.retry(),
            Self::RingUnreadable { .. } | Self::Random => Retry::Later,
        }
    }

    /// Makes a [`Error::Malformed`].
    #[must_use]
    pub fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { what: what.into() }
    }
}

/// What a caller does with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call may succeed after a while.
    Later,
    /// The same call fails for ever.
    Never,
    /// Somebody must change keys or settings first.
    Operator,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_snake_case_and_distinct() {
        let all = [
            Error::Authentication,
            Error::Truncated,
            Error::malformed("x"),
            Error::UnknownKey { id: "k".to_owned() },
            Error::Expired,
            Error::LimitReached { what: "x" },
            Error::Root { root: "r".to_owned(), retry: Retry::Later, source: "down".into() },
            Error::KeyNeeded { id: "k".to_owned(), by: "service keys" },
            Error::RingUnreadable { source: "gone".into() },
            Error::ForeignRing,
            Error::Random,
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(Error::code).collect();
        assert_eq!(codes.len(), all.len());
        assert!(codes.iter().all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn display_does_not_repeat_its_source() {
        let error =
            Error::Root { root: "r".to_owned(), retry: Retry::Later, source: "down".into() };
        assert_eq!(error.to_string(), "the root key `r` cannot be used");
        assert_eq!(error.retry(), Retry::Later);
    }

    #[test]
    fn key_that_does_not_unwrap_is_named_and_its_reason_counts() {
        let id = || "kek_1".to_owned();
        for source in [Error::Authentication, Error::UnknownKey { id: id() }] {
            let want = (source.code(), source.retry());
            let error = Error::Kek { id: id(), source: Box::new(source) };
            assert_eq!((error.code(), error.retry()), want);
            assert_eq!(error.to_string(), "the key `kek_1` of the ring cannot be unwrapped");
        }
    }
}
