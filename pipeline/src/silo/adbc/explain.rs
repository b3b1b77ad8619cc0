//! How would the database read a section? ADBC has no plan, and what databases say of theirs quotes values: the statement is shown, and
//! that it is taken, and what would better it.

use super::column::Source;
use super::describe::{Selection, order, unkeyed, unmatched};
use super::key::{self, Key};
use super::link::Server;
use super::narrow::narrow;
use super::select::find;
use crate::silo::{Explained, Identifiers, SectionSource, SectionSpec};
use crate::sql::quote;
use crate::{SiloError, Value};

/// Asks with what is known, and for the rest with values that stand for any.
pub(super) fn explain(
    server: &mut Server<'_>,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Explained, SiloError> {
    let mut filled = known.clone();
    for name in section.needs().into_iter().flatten() {
        let values = filled.entry(name).or_default();
        if values.is_empty() {
            values.push(Value::Text(ANYTHING.to_owned()));
        }
    }
    let Selection { rows, columns } = unmatched(server, section, &filled)?;
    let mut advice = missing(section, &columns);
    if !advice.is_empty() {
        let statement = rows.select("*").shown().to_owned();
        return Ok(Explained { statement, plan: Vec::new(), rows: None, advice });
    }
    let mut rows = rows.belonging(section, &filled, &columns, server.dialect)?;
    narrow(server, &mut rows, section, &columns)?;
    let ordered_by = match key::of(server, section, &columns)? {
        Key::Proven(key) => key,
        Key::Unproven(key, why) => {
            advice.push(format!("key ({}) {why}: it counts as none", key.join(", ")));
            unkeyed(&columns, &mut advice)
        }
        Key::None => {
            advice.push(
                "it has no key that the driver knows: rows are sorted by all columns, and reading begins again after an interruption"
                    .to_owned(),
            );
            unkeyed(&columns, &mut advice)
        }
    };
    if server.dialect.writes_values() {
        advice.push(
            "the driver binds no parameters: values stand in its statements, as hexadecimal digits, and in whatever logs those"
                .to_owned(),
        );
    }
    let statement =
        format!("{}{}", rows.select("*").shown(), order(&ordered_by, |name| Ok(quote(name)))?);
    Ok(Explained { statement, plan: Vec::new(), rows: None, advice })
}

/// A sentence for each column that settings name and the silo does not have.
fn missing(section: &SectionSpec, columns: &[Source]) -> Vec<String> {
    let matched: &[(String, String)] = match &section.source {
        SectionSource::Table { matches, .. } => matches,
        _ => &[],
    };
    let named = matched
        .iter()
        .map(|(column, _)| ("match", column))
        .chain(section.filters.iter().map(|filter| ("filter", &filter.column)))
        .chain(section.window.iter().map(|window| ("time_column", &window.column)))
        .chain(section.key.iter().map(|column| ("key", column)));
    named
        .filter(|(_, column)| find(columns, column).is_err())
        .map(|(setting, column)| format!("`{setting}` names column {column}, which is missing"))
        .collect()
}

/// A value that most types have.
const ANYTHING: &str = "1";
