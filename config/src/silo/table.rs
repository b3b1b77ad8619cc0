//! `[[silo]]` and `[[silo.datapoint]]` as they stand in the file: every key optional, nothing compared.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    Datapoint, Silo, SiloKind, Source,
    silo::table_name,
    value::{
        DatapointKind, DatapointName, IdentifierName, Period, Redaction, ScopeField, SiloName,
        SiloType, TenantName,
    },
};

/// Holds one `[[silo]]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct SiloTable {
    pub(crate) name: Option<SiloName>,
    pub(crate) r#type: Option<SiloType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<TenantName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) busy_timeout: Option<Period>,
    pub(crate) datapoint: Vec<DatapointTable>,
}

/// Holds one `[[silo.datapoint]]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct DatapointTable {
    pub(crate) name: Option<DatapointName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_query: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) r#match: BTreeMap<String, IdentifierName>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) provides: BTreeMap<IdentifierName, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_column: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) filter: BTreeMap<String, ScopeField>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) redact: BTreeMap<String, Redaction>,
    pub(crate) kind: Option<DatapointKind>,
}

impl From<Silo> for SiloTable {
    fn from(silo: Silo) -> Self {
        let SiloKind::Sqlite { path, busy_timeout } = silo.kind;
        Self {
            name: Some(silo.name),
            r#type: Some(SiloType::Sqlite),
            tenant: Some(silo.tenant),
            path: Some(PathBuf::from(path.to_string_lossy().into_owned())),
            busy_timeout: Some(busy_timeout),
            datapoint: silo.datapoints.into_iter().map(DatapointTable::from).collect(),
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
