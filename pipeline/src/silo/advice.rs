//! What can an operator better about a section, whatever SQL its silo speaks?

use super::{SectionSource, SectionSpec};

/// A sentence for each column that settings name and the silo does not have.
pub(super) fn missing(section: &SectionSpec, has: impl Fn(&str) -> bool) -> Vec<String> {
    let matched = matched(section).iter().map(|(column, _)| ("match", column));
    let named = matched
        .chain(section.filters.iter().map(|filter| ("filter", &filter.column)))
        .chain(section.window.iter().map(|window| ("time_column", &window.column)))
        .chain(section.key.iter().map(|column| ("key", column)));
    named
        .filter(|(_, column)| !has(column))
        .map(|(setting, column)| format!("`{setting}` names column {column}, which is missing"))
        .collect()
}

/// The columns that a table is matched by, with the identifiers they are compared with.
pub(super) fn matched(section: &SectionSpec) -> &[(String, String)] {
    match &section.source {
        SectionSource::Table { matches, .. } => matches,
        _ => &[],
    }
}

/// A sentence about a key that does not do. `fit`: its types can be one; `promised`: the catalogue says that it is one; `proof`: the
/// statement that would have it say so, where there is one.
pub(super) fn key(
    key: &[String],
    fit: bool,
    promised: bool,
    proof: impl FnOnce() -> Option<String>,
) -> Option<String> {
    let names = key.join(", ");
    if key.is_empty() {
        Some(
            "it has no key: rows are sorted by all columns, and reading begins again after an interruption; set `key` to \
             columns that are unique and not null"
                .to_owned(),
        )
    } else if !fit {
        Some(format!("key ({names}) has a type that cannot be one: it counts as none"))
    } else if !promised {
        let how = proof().map(|proof| format!(": `{proof}`, columns not null")).unwrap_or_default();
        Some(format!("key ({names}) is proven by no index, so all rows are read twice{how}"))
    } else {
        None
    }
}
