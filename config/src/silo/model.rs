//! What a silo and a datapoint are, once checked.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{
    AdbcSilo, FilesSilo, HttpSilo, SecretRef, SiloLimits, Source,
    silo::SiloTable,
    value::{
        Count, DatapointKind, DatapointName, IdentifierName, Period, Redaction, ScopeField,
        SiloName, SiloType, TenantName,
    },
};

/// Describes one system that holds data. Serializes as `[[silo]]` is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "SiloTable")]
pub struct Silo {
    /// Unique after case folding.
    pub name: SiloName,
    /// Whose data it holds.
    pub tenant: TenantName,
    /// What kind of system it is and how to reach it.
    pub kind: SiloKind,
    /// How much may be asked of it at once.
    pub limits: SiloLimits,
    /// In the order of the file, names unique after case folding.
    pub datapoints: Vec<Datapoint>,
}

impl Silo {
    /// Makes relative paths relative to `root`.
    pub(crate) fn resolve_paths(&mut self, root: &Path) {
        match &mut self.kind {
            SiloKind::Sqlite { path, .. } => *path = root.join(&*path),
            SiloKind::Postgres { url, .. } | SiloKind::Mysql { url, .. } => url.resolve_path(root),
            SiloKind::Http(http) => http.resolve_paths(root),
            SiloKind::Files(files) => files.resolve_paths(root),
            SiloKind::Adbc(adbc) => adbc.resolve_paths(root),
        }
    }
}

/// Says what kind of system a silo is and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiloKind {
    /// A SQLite database file.
    Sqlite {
        /// The file. Absolute once loaded; not checked to exist.
        path: PathBuf,
        /// How long to wait for a writer's lock.
        busy_timeout: Period,
    },
    /// A PostgreSQL server.
    Postgres {
        /// Where its URL is: `postgres://user:password@host:port/database?parameters`. Not parsed here: it is a secret.
        url: SecretRef,
        /// How long to wait for a connection.
        connect_timeout: Period,
        /// How long one statement may take: from a millisecond to 24 days.
        statement_timeout: Period,
        /// How long a statement may wait for a lock: from a millisecond to 24 days.
        lock_timeout: Period,
    },
    /// A MySQL or `MariaDB` server.
    Mysql {
        /// Where its URL is: `mysql://user:password@host:port/database?parameters`. Not parsed here: it is a secret.
        url: SecretRef,
        /// How long to wait for a connection.
        connect_timeout: Period,
        /// How long one statement may take: from a millisecond to 24 days.
        statement_timeout: Period,
        /// How long a statement may wait for a lock: from a second to 24 days.
        lock_timeout: Period,
    },
    /// A REST service that answers in JSON.
    Http(Box<HttpSilo>),
    /// Files in a directory or bucket.
    Files(Box<FilesSilo>),
    /// Whatever an ADBC driver reaches.
    Adbc(Box<AdbcSilo>),
}

impl SiloKind {
    /// Returns the word that `type` says.
    pub fn silo_type(&self) -> SiloType {
        match self {
            Self::Sqlite { .. } => SiloType::Sqlite,
            Self::Postgres { .. } => SiloType::Postgres,
            Self::Mysql { .. } => SiloType::Mysql,
            Self::Http(_) => SiloType::Http,
            Self::Files(_) => SiloType::Files,
            Self::Adbc(_) => SiloType::Adbc,
        }
    }
}

/// Describes one table, query, endpoint or set of files of a silo.
///
/// Columns are named as the silo names them, never empty, without NUL. Lists of pairs are ordered by their first
/// part as text, without duplicates of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datapoint {
    /// Unique in its silo after case folding.
    pub name: DatapointName,
    /// What people call it.
    pub title: Option<String>,
    /// What it holds, for the report.
    pub description: Option<String>,
    /// Where the rows come from.
    pub source: Source,
    /// Columns that hold an identifier of the person; a row belongs to the person if any one matches.
    /// Only beside [`Source::Table`] and [`Source::Files`]: the others select by parameters or placeholders.
    pub matches: Vec<(String, IdentifierName)>,
    /// Identifiers that rows of the person reveal, and the column that holds each: edges of the identity graph.
    pub provides: Vec<(IdentifierName, String)>,
    /// Columns that are together unique and not null; they order the rows. Empty if there are none.
    pub key: Vec<String>,
    /// The column that a window of time narrows.
    pub time_column: Option<String>,
    /// Columns that a list of a compliance scope narrows.
    pub filter: Vec<(String, ScopeField)>,
    /// Columns that do not leave in clear.
    pub redact: Vec<(String, Redaction)>,
    /// The only columns that leave; each once. Empty: all.
    pub columns: Vec<String>,
    /// How many parts the table is read in if it is large, by ranges of its key; without it, it is read as one stream.
    pub partitions: Option<Count>,
    /// Whether rows are about persons.
    pub kind: DatapointKind,
}
