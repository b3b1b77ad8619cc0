//! Which of our errors is an error of a store of files?
//!
//! A store's words quote addresses and answers, and names of files may hold identifiers: none of them is passed on.

use std::error::Error as StdError;
use std::io;

use super::connector::Failed;
use crate::SiloError;

/// Maps an error of a bucket.
pub(super) fn of(error: &object_store::Error) -> SiloError {
    use object_store::Error;
    if let Some(failed) = source::<Failed>(error) {
        return failed.silo_error();
    }
    match error {
        Error::NotFound { .. } => SiloError::Missing { what: "a file or its bucket".to_owned() },
        Error::Precondition { .. } | Error::NotModified { .. } => changed(),
        Error::PermissionDenied { .. } => settings("the store refuses access: permission denied"),
        Error::Unauthenticated { .. } => settings("the store refuses access: wrong credentials"),
        Error::InvalidPath { .. } => {
            settings("a file's name is not one that can be told from others")
        }
        _ => unavailable("the store does not answer as it should"),
    }
}

/// Maps an error of this machine's files.
pub(super) fn of_io(error: &io::Error) -> SiloError {
    match error.kind() {
        io::ErrorKind::NotFound => SiloError::Missing { what: "a file or its folder".to_owned() },
        io::ErrorKind::PermissionDenied => settings("reading a file is not permitted"),
        kind => SiloError::Unavailable { reason: format!("a file cannot be read: {kind}") },
    }
}

/// Maps an error of reading through a decoder or a bridge: one of ours travels inside.
pub(super) fn of_read(error: &io::Error) -> SiloError {
    let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<SiloError>());
    match (ours, error.kind()) {
        (Some(ours), _) => ours.clone(),
        (None, io::ErrorKind::UnexpectedEof) => {
            SiloError::Corrupt { reason: "compressed data ends too early".to_owned() }
        }
        (None, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other) => {
            SiloError::Corrupt { reason: "compressed data is damaged".to_owned() }
        }
        (None, _) => of_io(error),
    }
}

/// Lets one of our errors travel through a reader.
pub(super) fn into_io(error: SiloError) -> io::Error {
    io::Error::other(error)
}

/// A file is not the one that was listed: the section begins again.
pub(super) fn changed() -> SiloError {
    SiloError::Unavailable { reason: "a file changed while it was read".to_owned() }
}

pub(super) fn settings(what: &str) -> SiloError {
    SiloError::Settings { what: what.to_owned() }
}

pub(super) fn unavailable(reason: &str) -> SiloError {
    SiloError::Unavailable { reason: reason.to_owned() }
}

/// Finds an error among the causes of another.
pub(super) fn source<'a, T: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An `io::Error` hides what it was made of from `source()`.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
