//! Which status does an error become? The only place that knows.
//!
//! Handlers return [`ApiError`]. Its [`Kind`] fixes the status in one exhaustive match; its message is for the client
//! and never holds subject data; its source is for the log. `shape.rs` makes the body.

use antumbra_bundle::BundleError;
use antumbra_jobs::{JobState, Scope, StoreError};
use antumbra_pipeline::PipelineError;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::BoxError;

/// Why a request was not answered as it was meant to be.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(super) kind: Kind,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Facts for programs, in the families that have room for them: never personal but for the caller's own job.
    pub(super) context: Option<Box<Map<String, Value>>>,
    /// A header the status asks for. Boxed: errors are returned through many hands and stay small.
    pub(super) header: Option<Box<(HeaderName, HeaderValue)>>,
    pub(super) source: Option<BoxError>,
}

/// What the caller can do about it; fixes the status, and the compliance family's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Malformed,
    InvalidField,
    Unauthorized,
    ScopeMissing,
    NotFound,
    MethodNotAllowed,
    Duplicate,
    Conflict,
    PlanChanged,
    Gone,
    PreconditionFailed,
    ArtifactGone,
    TooLarge,
    RangeNotSatisfiable,
    RateLimited,
    Internal,
    PackageWriteFailed,
    RunFailed,
    Unavailable,
}

impl Kind {
    const fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::InvalidField => StatusCode::BAD_REQUEST,
            // The Sombra contract documents no 403, and one door has one answer.
            Self::Unauthorized | Self::ScopeMissing => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Duplicate | Self::Conflict | Self::PlanChanged => StatusCode::CONFLICT,
            Self::Gone => StatusCode::GONE,
            Self::PreconditionFailed | Self::ArtifactGone => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal | Self::PackageWriteFailed | Self::RunFailed => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the compliance API's fixed word; `openapi.yaml` lists them all. Kinds that do not occur there have the word
    /// that is nearest.
    pub(super) const fn compliance_code(self) -> &'static str {
        match self {
            Self::Malformed | Self::RangeNotSatisfiable => "MALFORMED",
            Self::InvalidField => "INVALID_FIELD",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::ScopeMissing => "SCOPE_MISSING",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Duplicate | Self::Conflict => "INVALID_STATE",
            Self::PlanChanged => "PLAN_CHANGED",
            Self::Gone | Self::PreconditionFailed | Self::ArtifactGone => "ARTIFACT_GONE",
            Self::TooLarge => "BODY_TOO_LARGE",
            Self::RateLimited => "RATE_LIMITED",
            Self::Internal => "INTERNAL",
            Self::PackageWriteFailed => "PACKAGE_WRITE_FAILED",
            Self::RunFailed => "RUN_FAILED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

impl ApiError {
    fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        let error = Self { kind, code, message, context: None, header: None, source: None };
        match kind {
            // Whoever is told to come later is told when.
            Kind::Unavailable => error.with(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER)),
            _ => error,
        }
    }

    /// The request as a whole cannot be read.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, "malformed", message)
    }

    /// One field cannot be read, or asks for what is not served.
    pub(crate) fn field(path: &str, fault: &str) -> Self {
        Self::new(Kind::InvalidField, "invalid_field", format!("`{path}`: {fault}"))
            .about("field", path)
    }

    /// The caller did not prove who they are, or may not do this.
    pub(crate) fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        // RFC 9110 §11.6.1: a 401 names the scheme that would be accepted.
        Self::new(Kind::Unauthorized, code, message)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// The caller's key may not do this.
    pub(crate) fn scope_missing(scope: Scope) -> Self {
        let message = format!("the API key lacks the scope `{scope}`");
        Self::new(Kind::ScopeMissing, "scope_missing", message)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            .about("scope", scope.as_str())
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

    /// The job is in a state that does not allow this.
    pub(crate) fn invalid_state(state: JobState) -> Self {
        let message = format!("the job is {state}: it is not in a state for this");
        Self::new(Kind::Conflict, "illegal_state", message).about("state", state.as_str())
    }

    /// The request is bound to a plan that is not the one that would be carried out.
    pub(crate) fn plan_changed(message: impl Into<String>) -> Self {
        Self::new(Kind::PlanChanged, "plan_changed", message)
    }

    /// The bundle should be there and is not; another run makes it again.
    pub(crate) fn artifact_gone() -> Self {
        Self::new(Kind::ArtifactGone, "objects_lost", "the artifact is lost; run the job again")
    }

    /// The tenant has as many active jobs as it may have.
    fn rate_limited(limit: u32) -> Self {
        let message = format!("{limit} jobs are active already, the most that may be at once");
        Self::new(Kind::RateLimited, "too_many_active", message).about("activeLimit", limit)
    }

    /// A job that was run ended without a bundle: because of its storage, which failed so, or for another reason.
    pub(crate) fn run_failed(storage: Option<&str>) -> Self {
        match storage {
            Some(fault) => {
                let message = format!("{fault}; the job failed");
                Self::new(Kind::PackageWriteFailed, "package_write_failed", message)
            }
            None => {
                Self::new(Kind::RunFailed, "run_failed", "the job failed; its `failure` says why")
            }
        }
    }

    /// A run was put down before its end, by a daemon that stops or a fault that passes.
    pub(crate) fn run_interrupted() -> Self {
        let message = "the run was interrupted; a worker goes on with the job, or another run does if it has not begun";
        Self::new(Kind::Unavailable, "run_interrupted", message)
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

    /// Says whether there is nothing by the name that was asked for.
    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
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

    /// Tells of lost objects as the compliance contract does: another run makes them again.
    pub(crate) fn of_artifact(self) -> Self {
        match (self.kind, self.source) {
            (Kind::Gone, Some(source)) => Self::artifact_gone().because(source),
            (_, source) => Self { source, ..self },
        }
    }

    /// Adds a fact for programs; only the compliance family shows it.
    pub(crate) fn about(mut self, name: &str, fact: impl Into<Value>) -> Self {
        let context = self.context.get_or_insert_with(Box::default);
        context.insert(name.to_owned(), fact.into());
        self
    }

    /// Adds the header that the status asks for; there is one at most.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
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
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { what } => Self::not_found(what),
            StoreError::Duplicate => Self::new(Kind::Duplicate, error.code(), DUPLICATE),
            StoreError::TooManyActive { limit } => Self::rate_limited(*limit),
            StoreError::IllegalMove(illegal) => {
                Self::new(Kind::Conflict, error.code(), WRONG_STATE)
                    .about("state", illegal.from.as_str())
            }
            StoreError::LeaseLost { .. } => Self::new(Kind::Conflict, error.code(), WRONG_STATE),
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
            PipelineError::NotReady { state, .. } | PipelineError::NotStartable { state, .. } => {
                Self::new(Kind::Conflict, error.code(), WRONG_STATE)
                    .about("state", state.as_str())
                    .because(error)
            }
            PipelineError::PlanChanged { changes } => {
                let error = PipelineError::PlanChanged { changes: changes.clone() };
                Self::plan_changed(error.to_string()).about("changes", changes)
            }
            // Only who plans while somebody waits hears of it; a job fails with it.
            PipelineError::TooManyIdentifiers { .. } => {
                Self::field("scope", &error.to_string()).because(error)
            }
            error => {
                let later = error.retry() == antumbra_crypto::Retry::Later;
                Self::ours(error.code(), later).because(error)
            }
        }
    }
}

/// Seconds after which something that does not answer is asked again: about as long as it takes to start another one.
const RETRY_AFTER: u32 = 10;
const DUPLICATE: &str = "Client error: You have already made this request.";
const EXPIRED: &str = "the request's data is not kept any more";
const INTERNAL: &str = "something went wrong inside the gateway";
const LOST: &str = "the request's data is lost";
const UNAVAILABLE: &str = "the gateway cannot do this now; try again later";
const WRONG_STATE: &str = "the request is not in a state for this";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ALL: [Kind; 19] = [
        Kind::Malformed,
        Kind::InvalidField,
        Kind::Unauthorized,
        Kind::ScopeMissing,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::Duplicate,
        Kind::Conflict,
        Kind::PlanChanged,
        Kind::Gone,
        Kind::PreconditionFailed,
        Kind::ArtifactGone,
        Kind::TooLarge,
        Kind::RangeNotSatisfiable,
        Kind::RateLimited,
        Kind::Internal,
        Kind::PackageWriteFailed,
        Kind::RunFailed,
        Kind::Unavailable,
    ];

    #[test]
    fn the_openapi_file_lists_exactly_the_compliance_codes() {
        let file = include_str!("../../openapi.yaml");
        let (_, list) = file.split_once("    ComplianceCode:\n").unwrap();
        let words = list.lines().skip_while(|line| !line.starts_with("        - "));
        let listed: BTreeSet<_> = words.map_while(|line| line.strip_prefix("        - ")).collect();
        let codes: BTreeSet<_> = ALL.iter().map(|kind| kind.compliance_code()).collect();
        assert_eq!(listed, codes);
    }

    #[test]
    fn a_store_that_is_full_of_jobs_is_a_wish_to_come_later() {
        let error = ApiError::from(StoreError::TooManyActive { limit: 5 });
        assert_eq!(error.status(), StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn a_root_that_does_not_answer_is_asked_again_and_one_that_refuses_is_ours_to_repair() {
        let told = |retry| {
            let source = "the provider's words".into();
            let root = antumbra_crypto::Error::Root { root: "vault:x".to_owned(), retry, source };
            ApiError::from(PipelineError::from(root))
        };
        let later = told(antumbra_crypto::Retry::Later);
        assert_eq!(
            (later.status(), later.code),
            (StatusCode::SERVICE_UNAVAILABLE, "root_key_unusable")
        );
        let (name, value) = *later.header.expect("a header");
        assert_eq!((name, value), (header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER)));
        let never = told(antumbra_crypto::Retry::Operator);
        assert_eq!(never.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(never.header.is_none());
        for error in [later.message, never.message] {
            assert!(!error.contains("vault") && !error.contains("provider"), "{error}");
        }
    }

    #[test]
    fn lost_objects_are_gone_to_one_contract_and_a_precondition_to_the_other() {
        let lost = || ApiError::from(BundleError::ObjectLost { object: "pack-1".to_owned() });
        assert_eq!(lost().status(), StatusCode::GONE);
        assert_eq!(lost().of_artifact().status(), StatusCode::PRECONDITION_FAILED);
        let other = ApiError::internal("x").of_artifact();
        assert_eq!(other.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
