//! Which of our errors is an error of SQLite?

use rusqlite::{Error, ErrorCode};

use crate::SiloError;

/// Maps an error of opening or preparing by its result code. These messages name tables and columns: nothing is bound yet, so
/// no value can be in them.
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

/// Maps an error of running a statement. SQLite's words are left out: functions quote their arguments in them.
pub(super) fn while_reading(error: &Error) -> SiloError {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            return SiloError::Corrupt { reason: "the database file is damaged".to_owned() };
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "the database is locked",
        Some(ErrorCode::SystemIoFailure) => "the database file cannot be read",
        Some(ErrorCode::OutOfMemory) => "the database ran out of memory",
        Some(ErrorCode::OperationInterrupted) => "reading was interrupted",
        _ => {
            let reason = "it failed while it ran".to_owned();
            return SiloError::Query { reason };
        }
    };
    SiloError::Unavailable { reason: reason.to_owned() }
}
