//! What can go wrong with a driver, by what the caller can do.

use std::fmt;
use std::path::PathBuf;

use adbc_core::error::Status;

/// Why a driver did not do what was asked of it. Holds nothing that the driver wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The library cannot be loaded or is no ADBC driver.
    #[error("{}: {reason}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The driver cannot do this at all.
    #[error("the driver does not support it ({0})")]
    Unsupported(Said),
    /// What was named is not there.
    #[error("what was named is not there ({0})")]
    Missing(Said),
    /// The login was refused.
    #[error("the login was refused ({0})")]
    Login(Said),
    /// The database cannot be reached now, or took too long.
    #[error("the database cannot be reached ({0})")]
    Unavailable(Said),
    /// Somebody cancelled it.
    #[error("it was cancelled ({0})")]
    Cancelled(Said),
    /// The database refused it, or failed at it.
    #[error("it was refused ({0})")]
    Refused(Said),
    /// The rows ended with an error. ADBC does not say of which kind.
    #[error("the rows ended with an error")]
    Stream,
    /// The driver gave rows that are no Arrow data: text that is not UTF-8, or a reference that leads nowhere.
    #[error("the driver gave rows that are damaged")]
    Malformed,
}

/// What a driver says in ADBC's own words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Said {
    status: Status,
    state: Option<[u8; 5]>,
}

impl Error {
    /// Returns the fixed word for logs and answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Library { .. } => "adbc_library",
            Self::Unsupported(_) => "adbc_unsupported",
            Self::Missing(_) => "adbc_missing",
            Self::Login(_) => "adbc_login",
            Self::Unavailable(_) => "adbc_unavailable",
            Self::Cancelled(_) => "adbc_cancelled",
            Self::Refused(_) => "adbc_refused",
            Self::Stream => "adbc_stream",
            Self::Malformed => "adbc_malformed",
        }
    }

    /// Says whether trying again helps without anybody changing anything.
    #[must_use]
    pub const fn retry(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Cancelled(_) | Self::Stream)
    }

    /// Maps what a driver answered; its message is dropped.
    pub(crate) fn of(error: &adbc_core::error::Error) -> Self {
        let state = error.sqlstate.map(|c| u8::try_from(c).unwrap_or(0));
        let state = state.iter().all(u8::is_ascii_alphanumeric).then_some(state);
        let said = Said { status: error.status, state };
        match error.status {
            Status::NotImplemented => Self::Unsupported(said),
            Status::NotFound => Self::Missing(said),
            Status::Unauthenticated | Status::Unauthorized => Self::Login(said),
            Status::IO | Status::Timeout => Self::Unavailable(said),
            Status::Cancelled => Self::Cancelled(said),
            _ => Self::Refused(said),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ADBC status {:?}", self.status)?;
        match &self.state {
            Some(state) => write!(f, ", SQLSTATE {}", String::from_utf8_lossy(state)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: Status, state: [u8; 5]) -> Error {
        let mut error =
            adbc_core::error::Error::with_message_and_status("canary 'ada@example.com'", status);
        error.sqlstate = state.map(|byte| std::ffi::c_char::try_from(byte).unwrap_or_default());
        error.details = Some(vec![("canary".to_owned(), b"canary".to_vec())]);
        Error::of(&error)
    }

    #[test]
    fn status_and_sqlstate_are_all_that_is_told() {
        let error = of(Status::InvalidArguments, *b"22P02");
        assert_eq!(
            error.to_string(),
            "it was refused (ADBC status InvalidArguments, SQLSTATE 22P02)"
        );
        for status in [Status::Unknown, Status::IO, Status::NotFound, Status::Unauthorized] {
            let error = of(status, [0, b'\'', b'c', 200, b'\n']);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("canary") && !shown.contains("SQLSTATE"), "{shown}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for (status, code, retry) in [
            (Status::IO, "adbc_unavailable", true),
            (Status::Timeout, "adbc_unavailable", true),
            (Status::Cancelled, "adbc_cancelled", true),
            (Status::NotFound, "adbc_missing", false),
            (Status::Unauthenticated, "adbc_login", false),
            (Status::NotImplemented, "adbc_unsupported", false),
            (Status::InvalidArguments, "adbc_refused", false),
            (Status::Internal, "adbc_refused", false),
        ] {
            let error = of(status, [0; 5]);
            assert_eq!((error.code(), error.retry()), (code, retry), "{status:?}");
        }
        assert!(Error::Stream.retry());
    }
}
