//! From a `[[silo.datapoint]]` table to a checked datapoint.

use std::collections::BTreeSet;

use crate::{
    Datapoint, Source,
    path::child,
    report::Report,
    silo::{DatapointTable, table_name},
    value::{DatapointKind, clip},
};

/// Checks one datapoint. `None` if it is not whole; the report then says why.
pub(crate) fn check_datapoint(
    table: DatapointTable,
    path: &[String],
    report: &mut Report,
) -> Option<Datapoint> {
    check_columns(&table, path, report);
    let kind = table.kind.unwrap_or_default();
    let name = report.required(table.name.clone(), &child(path, "name"), "a name");
    let source = check_source(&table, path, report);
    if let Some(source) = &source
        && kind == DatapointKind::Data
    {
        check_reach(source, &table, path, report);
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
        kind,
    })
}

fn check_source(table: &DatapointTable, path: &[String], report: &mut Report) -> Option<Source> {
    let at = |key: &str| child(path, key);
    match (&table.table, &table.query) {
        (Some(_), Some(_)) => {
            report.misfit(&at("query"), "either `table` or `query`", "both");
            None
        }
        (None, None) => {
            if !report.is_faulted(&at("table")) && !report.is_faulted(&at("query")) {
                report.misfit(path, "`table` or `query`", "neither");
            }
            None
        }
        (Some(name), None) => {
            if table.tenant_query.is_some() {
                report.misfit(&at("tenant_query"), "`tenant_query` only beside `query`", "`table`");
            }
            let parts = table_name::split(name);
            if parts.is_none() {
                report.misfit(&at("table"), TABLE, &clip(name));
            }
            Some(Source::Table { name: parts? })
        }
        (None, Some(sql)) => {
            for (key, text) in [("query", Some(sql)), ("tenant_query", table.tenant_query.as_ref())]
            {
                if text.is_some_and(|text| text.trim().is_empty()) {
                    report.misfit(&at(key), "a query", "nothing but blanks");
                }
            }
            // A query is never wrapped: a match beside it would look like protection and be none.
            if !table.r#match.is_empty() {
                report.misfit(
                    &at("match"),
                    "`match` only beside `table` (a query selects by `:name`)",
                    "`query`",
                );
            }
            Some(Source::Query { sql: sql.clone(), tenant_sql: table.tenant_query.clone() })
        }
    }
}

/// Reports a datapoint whose rows neither a person nor a tenant's scope would select.
fn check_reach(source: &Source, table: &DatapointTable, path: &[String], report: &mut Report) {
    let (key, expected) = match source {
        Source::Table { .. } => ("match", "`match`, `filter` or kind = \"configuration\""),
        Source::Query { sql, tenant_sql } => {
            if has_parameter(sql) || tenant_sql.is_some() {
                return;
            }
            ("query", "a `:name` in it, `tenant_query`, `filter` or kind = \"configuration\"")
        }
    };
    let excused = !table.filter.is_empty()
        || (key == "match" && !table.r#match.is_empty())
        || ["match", "filter", "kind", "tenant_query"]
            .iter()
            .any(|key| report.is_faulted(&child(path, key)));
    if !excused {
        report.misfit(&child(path, key), expected, "nothing that selects rows");
    }
}

/// Says whether a query may hold a parameter. The pipeline's tokenizer knows for certain; this one only has to notice
/// queries that cannot.
fn has_parameter(sql: &str) -> bool {
    let mut before = ' ';
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        let named = characters.peek().is_some_and(|c| c.is_ascii_alphabetic() || *c == '_');
        if character == ':' && before != ':' && named {
            return true;
        }
        before = character;
    }
    false
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
    let mut seen = BTreeSet::new();
    for (index, column) in table.key.iter().enumerate() {
        let place = child(&at("key"), &index.to_string());
        check_column(column, &place, report);
        if !seen.insert(column) {
            report.misfit(&place, "each column once", &clip(column));
        }
    }
}

fn check_column(column: &str, path: &[String], report: &mut Report) {
    if column.is_empty() || column.contains('\0') {
        report.misfit(path, "the name of a column", &clip(column));
    }
}

const TABLE: &str = r#"a table such as "orders", "main.orders" or "main.\"my.table\"""#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_are_no_parameters() {
        assert!(has_parameter("select * from t where id in (:id)"));
        assert!(has_parameter(":id"));
        assert!(!has_parameter("select id::text from t"));
        assert!(!has_parameter("select ':' || id from t"));
        assert!(!has_parameter(""));
    }
}
