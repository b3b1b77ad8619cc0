//! Who did what, when? Actors, API keys, timeline and audit entries.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::{JobId, RequestId, TenantId};

/// Names an API key without giving it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiKeyId(pub uuid::Uuid);

/// What an API key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Submit requests.
    RequestSubmit,
    /// See requests and their state.
    RequestRead,
    /// Get download keys of a request's bundle.
    CompilationRead,
    /// The compliance API: reads everything and destroys nothing.
    AuditRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] =
        [Self::RequestSubmit, Self::RequestRead, Self::CompilationRead, Self::AuditRead];

    /// Returns the scope's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestSubmit => "request:submit",
            Self::RequestRead => "request:read",
            Self::CompilationRead => "compilation:read",
            Self::AuditRead => "audit:read",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = crate::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(crate::InvalidId {
            expected: "request:submit, request:read, compilation:read or audit:read",
        })
    }
}

/// An API key to be recorded. Only its hash is.
#[derive(Clone)]
pub struct NewApiKey {
    /// Whose key.
    pub tenant: TenantId,
    /// What its owner calls it; may name a person. Sealed in the store.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// SHA-256 of the key's text.
    pub hash: [u8; 32],
    /// The first characters of the text, to recognise it by.
    pub prefix: String,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKey")
            .field("tenant", &self.tenant)
            .field("scopes", &self.scopes)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// A recorded API key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose key.
    pub tenant: TenantId,
    /// What its owner calls it; may name a person.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The first characters of the text.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When somebody revoked it.
    pub revoked_at: Option<Timestamp>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("scopes", &self.scopes)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Who did something. Names no person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A caller with an API key.
    ApiKey(ApiKeyId),
    /// A bearer of a download key.
    Grant(crate::GrantId),
    /// A worker.
    Worker(crate::WorkerId),
    /// Somebody at the command line of the machine.
    Operator,
    /// The daemon itself.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api-key:{}", id.0),
            Self::Grant(id) => write!(f, "grant:{}", id.0),
            Self::Worker(id) => write!(f, "{id}"),
            Self::Operator => f.write_str("operator"),
            Self::System => f.write_str("system"),
        }
    }
}

/// One line of a job's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// Who, as [`Actor`] prints it.
    pub actor: String,
    /// What, in plain words without personal data.
    pub notes: String,
}

/// Something to be remembered in the audit log. Holds no personal value: the store replaces the subject by a pseudonym.
///
/// Which actions there are, and which facts each may have, is declared in this crate; a store panics at any other in builds with
/// debug assertions.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// What happened, a fixed word such as `request.created`.
    pub action: &'static str,
    /// Who did it.
    pub actor: Actor,
    /// Whose data.
    pub tenant: TenantId,
    /// Which request.
    pub request: Option<RequestId>,
    /// Which job.
    pub job: Option<JobId>,
    /// Further facts, none of them personal.
    pub facts: BTreeMap<&'static str, String>,
}

/// A recorded audit entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place in its writer's chain, from 1.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub action: String,
    /// Who did it.
    pub actor: String,
    /// Whose data.
    pub tenant: String,
    /// Which request.
    pub request: Option<String>,
    /// Which job.
    pub job: Option<String>,
    /// The subject's pseudonym.
    pub subject: Option<String>,
    /// Further facts.
    pub facts: BTreeMap<String, String>,
    /// SHA-256 over the previous entry's hash and this entry's content.
    pub hash: [u8; 32],
}
