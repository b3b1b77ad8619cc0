//! Sections about the engine: where data and keys are, what an export is, how the worker works.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    SecretRef,
    value::{Count, CsvFormulas, DeflateLevel, Format, OnSiloError, Period},
};

/// `[data]`: where the daemon keeps what is its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Data {
    /// The folder of the job store and of the sealed objects. Absolute once loaded.
    #[serde(serialize_with = "serialize_path")]
    pub directory: PathBuf,
}

impl Default for Data {
    fn default() -> Self {
        Self { directory: PathBuf::from("data") }
    }
}

/// `[keys]`: where the keys are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Keys {
    /// The key ring: wrapped keys, useless without the root key. Absolute once loaded.
    #[serde(serialize_with = "serialize_path")]
    pub ring: PathBuf,
    /// The root key, which unwraps the ring.
    pub root: SecretRef,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            ring: PathBuf::from("keys/ring.json"),
            root: SecretRef::File(PathBuf::from("keys/root.key")),
        }
    }
}

/// `[export]`: what an export holds and how long it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Export {
    /// The formats of a request that names none. At least one, each once.
    pub formats: Vec<Format>,
    /// What a failed silo does to the job.
    pub on_silo_error: OnSiloError,
    /// How long a download key opens its file.
    pub download_key_ttl: Period,
    /// How long a bundle can be downloaded after it is ready. At most `retention`.
    pub bundle_ttl: Period,
    /// How long a finished request is kept before its personal data is destroyed.
    pub retention: Period,
    /// How many values of one identifier a plan may reach before it is refused.
    pub max_identifier_values: Count,
    /// How hard deflate tries.
    pub deflate_level: DeflateLevel,
    /// What happens to text in CSV files that a spreadsheet would run as a formula.
    pub csv_formulas: CsvFormulas,
}

impl Default for Export {
    fn default() -> Self {
        Self {
            formats: vec![Format::Json],
            on_silo_error: OnSiloError::Fail,
            download_key_ttl: Period::seconds(24 * HOUR),
            bundle_ttl: Period::seconds(7 * 24 * HOUR),
            retention: Period::seconds(30 * 24 * HOUR),
            max_identifier_values: Count::of(10_000),
            deflate_level: DeflateLevel::FASTEST,
            csv_formulas: CsvFormulas::Defuse,
        }
    }
}

/// `[worker]`: how jobs are worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Worker {
    /// Whether this process works on jobs at all.
    pub enabled: bool,
    /// How long a job stays with a worker that says nothing.
    pub lease: Period,
    /// How often a worker says that it is alive. Less than half of `lease`.
    pub heartbeat: Period,
    /// How many jobs are worked on at once.
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

const HOUR: u32 = 60 * 60;
