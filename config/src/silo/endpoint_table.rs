//! `endpoint`: from the table of the file to a checked resource of a REST service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Endpoint, Paging,
    path::child,
    report::Report,
    silo::template::{filled, placeholders},
    value::{ColumnWord, Count, clip},
};

/// `[silo.datapoint.endpoint]`: a resource of an `http` silo. In `path` and the values of `query`, `{identifier}` stands for each
/// value of an identifier; a brace is written twice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct EndpointTable {
    /// The path below `base_url` for one person, such as `"/customers/{customer_id}/orders"`.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// The path for a whole tenant, without placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_path: Option<String>,
    /// Parameters of the query for one person, with the placeholders below.
    #[cfg_attr(test, schemars(extend("x-type" = "table parameter = text")))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query: BTreeMap<String, String>,
    /// Parameters of the query for a whole tenant, without placeholders.
    #[cfg_attr(test, schemars(extend("x-type" = "table parameter = text")))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tenant_query: BTreeMap<String, String>,
    /// Where in an answer the list of items is: a JSON pointer such as `"/data"`.
    #[cfg_attr(test, schemars(extend("x-absent" = "the whole answer")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<String>,
    /// How an answer leads to the next one: see `[silo.datapoint.endpoint.paging]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paging: Option<PagingTable>,
    /// Members of the items whose type is known beforehand; of the others it is learnt from a sample.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) columns: BTreeMap<String, ColumnWord>,
    /// How many items are looked at to learn the columns. What does not fit them later goes, whole, into the column `_more`.
    #[cfg_attr(test, schemars(extend("x-default" = SAMPLE)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sample: Option<Count>,
}

/// `[silo.datapoint.endpoint.paging]`: how an answer leads to the next one; without it there is one answer. Exactly one of
/// `offset`, `page`, `cursor` and `link`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PagingTable {
    /// The parameter that says how many items to pass over. The last answer is the one without items, or a later one that is 404 or
    /// 410.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<String>,
    /// The parameter that says which page. The last answer is the one without items, or a later one that is 404 or 410.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<String>,
    /// The parameter that takes the cursor of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
    /// `true`: answers have a link of relation `next` in their header `link` (RFC 8288).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<bool>,
    /// `offset`, `page`: the parameter that says how many items are wanted; required beside `offset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size_parameter: Option<String>,
    /// `offset`, `page`: how many items are wanted in an answer.
    #[cfg_attr(test, schemars(extend("x-default" = SIZE)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<Count>,
    /// `page`: the number of the first page.
    #[cfg_attr(test, schemars(extend("x-type" = "number", "x-default" = FIRST)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<u32>,
    /// `cursor`: where in an answer the cursor is: a JSON pointer such as `"/meta/next"`. The last answer has
    /// none there, `null`, `false` or an empty text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl From<Endpoint> for EndpointTable {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            path: Some(endpoint.path),
            tenant_path: endpoint.tenant_path,
            query: endpoint.query.into_iter().collect(),
            tenant_query: endpoint.tenant_query.into_iter().collect(),
            items: Some(endpoint.items),
            paging: PagingTable::of(endpoint.paging),
            columns: endpoint.columns.into_iter().collect(),
            sample: Some(endpoint.sample),
        }
    }
}

impl PagingTable {
    fn of(paging: Paging) -> Option<Self> {
        let table = match paging {
            Paging::None => return None,
            Paging::Offset { offset, limit, size } => Self {
                offset: Some(offset),
                size_parameter: Some(limit),
                size: Some(size),
                ..Self::default()
            },
            Paging::Page { page, size, limit, first } => Self {
                page: Some(page),
                size_parameter: size,
                size: Some(limit),
                first: Some(first),
                ..Self::default()
            },
            Paging::Cursor { parameter, pointer } => {
                Self { cursor: Some(parameter), next: Some(pointer), ..Self::default() }
            }
            Paging::Link => Self { link: Some(true), ..Self::default() },
        };
        Some(table)
    }
}

/// Checks an endpoint. `None` if it is not whole; the report then says why.
pub(crate) fn check_endpoint(
    table: &EndpointTable,
    path: &[String],
    report: &mut Report,
) -> Option<Endpoint> {
    let at = |key: &str| child(path, key);
    let template = report.required(table.path.clone(), &at("path"), PATH);
    for (key, template, personal) in
        [("path", template.as_ref(), true), ("tenant_path", table.tenant_path.as_ref(), false)]
    {
        if let Some(template) = template
            && check_template(template, personal, &at(key), report)
            && !is_path(&filled(template))
        {
            report.misfit(&at(key), PATH, &clip(template));
        }
    }
    for (key, query, personal) in
        [("query", &table.query, true), ("tenant_query", &table.tenant_query, false)]
    {
        for (name, template) in query {
            let at = child(&at(key), name);
            if name.is_empty() {
                report.misfit(&at, "the name of a parameter", "\"\"");
            }
            check_template(template, personal, &at, report);
        }
    }
    if let Some(items) = &table.items {
        check_pointer(items, &at("items"), report);
    }
    check_columns(&table.columns, &at("columns"), report);
    let paging = match &table.paging {
        None => Some(Paging::None),
        Some(paging) => check_paging(paging, &at("paging"), report),
    };
    Some(Endpoint {
        path: template?,
        tenant_path: table.tenant_path.clone(),
        query: table.query.clone().into_iter().collect(),
        tenant_query: table.tenant_query.clone().into_iter().collect(),
        items: table.items.clone().unwrap_or_default(),
        paging: paging?,
        columns: table.columns.clone().into_iter().collect(),
        sample: table.sample.unwrap_or(SAMPLE),
    })
}

fn check_paging(table: &PagingTable, path: &[String], report: &mut Report) -> Option<Paging> {
    let at = |key: &str| child(path, key);
    if table.link == Some(false) {
        report.misfit(&at("link"), "true, or no `link`", "false");
        return None;
    }
    let ways = [
        ("offset", table.offset.is_some()),
        ("page", table.page.is_some()),
        ("cursor", table.cursor.is_some()),
        ("link", table.link.is_some()),
    ];
    let mut named = ways.iter().filter(|(_, there)| *there).map(|(key, _)| *key);
    let way = match (named.next(), named.next()) {
        (Some(way), None) => way,
        (Some(first), Some(second)) => {
            report.misfit(&at(second), WAYS, &format!("`{first}` beside it"));
            return None;
        }
        (None, _) => {
            if !ways.iter().any(|(key, _)| report.is_faulted(&at(key))) {
                report.misfit(path, WAYS, "none of them");
            }
            return None;
        }
    };
    check_paging_strangers(table, way, path, report);
    let parameters = [
        ("offset", &table.offset),
        ("page", &table.page),
        ("cursor", &table.cursor),
        ("size_parameter", &table.size_parameter),
    ];
    for (key, name) in parameters {
        if name.as_ref().is_some_and(String::is_empty) {
            report.misfit(&at(key), PARAMETER, "\"\"");
        }
    }
    let size = table.size.unwrap_or(SIZE);
    match way {
        "offset" => {
            let limit =
                report.required(table.size_parameter.clone(), &at("size_parameter"), PARAMETER);
            Some(Paging::Offset { offset: table.offset.clone()?, limit: limit?, size })
        }
        "page" => Some(Paging::Page {
            page: table.page.clone()?,
            size: table.size_parameter.clone(),
            limit: size,
            first: table.first.unwrap_or(FIRST),
        }),
        "cursor" => {
            let pointer = report.required(table.next.clone(), &at("next"), POINTER)?;
            check_pointer(&pointer, &at("next"), report);
            if pointer.is_empty() {
                report.misfit(&at("next"), POINTER, "\"\"");
            }
            Some(Paging::Cursor { parameter: table.cursor.clone()?, pointer })
        }
        _ => Some(Paging::Link),
    }
}

fn check_paging_strangers(table: &PagingTable, way: &str, path: &[String], report: &mut Report) {
    let keys: [(&str, &[&str], bool); 4] = [
        ("size_parameter", &["offset", "page"], table.size_parameter.is_some()),
        ("size", &["offset", "page"], table.size.is_some()),
        ("first", &["page"], table.first.is_some()),
        ("next", &["cursor"], table.next.is_some()),
    ];
    for (key, owners, there) in keys {
        if there && !owners.contains(&way) {
            let owners: Vec<String> = owners.iter().map(|owner| format!("`{owner}`")).collect();
            let expected = format!("`{key}` only beside {}", owners.join(" or "));
            report.misfit(&child(path, key), &expected, &format!("`{way}`"));
        }
    }
}

/// Reports a template that is none, or one for a tenant that names a person; says whether all is well.
pub(crate) fn check_template(
    template: &str,
    personal: bool,
    path: &[String],
    report: &mut Report,
) -> bool {
    match placeholders(template) {
        None => report.misfit(path, TEMPLATE, &clip(template)),
        Some(names) if !personal && !names.is_empty() => {
            report.misfit(path, "no `{name}` where a whole tenant is meant", &clip(template));
        }
        Some(_) if template.contains(char::is_control) => {
            report.misfit(path, "a text without control characters", &clip(template));
        }
        Some(_) => return true,
    }
    false
}

/// Spec: RFC 6901.
pub(crate) fn check_pointer(pointer: &str, path: &[String], report: &mut Report) {
    let escapes = pointer.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if !(pointer.is_empty() || pointer.starts_with('/')) || !escapes {
        report.misfit(path, POINTER, &clip(pointer));
    }
}

/// Reports columns without a name, and the name that is taken.
pub(crate) fn check_columns(
    columns: &BTreeMap<String, ColumnWord>,
    path: &[String],
    report: &mut Report,
) {
    for name in columns.keys() {
        if name.is_empty() || name.contains('\0') || name == MORE {
            report.misfit(&child(path, name), "the name of a column", &clip(name));
        }
    }
}

/// A path below another: begins with a slash, does not lead upwards, holds no query.
fn is_path(text: &str) -> bool {
    let Some(below) = text.strip_prefix('/') else { return false };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/{}".contains(&b);
    let mut parts = below.split('/').peekable();
    let mut sound = true;
    while let Some(part) = parts.next() {
        // A slash at the end may mean something to the service.
        sound &= !matches!(part, "." | "..") && (!part.is_empty() || parts.peek().is_none());
    }
    sound && text.bytes().all(plain)
}

const PATH: &str = r#"a path such as "/customers/{customer_id}/orders", without a query"#;
pub(crate) const TEMPLATE: &str =
    r#"a text whose braces hold names of identifiers ("{{" and "}}" are braces)"#;
const POINTER: &str = r#"a JSON pointer such as "/data""#;
const PARAMETER: &str = "the name of a parameter";
const WAYS: &str = "exactly one of `offset`, `page`, `cursor` and `link`";
/// The column of what fits no other.
const MORE: &str = "_more";
const SAMPLE: Count = Count::of(1_000);
const SIZE: Count = Count::of(100);
const FIRST: u32 = 1;
