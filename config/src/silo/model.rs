//! What a silo and a datapoint are, once checked.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{
    SecretRef,
    silo::SiloTable,
    value::{
        DatapointKind, DatapointName, IdentifierName, Period, Redaction, ScopeField, SiloName,
        SiloType, TenantName,
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
    /// In the order of the file, names unique after case folding.
    pub datapoints: Vec<Datapoint>,
}

impl Silo {
    /// Makes relative paths relative to `root`.
    pub(crate) fn resolve_paths(&mut self, root: &Path) {
        match &mut self.kind {
            SiloKind::Sqlite { path, .. } => *path = root.join(&*path),
            SiloKind::Postgres { url, .. } => url.resolve_path(root),
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
}

impl SiloKind {
    /// Returns the word that `type` says.
    pub fn silo_type(&self) -> SiloType {
        match self {
            Self::Sqlite { .. } => SiloType::Sqlite,
            Self::Postgres { .. } => SiloType::Postgres,
        }
    }
}

/// Describes one table or query of a silo.
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
    /// Always empty beside [`Source::Query`], which selects by its parameters.
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
    /// Whether rows are about persons.
    pub kind: DatapointKind,
}

/// Says where a datapoint's rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A table or view.
    Table {
        /// The parts of its name, for example schema and table: at least one, none empty, quotes removed.
        name: Vec<String>,
    },
    /// A query of the operator's. Not parsed here, only known not to be blank.
    Query {
        /// The query for one person, with identifiers as `:name`. Without a parameter it takes no part in exports for
        /// one person unless the datapoint's kind is configuration.
        sql: String,
        /// The query for a whole tenant.
        tenant_sql: Option<String>,
    },
}
