//! What does a section select? A datapoint as the plan froze it.

use antumbra_config::{Attachment, Endpoint, FileSet, ScopeField};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sql::Statement;
use crate::{SiloError, Value};

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
    /// The only columns that leave; empty: all. Others may be left unread, but for those of the key.
    #[serde(default)]
    pub columns: Vec<String>,
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
    /// A resource of a REST service; placeholders of its path and query select.
    Endpoint {
        /// The resource. For a whole tenant, `path` and `query` are those for the tenant.
        endpoint: Endpoint,
    },
    /// Rows of files: those in which any of the columns holds a value of its identifier.
    Files {
        /// The files.
        files: FileSet,
        /// Column and identifier.
        matches: Vec<(String, String)>,
    },
    /// Files that are handed out as they are; placeholders of their path select.
    Attachment {
        /// The files.
        attachment: Attachment,
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

/// A run of a keyed section's rows, in the order of the key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Span {
    /// The key behind which it begins; `None`: at the first row.
    pub after: Option<Cursor>,
    /// The key up to which it goes, that row included if there is one; `None`: to the last row.
    pub until: Option<Cursor>,
    /// Only the columns of the key are read, in its order.
    pub keys_only: bool,
}

impl SectionSource {
    /// Refuses a section whose source a silo of this type does not have.
    pub(in crate::silo) fn is_strange_to(&self, silo: &str) -> SiloError {
        let source = match self {
            Self::Table { .. } => "table",
            Self::Query { .. } => "query",
            Self::Endpoint { .. } => "endpoint",
            Self::Files { .. } => "files",
            Self::Attachment { .. } => "attachment",
        };
        SiloError::Settings { what: format!("a silo of type {silo} has no `{source}`") }
    }
}

impl SectionSpec {
    /// Returns `silo/datapoint`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.silo, self.datapoint)
    }

    /// Returns the identifiers it can use: each alternative is a set of names that must all be known.
    ///
    /// A table and files need any one of their matches; a statement all of its parameters, a template all of its placeholders. No
    /// alternative: it needs none.
    #[must_use]
    pub fn needs(&self) -> Vec<Vec<String>> {
        if self.tenant_wide {
            return Vec::new();
        }
        match &self.source {
            SectionSource::Table { matches, .. } | SectionSource::Files { matches, .. } => {
                matches.iter().map(|(_, identifier)| vec![identifier.clone()]).collect()
            }
            SectionSource::Query { sql } => all_of(Statement::parse(sql).names()),
            SectionSource::Endpoint { endpoint } => {
                let values = endpoint.query.iter().map(|(_, value)| value.as_str());
                let names = std::iter::once(endpoint.path.as_str())
                    .chain(values)
                    .flat_map(Self::placeholders);
                all_of(names.filter(|name| !is_of_scope(name)))
            }
            SectionSource::Attachment { attachment } => {
                all_of(Self::placeholders(&attachment.path))
            }
        }
    }

    /// Returns the names in the braces of a template, in its order, repeated ones too. `{{` and `}}` are braces that stand for
    /// themselves; a brace that is not closed opens nothing.
    #[must_use]
    pub fn placeholders(template: &str) -> Vec<&str> {
        let mut names = Vec::new();
        let mut rest = template;
        while let Some((_, after)) = rest.split_once('{') {
            if let Some(after) = after.strip_prefix('{') {
                rest = after;
                continue;
            }
            let Some((name, after)) = after.split_once('}') else { break };
            names.push(name);
            rest = after;
        }
        names
    }
}

/// Says whether a placeholder is filled by the request's scope rather than by an identifier: an end of the window, or a scope field.
pub(crate) fn is_of_scope(name: &str) -> bool {
    matches!(name, WINDOW_START | WINDOW_END) || name.parse::<ScopeField>().is_ok()
}

/// The placeholder of the first moment of the window.
pub(in crate::silo) const WINDOW_START: &str = "windowStart";
/// The placeholder of the first moment after the window.
pub(in crate::silo) const WINDOW_END: &str = "windowEnd";

/// One alternative: all of these names, each once.
fn all_of<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        if !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    if all.is_empty() { Vec::new() } else { vec![all] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_the_names_in_single_braces() {
        for (template, expected) in [
            ("/people/{customer_id}/orders", &["customer_id"][..]),
            ("{a}/{b}/{a}", &["a", "b", "a"]),
            ("{{a}}/{b}", &["b"]),
            ("{{{a}}}", &["a"]),
            ("/plain", &[]),
            ("/open/{a", &[]),
            ("/close}/{a}", &["a"]),
            ("", &[]),
        ] {
            assert_eq!(SectionSpec::placeholders(template), expected, "{template}");
        }
    }

    #[test]
    fn a_template_needs_each_of_its_names_once() {
        assert_eq!(all_of(["a", "b", "a"]), [["a", "b"]]);
        assert!(all_of([]).is_empty());
    }
}
