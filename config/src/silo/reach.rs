//! What selects the rows of a datapoint.

use crate::{
    Source,
    path::child,
    report::Report,
    silo::{
        DatapointTable,
        template::{is_of_scope, is_of_window, placeholders},
    },
    value::IdentifierName,
};

/// Reports a datapoint whose rows neither a person nor a tenant's scope would select.
pub(crate) fn check_reach(
    source: &Source,
    table: &DatapointTable,
    path: &[String],
    report: &mut Report,
) {
    let (key, expected, selected) = match source {
        Source::Table { .. } | Source::Files(_) => {
            ("match", "`match`, `filter` or kind = \"configuration\"", !table.r#match.is_empty())
        }
        Source::Query { sql, tenant_sql } => (
            "query",
            "a `:name` in it, `tenant_query`, `filter` or kind = \"configuration\"",
            has_parameter(sql) || tenant_sql.is_some(),
        ),
        Source::Endpoint(endpoint) => (
            "endpoint",
            "a `{name}` in its path or query, `tenant_path`, `tenant_query`, `filter` or kind = \"configuration\"",
            !named(source).is_empty()
                || endpoint.tenant_path.is_some()
                || !endpoint.tenant_query.is_empty(),
        ),
        Source::Attachment(_) => (
            "attachment",
            "a `{name}` in its path or kind = \"configuration\"",
            !named(source).is_empty(),
        ),
    };
    let faulted = ["match", "filter", "kind", "tenant_query", "endpoint", "attachment"];
    let excused = selected
        || !table.filter.is_empty()
        || faulted.iter().any(|key| report.is_faulted(&child(path, key)));
    if !excused {
        report.misfit(&child(path, key), expected, "nothing that selects rows");
    }
}

/// Reports placeholders that a request's scope fills and that the datapoint is not ready for. One whose values nobody declares would
/// leave its parameter out of every request, and one in a path has no path where the request has no such field.
pub(crate) fn check_scope(
    source: &Source,
    table: &DatapointTable,
    path: &[String],
    report: &mut Report,
) {
    if !matches!(source, Source::Endpoint(_)) {
        return;
    }
    for (keys, name) in named(source).into_iter().filter(|(_, name)| is_of_scope(name)) {
        let mut at = path.to_vec();
        at.extend(keys.iter().map(|key| (*key).to_owned()));
        let found = format!("{{{name}}}");
        let is_declared = if is_of_window(&name) {
            table.time_column.is_some() || report.is_faulted(&child(path, "time_column"))
        } else {
            table.filter.values().any(|field| field.as_str() == name.as_str())
                || report.is_faulted(&child(path, "filter"))
        };
        if keys.last() == Some(&"path") && keys.len() == 2 {
            report.misfit(&at, "no field of a request's scope: only the query takes them", &found);
        } else if !is_declared && is_of_window(&name) {
            report.misfit(&at, "a `time_column` beside an end of the window", &found);
        } else if !is_declared {
            report.misfit(&at, "a column in `filter` for this field of the scope", &found);
        }
    }
}

/// Lists the identifiers that the templates of a source name, each with the keys that lead to its template.
pub(crate) fn named(source: &Source) -> Vec<(Vec<&str>, IdentifierName)> {
    let templates: Vec<(Vec<&str>, &str)> = match source {
        Source::Table { .. } | Source::Query { .. } | Source::Files(_) => Vec::new(),
        Source::Attachment(attachment) => vec![(vec!["attachment", "path"], &attachment.path)],
        Source::Endpoint(endpoint) => {
            let path = (vec!["endpoint", "path"], endpoint.path.as_str());
            let query = endpoint.query.iter();
            let query =
                query.map(|(name, value)| (vec!["endpoint", "query", name], value.as_str()));
            std::iter::once(path).chain(query).collect()
        }
    };
    let mut named = Vec::new();
    for (keys, template) in templates {
        let names = placeholders(template).unwrap_or_default();
        named.extend(names.into_iter().map(|name| (keys.clone(), name)));
    }
    named
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

    /// The faults of an endpoint, each from its key on, and the warnings; `keys` stand beside it.
    fn heard(endpoint: &str, keys: &str) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        let text = format!(
            "[[silo]]\nname = 's'\ntype = 'http'\nbase_url = 'https://a.example'\n\
             [[silo.datapoint]]\nname = 'd'\nendpoint = {endpoint}\n{keys}\n"
        );
        std::fs::write(&file, text).unwrap();
        let base = folder.path().to_owned();
        let lines = |text: String| -> Vec<String> {
            let behind =
                |line: &str| line.split_once(".endpoint.").map(|(_, rest)| rest.to_owned());
            text.lines().filter_map(behind).collect()
        };
        match crate::load(&crate::Sources { file: Some(file), base, ..Default::default() }) {
            Ok(loaded) => {
                let warnings: Vec<String> =
                    loaded.warnings.iter().map(ToString::to_string).collect();
                (Vec::new(), lines(warnings.join("\n")))
            }
            Err(faults) => (lines(faults.to_string()), Vec::new()),
        }
    }

    #[test]
    fn a_placeholder_of_the_scope_needs_what_narrows_and_stands_in_the_query() {
        let query = "{ path = '/x', query = { who = '{email}', from = '{windowStart}', c = 'in:{campaignIds}' } }";
        assert_eq!(
            heard(query, "filter = { s = 'substrates' }").0,
            [
                "query.c: expected a column in `filter` for this field of the scope, found {campaignIds}",
                "query.from: expected a `time_column` beside an end of the window, found {windowStart}",
            ]
        );
        let declared = "time_column = 'at'\nfilter = { c = 'campaignIds', s = 'substrates' }";
        assert_eq!(heard(query, declared), (Vec::new(), Vec::new()));
        for name in ["windowEnd", "substrates"] {
            let path = format!("{{ path = '/{{{name}}}' }}");
            let fault = format!(
                "path: expected no field of a request's scope: only the query takes them, found {{{name}}}"
            );
            assert_eq!(heard(&path, declared).0, [fault]);
        }
    }
}
