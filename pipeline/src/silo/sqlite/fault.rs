//! Which of our errors is an error of SQLite?

use rusqlite::{Error, ErrorCode};

use crate::SiloError;

/// Maps by result code. SQLite's messages name tables and columns, never values.
pub(super) fn of(error: &Error) -> SiloError {
    let reason = match error {
        // Opening quotes the path, which is nothing for manifest and report.
        error if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
            "the database file cannot be opened".to_owned()
        }
        Error::SqlInputError { msg, .. } => msg.clone(),
        Error::SqliteFailure(_, Some(msg)) => msg.clone(),
        other => other.to_string(),
    };
    if reason.starts_with("no such table") || reason.starts_with("no such column") {
        return SiloError::Missing { what: reason.trim_start_matches("no such ").to_owned() };
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => SiloError::Corrupt { reason },
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::PermissionDenied
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory,
        ) => SiloError::Unavailable { reason },
        _ => SiloError::Query { reason },
    }
}
