//! Which body does an error have? Each family of routes has its own shape, and only one of them is right for a path.

use std::error::Error;
use std::fmt;

use http::{HeaderValue, Response, header};
use serde_json::{Value, json};

use super::error::Kind;
use super::{ApiError, Body, body::JSON, full};

/// Which contract's error shape an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `{"message", "error", "code"}`, as published Sombra clients read it.
    Sombra,
    /// The envelope of the `EnfinitOS` compliance API: `{"ok": false, "error": {"code", "message", "context"?}, …}`.
    Compliance,
    /// RFC 9457 `application/problem+json`.
    Problem,
}

impl Family {
    /// Returns the family a path belongs to, known route or not.
    pub(crate) fn of(path: &str) -> Self {
        let sombra = ["/v1/", "/public-keys/"];
        let compliance = path.strip_prefix("/v1/compliance");
        if compliance.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            Self::Compliance
        } else if sombra.iter().any(|prefix| path.starts_with(prefix)) {
            Self::Sombra
        } else {
            Self::Problem
        }
    }
}

impl ApiError {
    /// Writes it to the log and returns the answer in the family's shape.
    pub(crate) fn respond(self, family: Family) -> Response<Body> {
        self.log();
        let status = self.status();
        let (media_type, body) = match family {
            Family::Sombra => (JSON, self.sombra()),
            Family::Compliance => (JSON, self.compliance()),
            Family::Problem => (PROBLEM_JSON, self.problem()),
        };
        let mut answer = Response::new(full(body.to_string()));
        *answer.status_mut() = status;
        if let Some((name, value)) = self.header.map(|header| *header) {
            answer.headers_mut().insert(name, value);
        }
        answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
        answer
    }

    fn compliance(&self) -> Value {
        let mut error = json!({ "code": self.kind.compliance_code(), "message": self.message });
        if let (Some(context), Some(error)) = (&self.context, error.as_object_mut()) {
            error.insert("context".to_owned(), Value::Object((**context).clone()));
        }
        json!({ "ok": false, "error": error, "contractVersion": CONTRACT_VERSION })
    }

    fn sombra(&self) -> Value {
        let error = match self.kind {
            // A published client finds duplicates by a regular expression over *escaped* JSON inside the body.
            Kind::Duplicate => {
                let message = Value::from(self.message.as_str());
                format!(r#"{{"message":{message},"locations":[]}}"#)
            }
            Kind::Malformed
            | Kind::InvalidField
            | Kind::Unauthorized
            | Kind::ScopeMissing
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::Conflict
            | Kind::PlanChanged
            | Kind::Gone
            | Kind::PreconditionFailed
            | Kind::ArtifactGone
            | Kind::TooLarge
            | Kind::RangeNotSatisfiable
            | Kind::RateLimited
            | Kind::Internal
            | Kind::PackageWriteFailed
            | Kind::RunFailed
            | Kind::Unavailable => self.message.clone(),
        };
        json!({ "message": self.message, "error": error, "code": self.code })
    }

    fn problem(&self) -> Value {
        let status = self.status();
        json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.message,
            "code": self.code,
        })
    }

    fn log(&self) {
        let (status, code) = (self.status().as_u16(), self.code);
        if self.status().is_server_error() {
            tracing::warn!(status, code, error = %Chain(self), "request failed");
        } else {
            tracing::debug!(status, code, error = %Chain(self), "request refused");
        }
    }
}

/// Prints an error and everything that caused it, outermost first.
struct Chain<'e>(&'e ApiError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message())?;
        let mut next: Option<&dyn Error> =
            self.0.source.as_deref().map(|source| -> &dyn Error { source });
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

/// The version in every answer of the compliance API.
pub(crate) const CONTRACT_VERSION: &str = "v1.0";

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
