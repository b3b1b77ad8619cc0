//! Sections about the engine: where data is, what an export is, how the worker works.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use crate::value::{
    ByteSize, Count, CsvFormulas, DeflateLevel, Format, GuardAction, OnSiloError, Period,
};

/// `[data]`: where the daemon keeps what is its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Data {
    /// The folder of the job store and the sealed objects.
    #[serde(serialize_with = "serialize_path")]
    #[cfg_attr(test, schemars(extend("x-type" = "path")))]
    pub directory: PathBuf,
    /// How often what is over is swept away: bundles past their time, data of jobs that failed or were cancelled, download keys,
    /// and requests whose retention is over.
    pub sweep_interval: Period,
}

impl Default for Data {
    fn default() -> Self {
        Self { directory: PathBuf::from("data"), sweep_interval: Period::seconds(5 * MINUTE) }
    }
}

/// `[export]`: what an export holds and how long it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Export {
    /// The formats of a request that names none; at least one, each once.
    pub formats: Vec<Format>,
    /// What a failed silo does to the job; its sections are marked failed either way.
    pub on_silo_error: OnSiloError,
    /// How often a section is tried in a row, without getting further, when its silo fails in a way that may pass (it cannot be
    /// reached, it timed out); then `export.on_silo_error` decides.
    pub silo_attempts: Count,
    /// The longest first pause between two such tries; it doubles with each, up to 30 seconds, and each pause is shortened at random.
    pub silo_backoff: Period,
    /// How long a download key opens its file.
    pub download_key_ttl: Period,
    /// How long a bundle can be downloaded after it is ready; at most `export.retention`. Then its objects are deleted and its key is
    /// destroyed.
    pub bundle_ttl: Period,
    /// How long a finished request is kept before its personal data is destroyed. The audit log stays, with pseudonyms.
    pub retention: Period,
    /// How many values of one identifier a plan may reach before it is refused; SQLite takes 32766 values in one statement, a section
    /// that needs more fails.
    pub max_identifier_values: Count,
    /// How hard deflate tries; 0 stores.
    pub deflate_level: DeflateLevel,
    /// What happens to a text in a CSV file, or the name of a column there, that begins with `=`, `+`, `-`, `@`, a tab or a carriage
    /// return, which a spreadsheet would run as a formula: `defuse` puts an apostrophe before it, and the section's notes say how
    /// often. Numbers are never touched. A job keeps what was set when it was planned.
    pub csv_formulas: CsvFormulas,
    /// What happens to values that have the shape of a secret (password hashes, tokens, private keys, API keys) in any column.
    pub secrets: GuardAction,
    /// What happens to values in a person's rows that are an identifier of somebody else, an e-mail address for one.
    pub foreign_identifiers: GuardAction,
    /// How much memory the rows of one job may take up between its silos and its sealed objects: an eighth those of the section whose
    /// turn it is, an eighth those of sections that are read ahead, the rest what drivers hold and what is made of rows; reading waits
    /// then. A row that is larger than a twenty-fourth is refused: it is there several times before it is sealed, and so is a row of
    /// each of up to seven others that are read ahead or at the same time. Drivers hand over whole rows, `http` whole answers, `adbc`
    /// whole batches: such a row is there, and those of others, before it is refused.
    pub max_memory: ByteSize,
}

impl Default for Export {
    fn default() -> Self {
        Self {
            formats: vec![Format::Json],
            on_silo_error: OnSiloError::Fail,
            silo_attempts: Count::of(5),
            silo_backoff: Period::milliseconds(500),
            download_key_ttl: Period::seconds(24 * HOUR),
            bundle_ttl: Period::seconds(7 * 24 * HOUR),
            retention: Period::seconds(30 * 24 * HOUR),
            max_identifier_values: Count::of(10_000),
            deflate_level: DeflateLevel::FASTEST,
            csv_formulas: CsvFormulas::Defuse,
            secrets: GuardAction::Redact,
            foreign_identifiers: GuardAction::Note,
            max_memory: ByteSize::mebibytes(512),
        }
    }
}

/// `[worker]`: how jobs are worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Worker {
    /// Whether this process works on jobs.
    pub enabled: bool,
    /// How long a job stays with a worker that says nothing.
    pub lease: Period,
    /// How often a worker says that it is alive; less than half of `worker.lease`.
    pub heartbeat: Period,
    /// How many jobs are worked on at once. Each takes up to `export.max_memory`, and connections of its own to the silos.
    pub concurrency: Count,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            enabled: true,
            lease: Period::seconds(30),
            heartbeat: Period::seconds(10),
            concurrency: Count::of(1),
        }
    }
}

/// Writes a path as text; a folder of the machine that is not UTF-8 must not fail `config show`.
fn serialize_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
