//! Which of our errors is an error of a driver?
//!
//! The driver's words quote values and passwords: they never get here. ADBC's status and the SQLSTATE stand for them.

use antumbra_adbc::Error;

use crate::SiloError;

/// Maps an error of opening a database or connecting to it.
pub(super) fn connecting(error: &Error) -> SiloError {
    match error {
        Error::Refused(said) => SiloError::Settings {
            what: format!("the driver refused its options or the database ({said})"),
        },
        other => running(other),
    }
}

/// Maps an error of a statement.
pub(super) fn running(error: &Error) -> SiloError {
    match error {
        Error::Library { .. } | Error::Login(_) => SiloError::Settings { what: error.to_string() },
        Error::Missing(said) => {
            SiloError::Missing { what: format!("something that the statement names ({said})") }
        }
        Error::Unavailable(_) | Error::Cancelled(_) | Error::Stream => {
            SiloError::Unavailable { reason: error.to_string() }
        }
        Error::Malformed => SiloError::Corrupt { reason: error.to_string() },
        _ => SiloError::Query { reason: error.to_string() },
    }
}

/// Something that settings ask for and this silo cannot do.
pub(super) fn settings(what: &str) -> SiloError {
    SiloError::Settings { what: what.to_owned() }
}
