//! Where a datapoint's rows come from, once checked.

use serde::{Deserialize, Serialize};

use crate::value::{ColumnWord, Count, FileFormat};

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
    /// What a REST service answers; only in silos of type `http`.
    Endpoint(Endpoint),
    /// Rows of files; only in silos of type `files`.
    Files(FileSet),
    /// Files that are handed out as they are; only in silos of type `files`.
    Attachment(Attachment),
}

/// Describes one resource of a REST service.
///
/// Paths and values of the query are templates: `{identifier}` stands for each value of an identifier, `{{` and `}}` for a
/// brace. Templates of loaded settings are balanced and name identifiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The path below the silo's base URL for one person; a template that begins with a slash.
    pub path: String,
    /// The path for a whole tenant, without placeholders. Without it the endpoint takes no part in exports for a tenant unless
    /// `path` and `query` have no placeholder.
    pub tenant_path: Option<String>,
    /// Parameters of the query for one person, by name; the values are templates.
    pub query: Vec<(String, String)>,
    /// Parameters of the query for a whole tenant, by name, without placeholders.
    pub tenant_query: Vec<(String, String)>,
    /// Where in an answer the list of items is: a JSON pointer (RFC 6901), empty for the whole body.
    pub items: String,
    /// How an answer leads to the next one.
    pub paging: Paging,
    /// Members of the items whose type is known beforehand, by name.
    pub columns: Vec<(String, ColumnWord)>,
    /// How many items are looked at to learn the columns.
    pub sample: Count,
}

/// Says how an answer leads to the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Paging {
    /// There is one answer.
    None,
    /// By the number of items to pass over. An answer without items is the last.
    Offset {
        /// The parameter that says how many items to pass over.
        offset: String,
        /// The parameter that says how many items are wanted.
        limit: String,
        /// How many items are wanted in an answer.
        size: Count,
    },
    /// By the number of the page. A page without items is the last.
    Page {
        /// The parameter that says which page.
        page: String,
        /// The parameter that says how many items a page has, if the service has one.
        size: Option<String>,
        /// How many items a page has.
        limit: Count,
        /// The number of the first page.
        first: u32,
    },
    /// By a cursor that each answer holds. An answer without one, or with null or an empty text, is the last.
    Cursor {
        /// The parameter that takes the cursor.
        parameter: String,
        /// Where in an answer the cursor is: a JSON pointer (RFC 6901).
        pointer: String,
    },
    /// By the link of relation `next` in the header `link` (RFC 8288). An answer without one is the last.
    Link,
}

/// Describes the files whose rows are a datapoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSet {
    /// A glob over names below the silo's location, such as `events/*.csv.gz`.
    pub pattern: String,
    /// How the files are written, decompressed.
    pub format: FileFormat,
    /// What separates the fields of a CSV file: one ASCII character.
    pub delimiter: char,
    /// Where in a JSON document the list of items is: a JSON pointer (RFC 6901), empty for the whole document.
    pub items: String,
    /// Columns whose type is known beforehand, by name.
    pub columns: Vec<(String, ColumnWord)>,
}

/// Describes files that are handed out as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// A template of names below the silo's location with at least one `{identifier}`; outside of placeholders it may hold globs.
    pub path: String,
    /// What the files are, such as `image/png`; without it their names decide.
    pub media_type: Option<String>,
}
