//! What is a request, and what is a job?

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Actor, Delivery, FenceToken, JobId, JobState, RequestId, RequestStatus, TenantId,
    TimelineEntry, WorkerId,
};

/// Which of the two contracts a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The Sombra customer API.
    Sombra,
    /// The `EnfinitOS` compliance API.
    Compliance,
}

impl Family {
    /// Both contracts.
    pub const ALL: [Self; 2] = [Self::Sombra, Self::Compliance];

    /// Returns the word used in the store and in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sombra => "sombra",
            Self::Compliance => "compliance",
        }
    }
}

/// How much of the tenant's data a request covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScopeKind {
    /// One person; configuration datapoints are left out.
    DataSubject,
    /// Everything of the tenant.
    TenantFull,
    /// The tenant's data of a time window.
    TenantSlice,
}

impl ScopeKind {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::DataSubject, Self::TenantFull, Self::TenantSlice];

    /// Returns the word used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DataSubject => "DATA_SUBJECT",
            Self::TenantFull => "TENANT_FULL",
            Self::TenantSlice => "TENANT_SLICE",
        }
    }
}

/// One identifier of a person, as the caller gave it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    /// Which kind: `email`, `phone`, `coreIdentifier`, `customer_id` …
    pub name: String,
    /// The value; personal.
    pub value: String,
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identifier").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A key with values that the caller attached to a request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The attribute's name.
    pub key: String,
    /// Its values; they may be personal.
    pub values: Vec<String>,
}

impl std::fmt::Debug for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attribute").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Where the subject lives, ISO 3166.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Region {
    /// Country code, such as `DE`.
    pub country: Option<String>,
    /// Subdivision code, such as `DE-BE`.
    pub country_sub_division: Option<String>,
}

/// The personal part of a request. Stored as one sealed document.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestDetails {
    /// The identifier the caller keeps for this person.
    pub core_identifier: Option<String>,
    /// The person's e-mail address.
    pub email: Option<String>,
    /// Every identifier collection starts from, the two above included where they are known.
    pub identifiers: Vec<Identifier>,
    /// Start of the window, inclusive.
    pub window_start: Option<Timestamp>,
    /// End of the window, exclusive.
    pub window_end: Option<Timestamp>,
    /// Scope fields that narrow datapoints, such as `campaignIds`.
    pub scope_fields: BTreeMap<String, Vec<String>>,
    /// The caller's language.
    pub locale: Option<String>,
    /// Where the subject lives.
    pub region: Region,
    /// Free text of the person.
    pub details: Option<String>,
    /// Attributes the caller attached.
    pub attributes: Vec<Attribute>,
    /// Who asked, where the contract names somebody beside the API key.
    pub requested_by: Option<String>,
    /// Free text of the operator, kept for the audit trail.
    pub notes: Option<String>,
    /// The plan that the request is bound to: another one must not be carried out.
    pub expected_plan: Option<ExpectedPlan>,
}

/// A plan that somebody looked at, by what it hashes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedPlan {
    /// SHA-256 of what decides the result, in hex.
    pub hash: String,
    /// What its parts hash to, by name, as far as the caller told.
    pub parts: BTreeMap<String, String>,
}

impl std::fmt::Debug for RequestDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestDetails").finish_non_exhaustive()
    }
}

/// A request to be recorded.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// Its id.
    pub id: RequestId,
    /// Whose request.
    pub tenant: TenantId,
    /// Through which contract.
    pub family: Family,
    /// What is asked, in the contract's word: `ACCESS`.
    pub action: String,
    /// The kind of subject, the contract's slug: `customer`.
    pub subject_type: String,
    /// How much it covers.
    pub scope: ScopeKind,
    /// The formats asked for, upper case, in order, without repeats.
    pub formats: Vec<String>,
    /// A test request.
    pub is_test: bool,
    /// Nothing is sent to the person.
    pub is_silent: bool,
    /// The personal part.
    pub details: RequestDetails,
    /// Whose open request makes this one a duplicate: the core identifier, else the e-mail. `None`: never a duplicate.
    pub subject_key: Option<Identifier>,
    /// How many active jobs the tenant may have through this contract, this request's included. `None`: any number.
    pub active_limit: Option<u32>,
    /// Who asked.
    pub actor: Actor,
}

/// A job to be recorded with its request.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// The job's data key, wrapped by the key ring.
    pub wrapped_key: Vec<u8>,
    /// The key of the ring that wrapped it: 1 to 64 of `a-z 0-9 _ -`.
    pub key_id: String,
    /// It waits until somebody starts it by name: [`lease`](crate::JobStore::lease) passes it over.
    pub held: bool,
}

/// A request's next job, with the lease of who asks for it.
#[derive(Debug, Clone)]
pub struct NextJob {
    /// The job. It is leased at once, so whether it is held says nothing.
    pub job: NewJob,
    /// How many active jobs of requests of the same family the tenant may have, this one included.
    pub active_limit: Option<u32>,
    /// Who asked.
    pub actor: Actor,
    /// Who works on it.
    pub worker: WorkerId,
    /// How long the lease lives.
    pub ttl: Duration,
}

/// What recording a request answers.
#[derive(Debug, Clone)]
pub struct Created {
    /// The request as stored.
    pub request: Request,
    /// Its first job.
    pub job: Job,
}

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Whose request.
    pub tenant: TenantId,
    /// Through which contract.
    pub family: Family,
    /// What is asked.
    pub action: String,
    /// The kind of subject.
    pub subject_type: String,
    /// How much it covers.
    pub scope: ScopeKind,
    /// The formats asked for.
    pub formats: Vec<String>,
    /// A test request.
    pub is_test: bool,
    /// Nothing is sent to the person.
    pub is_silent: bool,
    /// The personal part, opened.
    pub details: RequestDetails,
    /// Where it stands; follows its latest job.
    pub status: RequestStatus,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows collected and committed so far.
    pub rows_collected: u64,
    /// Rows expected in all, where the plan could estimate it.
    pub rows_expected: Option<u64>,
    /// Sealed bytes committed so far.
    pub bytes_packaged: u64,
    /// Sections that ended.
    pub sections_done: u32,
    /// Sections in the plan; 0 before there is one.
    pub sections_total: u32,
    /// The last sign of life of the worker.
    pub heartbeat_at: Option<Timestamp>,
    /// Who works, or last worked, on it.
    pub worker: Option<WorkerId>,
}

/// Why a job failed.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// The fixed word.
    pub code: String,
    /// What happened, for the operator. Sealed in the store: a silo's error may quote data.
    pub message: String,
    /// When.
    pub at: Timestamp,
    /// Which worker met it.
    pub worker: Option<WorkerId>,
}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Failure")
            .field("code", &self.code)
            .field("at", &self.at)
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

/// A recorded job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The request it answers.
    pub request: RequestId,
    /// Whose job.
    pub tenant: TenantId,
    /// 1 for a request's first job.
    pub attempt: u32,
    /// Where it stands.
    pub state: JobState,
    /// It waits until somebody starts it by name.
    pub held: bool,
    /// The fence of its latest lease; 0 before the first. More than 1 means that it was resumed.
    pub fence: FenceToken,
    /// The wrapped data key; `None` once it was destroyed.
    pub wrapped_key: Option<Vec<u8>>,
    /// The key of the ring that wrapped it; `None` once it was destroyed.
    pub key_id: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
    /// What can be downloaded, once it was published.
    pub delivery: Option<Delivery>,
    /// Why it failed, once it did.
    pub failure: Option<Failure>,
    /// What happened to it, oldest first.
    pub timeline: Vec<TimelineEntry>,
}
