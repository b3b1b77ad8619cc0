//! What can go wrong between a request and its bundle, by what the caller can do.

use antumbra_bundle::BundleError;
use antumbra_crypto::Retry;
use antumbra_jobs::{JobId, JobState, StoreError};

/// Why a job or a bundle cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The job store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sealed objects could not be written or read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Sealed objects of a job could not be written: a full disk, a bucket that refuses.
    #[error("the sealed objects cannot be written")]
    Write(#[source] BundleError),
    /// A key or a signature could not be made or used.
    #[error("the key ring failed")]
    Crypto(#[from] antumbra_crypto::Error),
    /// A section failed and the policy is to fail the job.
    #[error("section {silo}/{datapoint} failed")]
    Section {
        /// The section's silo.
        silo: String,
        /// The section's datapoint.
        datapoint: String,
        /// What the silo said.
        #[source]
        source: SiloError,
    },
    /// A value cannot be written in a format.
    #[error("section {section} cannot be written as {format}: {reason}")]
    Encode {
        /// `silo/datapoint`.
        section: String,
        /// The format.
        format: &'static str,
        /// Why, without the value.
        reason: String,
        /// The value's row in the section, from 1, and its column; `None` if it is the whole section.
        place: Option<(u64, String)>,
    },
    /// More identifiers were found than settings allow.
    #[error(
        "{source_of} has at least {found} values of identifier {identifier}; at most {limit} are allowed"
    )]
    TooManyIdentifiers {
        /// Which identifier.
        identifier: String,
        /// `silo/datapoint` whose rows hold them, or the request.
        source_of: String,
        /// How many are known, at least.
        found: usize,
        /// The limit of `export.max_identifier_values`.
        limit: usize,
    },
    /// The request is bound to a plan, and the one that was made is another.
    #[error("the plan is not the one that was approved{}", told(changes))]
    PlanChanged {
        /// What changed, as far as the parts of the approved plan are known.
        changes: Vec<String>,
    },
    /// A stored document is not of the shape this version writes.
    #[error("the stored {what} cannot be read")]
    Document {
        /// Which document.
        what: &'static str,
    },
    /// The bundle's time is over or its key was destroyed.
    #[error("the bundle of job {job} is gone")]
    Gone {
        /// The job.
        job: JobId,
    },
    /// There is no bundle yet, or there will be none.
    #[error("job {job} is {state}: nothing to download")]
    NotReady {
        /// The job.
        job: JobId,
        /// Where it stands.
        state: JobState,
    },
    /// The job is not one that can be started now: it is in another state, or somebody else was quicker.
    #[error("a job that is {state} cannot be started")]
    NotStartable {
        /// Where it stands.
        state: JobState,
    },
    /// Workers took the job up again and again and none came to its end.
    #[error("given up after {leases} leases")]
    TooManyLeases {
        /// How often it was leased.
        leases: u64,
    },
    /// The daemon is stopping; the job goes on later.
    #[error("interrupted by shutdown")]
    Interrupted,
}

impl PipelineError {
    /// Returns the fixed word for logs, metrics and answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Bundle(error) => error.code(),
            Self::Write(_) => "package_write_failed",
            Self::Crypto(error) => error.code(),
            Self::Section { .. } => "silo_failed",
            Self::Encode { .. } => "encode_failed",
            Self::TooManyIdentifiers { .. } => "too_many_identifiers",
            Self::PlanChanged { .. } => "plan_changed",
            Self::Document { .. } => "document_unreadable",
            Self::Gone { .. } => "bundle_gone",
            Self::NotReady { .. } => "bundle_not_ready",
            Self::NotStartable { .. } => "not_startable",
            Self::TooManyLeases { .. } => "too_many_leases",
            Self::Interrupted => "interrupted",
        }
    }

    /// Says whether trying the job again helps.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Store(StoreError::Database(_) | StoreError::KeyRetired { .. })
            | Self::Write(_)
            | Self::Interrupted => Retry::Later,
            Self::Store(_)
            | Self::Encode { .. }
            | Self::TooManyIdentifiers { .. }
            | Self::PlanChanged { .. }
            | Self::TooManyLeases { .. }
            | Self::Gone { .. }
            | Self::NotReady { .. }
            | Self::NotStartable { .. } => Retry::Never,
            Self::Bundle(error) => error.retry(),
            Self::Crypto(error) => error.retry(),
            Self::Section { source, .. } => source.retry(),
            Self::Document { .. } => Retry::Operator,
        }
    }

    /// Tells what the object store refused while a job wrote from what is wrong with the bytes themselves.
    pub(crate) fn writing(error: BundleError) -> Self {
        match error {
            BundleError::Store(_) => Self::Write(error),
            other => Self::Bundle(other),
        }
    }
}

fn told(changes: &[String]) -> String {
    if changes.is_empty() { String::new() } else { format!(": {}", changes.join(", ")) }
}

/// Why a silo did not give its data. No variant and no message holds a value of the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SiloError {
    /// The silo cannot be reached or opened now.
    #[error("cannot be opened: {reason}")]
    Unavailable {
        /// What the driver says.
        reason: String,
    },
    /// It was not asked: it is left alone for some time after failures, or all its connections are in use.
    #[error("cannot be opened: {reason}")]
    Held {
        /// Which of the two.
        reason: String,
        /// How long it is not worth asking again; zero if nobody knows.
        more: std::time::Duration,
    },
    /// A file, table or column that settings name is not there.
    #[error("{what} is missing")]
    Missing {
        /// What was looked for.
        what: String,
    },
    /// The silo's storage is damaged.
    #[error("is damaged: {reason}")]
    Corrupt {
        /// What the driver says.
        reason: String,
    },
    /// The silo refused a statement.
    #[error("refused the statement: {reason}")]
    Query {
        /// What the driver says; names of tables and columns, no values.
        reason: String,
    },
    /// Settings of a datapoint contradict the silo or themselves.
    #[error("{what}")]
    Settings {
        /// What contradicts what.
        what: String,
    },
    /// A value cannot be taken over without loss.
    #[error("row {row}, column {column}: {what}")]
    Value {
        /// The row's number in the section, from 1.
        row: u64,
        /// The column.
        column: String,
        /// What is wrong, without the value.
        what: String,
    },
    /// Columns, types or the key changed since the section was planned.
    #[error("its shape changed while it was read")]
    ShapeChanged,
    /// The request is bound to its plan, and the section is not what it was when it was planned. It ends the job, whatever the policy.
    #[error("is not what the approved plan says")]
    PlanChanged,
    /// Identifiers this section needs come from a section that failed.
    #[error("needs {identifier}, which comes from {provider}, and that failed")]
    ProviderFailed {
        /// Which identifier.
        identifier: String,
        /// `silo/datapoint`.
        provider: String,
    },
}

impl SiloError {
    /// Returns the fixed word for manifest, status and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } | Self::Held { .. } => "silo_unavailable",
            Self::Missing { .. } => "silo_missing",
            Self::Corrupt { .. } => "silo_corrupt",
            Self::Query { .. } => "silo_query",
            Self::Settings { .. } => "silo_settings",
            Self::Value { .. } => "silo_value",
            Self::ShapeChanged => "silo_shape_changed",
            Self::PlanChanged => "plan_changed",
            Self::ProviderFailed { .. } => "silo_provider_failed",
        }
    }

    /// Says whether the silo was not asked.
    pub(crate) const fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// Counts rows from the beginning of the section, of which `before` were read earlier.
    pub(crate) fn after(mut self, before: u64) -> Self {
        if let Self::Value { row, .. } = &mut self {
            *row = row.saturating_add(before);
        }
        self
    }

    /// Says whether trying again helps.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { .. } | Self::Held { .. } | Self::ShapeChanged => Retry::Later,
            _ => Retry::Operator,
        }
    }
}
