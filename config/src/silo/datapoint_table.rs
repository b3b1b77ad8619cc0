//! `[[silo.datapoint]]` as it stands in the file: every key optional, nothing compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Datapoint, Source,
    silo::{
        endpoint_table::EndpointTable,
        file_table::{AttachmentTable, FilesTable},
        table_name,
    },
    value::{Count, DatapointKind, DatapointName, IdentifierName, Redaction, ScopeField},
};

/// `[[silo.datapoint]]`: a table, query, endpoint or set of files of a silo. Exactly one of `table` and `query`; in an `http` silo
/// `endpoint`; in a `files` silo one of `files` and `attachment`. Columns are spelled as the silo spells them.
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
    /// A resource of a REST service: see `[silo.datapoint.endpoint]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<EndpointTable>,
    /// Rows of files: see `[silo.datapoint.files]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<FilesTable>,
    /// Files that are handed out as they are: see `[silo.datapoint.attachment]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attachment: Option<AttachmentTable>,
    /// A row belongs to the person if any one column matches; only beside `table` and `files`. Loading warns of an identifier that is
    /// not well known and that no datapoint of the tenant provides.
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
    /// Leaves a column out (`drop`), replaces each value by an HMAC under the tenant's key (`hash`), puts stars for letters and digits
    /// (`mask`: the last four characters of longer values stay, and the domain of an e-mail address that is the whole value), or keeps
    /// so many characters of its beginning (`truncate(4)`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) redact: BTreeMap<String, Redaction>,
    /// The only columns that leave; what else the silo has is left out, columns that come later too.
    #[cfg_attr(test, schemars(extend("x-absent" = "all")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) columns: Option<Vec<String>>,
    /// How many parts a table of 262144 rows or more is read in, several at once as the silo's limits allow, by ranges of its key; only
    /// beside `table` and `key`. Silos of type `postgres` can; others read it as one stream.
    #[cfg_attr(test, schemars(extend("x-absent" = "one stream")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partitions: Option<Count>,
    /// Configuration is left out of exports for one person.
    #[cfg_attr(test, schemars(extend("x-default" = DatapointKind::default())))]
    pub(crate) kind: Option<DatapointKind>,
}

impl From<Datapoint> for DatapointTable {
    fn from(datapoint: Datapoint) -> Self {
        let whole = Self {
            name: Some(datapoint.name),
            title: datapoint.title,
            description: datapoint.description,
            r#match: datapoint.matches.into_iter().collect(),
            provides: datapoint.provides.into_iter().collect(),
            key: datapoint.key,
            time_column: datapoint.time_column,
            filter: datapoint.filter.into_iter().collect(),
            redact: datapoint.redact.into_iter().collect(),
            columns: (!datapoint.columns.is_empty()).then_some(datapoint.columns),
            partitions: datapoint.partitions,
            kind: Some(datapoint.kind),
            ..Self::default()
        };
        match datapoint.source {
            Source::Table { name } => Self { table: Some(table_name::join(&name)), ..whole },
            Source::Query { sql, tenant_sql } => {
                Self { query: Some(sql), tenant_query: tenant_sql, ..whole }
            }
            Source::Endpoint(endpoint) => Self { endpoint: Some(endpoint.into()), ..whole },
            Source::Files(files) => Self { files: Some(files.into()), ..whole },
            Source::Attachment(attachment) => Self { attachment: Some(attachment.into()), ..whole },
        }
    }
}
