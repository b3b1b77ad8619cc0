//! Which of our errors is a refusal of the service? Its words are never passed on: they quote what was asked.

use std::error::Error;

use http::StatusCode;

use super::connect::ConnectFault;
use crate::SiloError;

/// What one try came to, if not to an answer.
pub(super) struct Failed {
    pub(super) error: SiloError,
    /// Trying again may help.
    pub(super) passing: bool,
}

impl Failed {
    pub(super) const fn for_good(error: SiloError) -> Self {
        Self { error, passing: false }
    }

    pub(super) fn passing(reason: &str) -> Self {
        Self { error: SiloError::Unavailable { reason: reason.to_owned() }, passing: true }
    }
}

/// Maps a failure below HTTP.
pub(super) fn of_transport(error: &(dyn Error + 'static)) -> Failed {
    if let Some(fault) = source::<ConnectFault>(error) {
        let what = fault.to_string();
        return match fault {
            ConnectFault::Private { .. } => Failed::for_good(SiloError::Settings { what }),
            ConnectFault::Unknown { .. } | ConnectFault::Refused { .. } => Failed::passing(&what),
        };
    }
    if let Some(tls) = source::<rustls::Error>(error) {
        let what = format!("the service's certificate or TLS was refused: {tls}");
        return match tls {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                Failed::for_good(SiloError::Settings { what })
            }
            _ => Failed::passing(&what),
        };
    }
    match source::<std::io::Error>(error) {
        Some(io) => Failed::passing(&format!("the line broke: {}", io.kind())),
        None => Failed::passing("the line broke, or what came was no HTTP"),
    }
}

/// Maps a status that is no success.
pub(super) fn of_status(status: StatusCode) -> Failed {
    let said = format!("the service answered {}", status.as_u16());
    match status {
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::INTERNAL_SERVER_ERROR
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Failed::passing(&said),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failed::for_good(SiloError::Settings {
            what: format!("{said}: it refused the credentials"),
        }),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Failed::for_good(SiloError::Missing { what: "the endpoint".to_owned() })
        }
        _ => Failed::for_good(SiloError::Query { reason: said }),
    }
}

/// An answer that is none of what was agreed on.
pub(super) fn strange(what: &str) -> SiloError {
    SiloError::Query { reason: what.to_owned() }
}

fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // An `io::Error` shows what stands behind the error it wraps, not that error, and TLS comes wrapped twice.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
