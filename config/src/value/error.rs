//! What a value's parser answers when the text does not fit.

use crate::{Retry, value::clip};

/// Says what was expected where a text did not fit.
///
/// Quotes the text it found, shortened to sixty characters, unless the text might be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct ValueError {
    expected: &'static str,
    found: String,
}

impl ValueError {
    pub(crate) fn new(expected: &'static str, found: &str) -> Self {
        Self { expected, found: clip(found) }
    }

    pub(crate) fn unquoted(expected: &'static str) -> Self {
        Self { expected, found: "something else (not shown)".to_owned() }
    }

    /// Describes the texts that would have been accepted, known words listed.
    pub fn expected(&self) -> &'static str {
        self.expected
    }

    /// Returns the fixed code of this error: `value_invalid`.
    pub fn code(&self) -> &'static str {
        "value_invalid"
    }

    /// Says who can help: nobody but the author of the text.
    pub fn retry(&self) -> Retry {
        Retry::Never
    }
}
