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
    /// The input names a key that is not held here.
    #[error("no usable key `{id}`")]
    UnknownKey {
        /// The name of the key, which is not secret.
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
            Self::UnknownKey { .. } => Retry::Operator,
            Self::Root { retry, .. } => *retry,
            Self::Random => Retry::Later,
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
}
