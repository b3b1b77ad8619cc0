//! `[[silo]]` and `[[silo.datapoint]]` as they stand in the file: every key optional, nothing compared.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    Datapoint, SecretRef, Silo, SiloKind, Source,
    silo::table_name,
    value::{
        DatapointKind, DatapointName, IdentifierName, Period, Redaction, ScopeField, SiloName,
        SiloType, TenantName,
    },
};

/// `[[silo]]`: a system that holds data. In the file only. Keys whose meaning begins with a type belong to that type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SiloTable {
    /// Unique, whatever the case; a folder of the bundle.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    pub(crate) name: Option<SiloName>,
    /// The kind of system.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    pub(crate) r#type: Option<SiloType>,
    /// Whose data it holds.
    #[cfg_attr(test, schemars(extend("x-absent" = "`organization.tenant`")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<TenantName>,
    /// `sqlite`: the database file.
    #[cfg_attr(test, schemars(extend("x-type" = "path", "x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// `sqlite`: how long to wait for a writer's lock.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::BUSY_TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) busy_timeout: Option<Period>,
    /// `postgres`: where its URL is, which holds the password.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<SecretRef>,
    /// `postgres`: how long to wait for a connection.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::CONNECT_TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connect_timeout: Option<Period>,
    /// `postgres`: how long one statement may take, from `"1ms"` to `"24 days"`; the server ends it then, and it is tried again.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::STATEMENT_TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) statement_timeout: Option<Period>,
    /// `postgres`: how long a statement may wait for a lock, from `"1ms"` to `"24 days"`.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::LOCK_TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lock_timeout: Option<Period>,
    /// Its tables and queries: see `[[silo.datapoint]]`.
    pub(crate) datapoint: Vec<DatapointTable>,
}

/// `[[silo.datapoint]]`: a table or query of a silo. Exactly one of `table` and `query`. Columns are spelled as the silo spells them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct DatapointTable {
    /// Unique in its silo, whatever the case; a file of the bundle.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    pub(crate) name: Option<DatapointName>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// What it holds, for the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// A table or view, `"orders"`, `"main.orders"`; a part that holds a dot in double quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<String>,
    /// A query for one person; identifiers as `:name`, which expands to a list: `in (:customer_id)`.
    #[cfg_attr(test, schemars(extend("x-type" = "text, not blank")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<String>,
    /// The query for a whole tenant; only beside `query`.
    #[cfg_attr(test, schemars(extend("x-type" = "text, not blank")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_query: Option<String>,
    /// A row belongs to the person if any one column matches; only beside `table`. Loading warns of an identifier that is not well
    /// known and that no datapoint of the tenant provides.
    #[cfg_attr(test, schemars(extend("x-type" = "table column = identifier")))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) r#match: BTreeMap<String, IdentifierName>,
    /// Identifiers that the person's rows reveal to other datapoints.
    #[cfg_attr(test, schemars(extend("x-type" = "table identifier = column")))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) provides: BTreeMap<IdentifierName, String>,
    /// Columns that are together unique and not null: row order, slices, resuming.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<String>,
    /// The column that a window of time narrows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_column: Option<String>,
    /// The columns that a list of a compliance scope narrows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) filter: BTreeMap<String, ScopeField>,
    /// Leaves a column out, or replaces each value by an HMAC under the tenant's key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) redact: BTreeMap<String, Redaction>,
    /// Configuration is left out of exports for one person.
    #[cfg_attr(test, schemars(extend("x-default" = DatapointKind::default())))]
    pub(crate) kind: Option<DatapointKind>,
}

impl From<Silo> for SiloTable {
    fn from(silo: Silo) -> Self {
        let whole = Self {
            name: Some(silo.name),
            r#type: Some(silo.kind.silo_type()),
            tenant: Some(silo.tenant),
            datapoint: silo.datapoints.into_iter().map(DatapointTable::from).collect(),
            ..Self::default()
        };
        match silo.kind {
            SiloKind::Sqlite { path, busy_timeout } => Self {
                path: Some(PathBuf::from(path.to_string_lossy().into_owned())),
                busy_timeout: Some(busy_timeout),
                ..whole
            },
            SiloKind::Postgres { url, connect_timeout, statement_timeout, lock_timeout } => Self {
                url: Some(url),
                connect_timeout: Some(connect_timeout),
                statement_timeout: Some(statement_timeout),
                lock_timeout: Some(lock_timeout),
                ..whole
            },
        }
    }
}

impl From<Datapoint> for DatapointTable {
    fn from(datapoint: Datapoint) -> Self {
        let (table, query, tenant_query) = match datapoint.source {
            Source::Table { name } => (Some(table_name::join(&name)), None, None),
            Source::Query { sql, tenant_sql } => (None, Some(sql), tenant_sql),
        };
        Self {
            name: Some(datapoint.name),
            title: datapoint.title,
            description: datapoint.description,
            table,
            query,
            tenant_query,
            r#match: datapoint.matches.into_iter().collect(),
            provides: datapoint.provides.into_iter().collect(),
            key: datapoint.key,
            time_column: datapoint.time_column,
            filter: datapoint.filter.into_iter().collect(),
            redact: datapoint.redact.into_iter().collect(),
            kind: Some(datapoint.kind),
        }
    }
}

/// What a key of a type is if the file does not say.
pub(crate) mod defaults {
    use crate::value::Period;

    pub(crate) const BUSY_TIMEOUT: Period = Period::seconds(5);
    pub(crate) const CONNECT_TIMEOUT: Period = Period::seconds(10);
    pub(crate) const STATEMENT_TIMEOUT: Period = Period::seconds(60 * 60);
    pub(crate) const LOCK_TIMEOUT: Period = Period::seconds(10);
}
