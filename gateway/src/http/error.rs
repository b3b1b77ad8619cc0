//! Which status and which body does an error become? The only place that knows.
//!
//! Handlers return [`ApiError`]. Its [`Kind`] fixes the status in one exhaustive match; its message is for the client
//! and never holds subject data; its source is for the log. A family of routes fixes the shape of the body.

use std::error::Error;
use std::fmt;

use antumbra_bundle::BundleError;
use antumbra_jobs::StoreError;
use antumbra_pipeline::PipelineError;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::{Body, BoxError, body::JSON, full};

/// Which contract's error shape an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `{"message", "error", "code"}`, as published Sombra clients read it.
    Sombra,
    /// RFC 9457 `application/problem+json`.
    Problem,
}

impl Family {
    /// Returns the family a path belongs to, known route or not.
    pub(crate) fn of(path: &str) -> Self {
        let sombra = ["/v1/", "/public-keys/"];
        if sombra.iter().any(|prefix| path.starts_with(prefix)) {
            Self::Sombra
        } else {
            Self::Problem
        }
    }
}

/// Why a request was not answered as it was meant to be.
#[derive(Debug)]
pub(crate) struct ApiError {
    kind: Kind,
    code: &'static str,
    message: String,
    /// A header the status asks for. Boxed: errors are returned through many hands and stay small.
    header: Option<Box<(HeaderName, HeaderValue)>>,
    source: Option<BoxError>,
}

/// What the caller can do about it; fixes the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Malformed,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    Duplicate,
    Conflict,
    Gone,
    PreconditionFailed,
    TooLarge,
    RangeNotSatisfiable,
    Internal,
    Unavailable,
}

impl Kind {
    const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Duplicate | Self::Conflict => StatusCode::CONFLICT,
            Self::Gone => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl ApiError {
    fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), header: None, source: None }
    }

    /// The request as a whole cannot be read.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, "malformed", message)
    }

    /// One field cannot be read, or asks for what is not served.
    pub(crate) fn field(path: &str, fault: &str) -> Self {
        Self::new(Kind::Malformed, "invalid_field", format!("`{path}`: {fault}"))
    }

    /// The caller did not prove who they are, or may not do this.
    pub(crate) fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        // RFC 9110 §11.6.1: a 401 names the scheme that would be accepted.
        Self::new(Kind::Unauthorized, code, message)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// Nothing by that name is there for this caller.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, "not_found", format!("no such {what}"))
    }

    /// The path is served, the method is not.
    pub(crate) fn method_not_allowed(allow: HeaderValue) -> Self {
        Self::new(Kind::MethodNotAllowed, "method_not_allowed", "this path has no such method")
            .with(header::ALLOW, allow)
    }

    /// What was asked for existed and does not any more.
    pub(crate) fn gone(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Gone, code, message)
    }

    /// A condition of the request does not hold.
    pub(crate) fn precondition_failed() -> Self {
        Self::new(Kind::PreconditionFailed, "precondition_failed", "the file is another one")
    }

    /// The body is longer than is read.
    pub(crate) fn too_large() -> Self {
        Self::new(Kind::TooLarge, "body_too_large", "the body is larger than this gateway reads")
    }

    /// No byte of the range exists; `len` bytes do.
    pub(crate) fn range_not_satisfiable(len: u64) -> Self {
        let message = format!("the range is outside of the file's {len} bytes");
        let value = HeaderValue::try_from(format!("bytes */{len}"))
            .expect("digits and ASCII punctuation are a header value");
        Self::new(Kind::RangeNotSatisfiable, "range_not_satisfiable", message)
            .with(header::CONTENT_RANGE, value)
    }

    /// Something that should not happen did.
    pub(crate) fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Internal, "internal", INTERNAL).because(source)
    }

    /// A fault on this side of the door: worth asking again `later`, or not.
    fn ours(code: &'static str, later: bool) -> Self {
        if later {
            Self::new(Kind::Unavailable, code, UNAVAILABLE)
        } else {
            Self::new(Kind::Internal, code, INTERNAL)
        }
    }

    /// The answer took longer than a request may.
    pub(crate) fn timeout() -> Self {
        Self::new(Kind::Unavailable, "timeout", "the request took too long; try again later")
    }

    /// Returns the error for an answer that a layer gave without a shape: only these statuses occur.
    pub(super) fn of_layer(status: StatusCode) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            StatusCode::SERVICE_UNAVAILABLE => Self::timeout(),
            _ => Self::new(Kind::Internal, "internal", INTERNAL),
        }
    }

    /// Adds what caused it, for the log.
    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds words to the message, for clients that look for them.
    pub(crate) fn mentioning(mut self, words: &str) -> Self {
        self.message = format!("{} ({words})", self.message);
        self
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// Returns what the client is told.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the status it becomes.
    pub(crate) const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// Writes it to the log and returns the answer in the family's shape.
    pub(crate) fn respond(self, family: Family) -> Response<Body> {
        self.log();
        let status = self.status();
        let (media_type, body) = match family {
            Family::Sombra => (JSON, self.sombra()),
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

    fn sombra(&self) -> serde_json::Value {
        let error = match self.kind {
            // A published client finds duplicates by a regular expression over *escaped* JSON inside the body.
            Kind::Duplicate => {
                let message = serde_json::Value::from(self.message.as_str());
                format!(r#"{{"message":{message},"locations":[]}}"#)
            }
            Kind::Malformed
            | Kind::Unauthorized
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::Conflict
            | Kind::Gone
            | Kind::PreconditionFailed
            | Kind::TooLarge
            | Kind::RangeNotSatisfiable
            | Kind::Internal
            | Kind::Unavailable => self.message.clone(),
        };
        json!({ "message": self.message, "error": error, "code": self.code })
    }

    fn problem(&self) -> serde_json::Value {
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

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { what } => Self::not_found(what),
            StoreError::Duplicate => Self::new(Kind::Duplicate, error.code(), DUPLICATE),
            StoreError::IllegalMove(_) | StoreError::LeaseLost { .. } => {
                Self::new(Kind::Conflict, error.code(), WRONG_STATE)
            }
            _ => Self::ours(error.code(), error.retry() == antumbra_jobs::Retry::Later),
        }
        .because(error)
    }
}

impl From<BundleError> for ApiError {
    fn from(error: BundleError) -> Self {
        match &error {
            BundleError::ObjectLost { .. } => Self::new(Kind::Gone, "objects_lost", LOST),
            _ => Self::ours(error.code(), error.retry() == antumbra_crypto::Retry::Later),
        }
        .because(error)
    }
}

impl From<PipelineError> for ApiError {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Store(error) => error.into(),
            PipelineError::Bundle(error) => error.into(),
            PipelineError::Gone { .. } => {
                Self::new(Kind::Gone, error.code(), EXPIRED).because(error)
            }
            PipelineError::NotReady { .. } => {
                Self::new(Kind::Conflict, error.code(), WRONG_STATE).because(error)
            }
            error => {
                let later = error.retry() == antumbra_crypto::Retry::Later;
                Self::ours(error.code(), later).because(error)
            }
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

const DUPLICATE: &str = "Client error: You have already made this request.";
const EXPIRED: &str = "the request's data is not kept any more";
const INTERNAL: &str = "something went wrong inside the gateway";
const LOST: &str = "the request's data is lost";
const UNAVAILABLE: &str = "the gateway cannot do this now; try again later";
const WRONG_STATE: &str = "the request is not in a state for this";
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
