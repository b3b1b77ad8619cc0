//! From a `[[silo.datapoint]]` table to a checked datapoint.

use std::collections::BTreeSet;

use crate::{
    Datapoint, Source,
    path::child,
    report::Report,
    silo::{
        DatapointTable,
        endpoint_table::check_endpoint,
        file_table::{check_attachment, check_file_set},
        reach::{check_reach, check_scope},
        table_name,
    },
    value::{DatapointKind, SiloType, clip},
};

/// Checks one datapoint of a silo of type `of`. `None` if it is not whole; the report then says why.
pub(crate) fn check_datapoint(
    table: DatapointTable,
    of: Option<SiloType>,
    path: &[String],
    report: &mut Report,
) -> Option<Datapoint> {
    check_columns(&table, path, report);
    let kind = table.kind.unwrap_or_default();
    let name = report.required(table.name.clone(), &child(path, "name"), "a name");
    let source = check_source(&table, of, path, report);
    if let Some(source) = &source {
        check_scope(source, &table, path, report);
        if kind == DatapointKind::Data {
            check_reach(source, &table, path, report);
        }
    }
    Some(Datapoint {
        name: name?,
        title: table.title,
        description: table.description,
        source: source?,
        matches: table.r#match.into_iter().collect(),
        provides: table.provides.into_iter().collect(),
        key: table.key,
        time_column: table.time_column,
        filter: table.filter.into_iter().collect(),
        redact: table.redact.into_iter().collect(),
        columns: table.columns.unwrap_or_default(),
        partitions: table.partitions,
        kind,
    })
}

fn check_source(
    table: &DatapointTable,
    of: Option<SiloType>,
    path: &[String],
    report: &mut Report,
) -> Option<Source> {
    let at = |key: &str| child(path, key);
    let sources = [
        ("table", table.table.is_some()),
        ("query", table.query.is_some()),
        ("endpoint", table.endpoint.is_some()),
        ("files", table.files.is_some()),
        ("attachment", table.attachment.is_some()),
    ];
    let mut named = sources.iter().filter(|(_, there)| *there).map(|(key, _)| *key);
    let key = match (named.next(), named.next()) {
        (Some(key), None) => key,
        (Some(first), Some(second)) => {
            report.misfit(&at(second), &format!("either `{first}` or `{second}`"), "both");
            return None;
        }
        (None, _) => {
            if !sources.iter().any(|(key, _)| report.is_faulted(&at(key))) {
                report.misfit(path, expected_of(of), "neither");
            }
            return None;
        }
    };
    if let Some(of) = of.filter(|of| !fits(key, *of)) {
        let expected = format!("{} in a silo of type {:?}", expected_of(Some(of)), of.as_str());
        report.misfit(&at(key), &expected, &format!("`{key}`"));
        return None;
    }
    check_neighbours(table, key, path, report);
    match key {
        "table" => {
            let name = table.table.as_deref().unwrap_or_default();
            let parts = table_name::split(name);
            if parts.is_none() {
                report.misfit(&at("table"), TABLE, &clip(name));
            }
            Some(Source::Table { name: parts? })
        }
        "query" => {
            let queries = [("query", &table.query), ("tenant_query", &table.tenant_query)];
            for (key, text) in queries {
                if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                    report.misfit(&at(key), "a query", "nothing but blanks");
                }
            }
            let (sql, tenant_sql) = (table.query.clone()?, table.tenant_query.clone());
            Some(Source::Query { sql, tenant_sql })
        }
        "endpoint" => {
            check_endpoint(table.endpoint.as_ref()?, &at(key), report).map(Source::Endpoint)
        }
        "files" => check_file_set(table.files.as_ref()?, &at(key), report).map(Source::Files),
        _ => check_attachment(table.attachment.as_ref()?, &at(key), report).map(Source::Attachment),
    }
}

/// Says whether silos of a type have a source.
fn fits(source: &str, of: SiloType) -> bool {
    match of {
        SiloType::Sqlite | SiloType::Postgres | SiloType::Mysql | SiloType::Adbc => {
            matches!(source, "table" | "query")
        }
        SiloType::Http => source == "endpoint",
        SiloType::Files => matches!(source, "files" | "attachment"),
    }
}

fn expected_of(of: Option<SiloType>) -> &'static str {
    match of {
        Some(SiloType::Http) => "`endpoint`",
        Some(SiloType::Files) => "`files` or `attachment`",
        _ => "`table` or `query`",
    }
}

/// Reports keys that mean nothing beside a source.
fn check_neighbours(table: &DatapointTable, source: &str, path: &[String], report: &mut Report) {
    let at = |key: &str| child(path, key);
    let found = format!("`{source}`");
    if source != "query" && table.tenant_query.is_some() {
        report.misfit(&at("tenant_query"), "`tenant_query` only beside `query`", &found);
    }
    if !table.r#match.is_empty() {
        // A match that nobody looks at would look like protection and be none.
        let expected = match source {
            "query" => Some("`match` only beside `table` (a query selects by `:name`)"),
            "endpoint" | "attachment" => {
                Some("`match` only beside `table` and `files` (a path selects by `{name}`)")
            }
            _ => None,
        };
        if let Some(expected) = expected {
            report.misfit(&at("match"), expected, &found);
        }
    }
    if table.partitions.is_some()
        && (source != "table" || table.key.is_empty())
        && !report.is_faulted(&at("key"))
    {
        let found = if source == "table" { "no `key`" } else { &found };
        report.misfit(&at("partitions"), "`partitions` only beside `table` and `key`", found);
    }
    let of_rows = [
        ("provides", !table.provides.is_empty()),
        ("key", !table.key.is_empty()),
        ("time_column", table.time_column.is_some()),
        ("filter", !table.filter.is_empty()),
        ("redact", !table.redact.is_empty()),
        ("columns", table.columns.is_some()),
    ];
    for (key, there) in of_rows {
        if there && source == "attachment" {
            let expected = format!("`{key}` only where there are rows");
            report.misfit(&at(key), &expected, &found);
        }
    }
}

fn check_columns(table: &DatapointTable, path: &[String], report: &mut Report) {
    let at = |key: &str| child(path, key);
    let maps = [
        ("match", table.r#match.keys().collect::<Vec<_>>()),
        ("filter", table.filter.keys().collect()),
        ("redact", table.redact.keys().collect()),
    ];
    for (key, columns) in maps {
        for column in columns {
            check_column(column, &child(&at(key), column), report);
        }
    }
    for (identifier, column) in &table.provides {
        check_column(column, &child(&at("provides"), identifier.as_str()), report);
    }
    if let Some(column) = &table.time_column {
        check_column(column, &at("time_column"), report);
    }
    if table.columns.as_ref().is_some_and(Vec::is_empty) {
        // Left out it means all of them; whoever lists none does not mean that.
        report.misfit(&at("columns"), "at least one column", "none");
    }
    let listed = table.columns.as_deref().unwrap_or_default();
    for (key, columns) in [("key", &table.key[..]), ("columns", listed)] {
        let mut seen = BTreeSet::new();
        for (index, column) in columns.iter().enumerate() {
            let place = child(&at(key), &index.to_string());
            check_column(column, &place, report);
            if !seen.insert(column) {
                report.misfit(&place, "each column once", &clip(column));
            }
        }
    }
}

fn check_column(column: &str, path: &[String], report: &mut Report) {
    if column.is_empty() || column.contains('\0') {
        report.misfit(path, "the name of a column", &clip(column));
    }
}

const TABLE: &str = r#"a table such as "orders", "main.orders" or "main.\"my.table\"""#;
