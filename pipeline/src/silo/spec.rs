//! What does a section select? A datapoint as the plan froze it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Value;
use crate::sql::Statement;

/// A datapoint as the plan froze it: a job that is resumed reads what it began to read, whatever settings say by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionSpec {
    /// The silo's name.
    pub silo: String,
    /// The datapoint's name.
    pub datapoint: String,
    /// What it reads.
    pub source: SectionSource,
    /// The whole tenant rather than a person: predicates on identifiers are left out.
    pub tenant_wide: bool,
    /// The key of settings; may be empty.
    pub key: Vec<String>,
    /// The window, if the request has one and the datapoint a time column.
    pub window: Option<Window>,
    /// Scope fields of the request that narrow this datapoint.
    pub filters: Vec<Filter>,
}

/// A column that must hold one of the values of a scope field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The column.
    pub column: String,
    /// The scope field, such as `campaignIds`.
    pub field: String,
    /// Its values; none selects no row.
    pub values: Vec<String>,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SectionSource {
    /// A table: rows in which any of the columns holds a value of its identifier.
    Table {
        /// Schema and table, or the table alone.
        parts: Vec<String>,
        /// Column and identifier.
        matches: Vec<(String, String)>,
    },
    /// A statement with `:identifier` parameters.
    Query {
        /// The statement.
        sql: String,
    },
}

/// A half-open interval on a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The column.
    pub column: String,
    /// First moment inside.
    pub start: Option<Timestamp>,
    /// First moment outside.
    pub end: Option<Timestamp>,
}

/// The key of the last row that was committed, in the order of the shape's key columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cursor(pub Vec<Value>);

impl SectionSpec {
    /// Returns `silo/datapoint`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.silo, self.datapoint)
    }

    /// Returns the identifiers it can use: each alternative is a set of names that must all be known.
    ///
    /// A table needs any one of its matches; a statement all of its parameters. No alternative: it needs none.
    #[must_use]
    pub fn needs(&self) -> Vec<Vec<String>> {
        if self.tenant_wide {
            return Vec::new();
        }
        match &self.source {
            SectionSource::Table { matches, .. } => {
                matches.iter().map(|(_, identifier)| vec![identifier.clone()]).collect()
            }
            SectionSource::Query { sql } => {
                let statement = Statement::parse(sql);
                let names: Vec<String> = statement.names().into_iter().map(str::to_owned).collect();
                if names.is_empty() { Vec::new() } else { vec![names] }
            }
        }
    }
}
