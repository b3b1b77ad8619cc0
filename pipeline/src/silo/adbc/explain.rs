//! How would the database read a section? ADBC has no plan, and what databases say of theirs quotes values: the statement is shown, and
//! that it is taken, and what would better it.

use super::describe::{Selection, order, unkeyed, unmatched};
use super::key::{self, Key};
use super::link::Server;
use super::narrow::narrow;
use super::select::find;
use crate::silo::{Explained, Identifiers, SectionSpec, advice};
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
    let mut advice = advice::missing(section, |name| find(&columns, name).is_ok());
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

/// A value that most types have.
const ANYTHING: &str = "1";
