//! The job store: requests, jobs, leases, segments, download grants, API keys and the audit log.
//!
//! Everything else in Antumbra meets here. A gateway writes a request, a worker leases its job, commits what it
//! collected, and publishes the result; each of these is one transaction behind [`JobStore`]. Personal columns
//! are sealed before they reach the database and found again by keyed hashes.
//!
//! The room knows neither HTTP nor Arrow nor zip files: plans, cursors and encoder states are bytes to it.

mod clock;
mod error;
mod ids;
mod state;

mod audit;
mod delivery;
mod facts;
mod key_use;
mod listing;
mod request;
mod section;

mod sqlite;
mod store;

#[cfg(any(test, feature = "test-util"))]
pub mod conformance;

pub use audit::{Actor, ApiKey, ApiKeyId, AuditEntry, AuditEvent, NewApiKey, Scope, TimelineEntry};
pub use clock::{Clock, SystemClock, TestClock};
pub use delivery::{
    Delivery, Download, FileRecord, GRANT_BUNDLE, Grant, GrantId, NewGrant, Published,
};
pub use error::{Retry, StoreError};
pub use ids::{FenceToken, InvalidId, JobId, RequestId, TenantId, WorkerId};
pub use key_use::{Destroyed, JobKey, KeyUse};
pub use listing::{ListQuery, Listing};
pub use request::{
    Attribute, Created, ExpectedPlan, Failure, Family, Identifier, Job, NewJob, NewRequest,
    NextJob, Progress, Region, Request, RequestDetails, ScopeKind,
};
pub use section::{
    Commit, Flush, Lease, NewSection, PART_SLICES, SectionEnd, SectionOutcome, SectionRecord,
    SectionState, SegmentRecord, SliceCommit, SliceRecord,
};
pub use sqlite::{Sealing, SqliteStore};
pub use state::{IllegalMove, JobState, Move, RequestStatus, next};
pub use store::JobStore;
