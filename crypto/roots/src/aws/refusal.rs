//! What KMS means when it says no.

use antumbra_crypto::Error as CryptoError;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::Error;
use crate::fault::Fault;

/// Sorts an answer that is no success. Only the type of the error is read and shown, never its
/// message.
pub(super) fn read(host: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Fault {
    let host = host.to_owned();
    if status.is_redirection() {
        let what = format!("HTTP {}, and redirects are not followed", status.as_u16());
        return Error::Refused { host, what }.into();
    }
    let named = name(headers, body);
    let what = match &named {
        Some(name) => format!("{name} (HTTP {})", status.as_u16()),
        None => format!("HTTP {}", status.as_u16()),
    };
    match named.as_deref() {
        Some("InvalidCiphertextException" | "IncorrectKeyException") => {
            CryptoError::Authentication.into()
        }
        Some(name) if PASSING.contains(&name) => Error::Unavailable { host, what }.into(),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Error::Unavailable { host, what }.into()
        }
        _ => Error::Refused { host, what }.into(),
    }
}

/// Finds the type of the error, as in `com.amazonaws.kms#NotFoundException:http://…`.
fn name(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let text = header.or_else(|| body.as_ref().and_then(|body| body.kind.as_deref()))?;
    let text = text.split(':').next().unwrap_or_default();
    let text = text.rsplit('#').next().unwrap_or_default();
    let known = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    known.then(|| text.to_owned())
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "__type")]
    kind: Option<String>,
}

/// Faults of KMS that come with a status of 400 and go away by themselves.
const PASSING: &[&str] = &[
    "DependencyTimeoutException",
    "InternalFailure",
    "KMSInternalException",
    "KeyUnavailableException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

#[cfg(test)]
mod tests {
    use antumbra_crypto::Retry;

    use super::*;

    fn sorted(status: u16, body: &str) -> CryptoError {
        let status = StatusCode::from_u16(status).unwrap();
        read("kms:443", status, &HeaderMap::new(), body.as_bytes()).of("aws-kms:k")
    }

    #[test]
    fn types_decide_before_the_status() {
        let kind = |name: &str| format!(r#"{{"__type":"{name}","message":"s3cret"}}"#);
        for name in ["InvalidCiphertextException", "com.amazonaws.kms#IncorrectKeyException"] {
            assert_eq!(sorted(400, &kind(name)).code(), "authentication_failed");
        }
        for name in PASSING {
            assert_eq!(sorted(400, &kind(name)).retry(), Retry::Later, "{name}");
        }
        for name in [
            "AccessDeniedException",
            "NotFoundException",
            "DisabledException",
            "KMSInvalidStateException",
            "InvalidSignatureException",
            "ExpiredTokenException",
            "UnrecognizedClientException",
            "ValidationException",
        ] {
            let error = sorted(400, &kind(name));
            assert_eq!(error.retry(), Retry::Operator, "{name}");
            let said = format!("{error:?}");
            assert!(said.contains(name) && !said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn answers_without_a_type_are_sorted_by_status() {
        for (status, retry) in [
            (500, Retry::Later),
            (503, Retry::Later),
            (429, Retry::Later),
            (301, Retry::Operator),
            (400, Retry::Operator),
            (403, Retry::Operator),
            (404, Retry::Operator),
        ] {
            for body in ["", "<html>s3cret</html>", r#"{"__type":"s3 cret!"}"#, "[1]"] {
                let error = sorted(status, body);
                assert_eq!(error.retry(), retry, "{status}");
                assert!(!format!("{error:?}").contains("s3"), "{error:?}");
            }
        }
    }
}
