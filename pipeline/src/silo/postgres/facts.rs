//! What is known of a selection before its rows are looked at: columns, types, what the catalogue promises?
//!
//! It is remembered from one session to the next. Of tables, each snapshot says once whether it still holds; of queries, a session
//! that remembers asks on the strength of it, and in the same breath whether it holds. Within a transaction it holds once asked for:
//! the server keeps a table that was looked at locked against changes of its columns.

use std::sync::Arc;

use super::column::Source;
use super::fault;
use super::indexes::Table;
use super::link::Link;
use super::narrow::find;
use super::select::Rows;
use crate::SiloError;
use crate::silo::{Identifiers, SectionSource, SectionSpec};

/// Columns and table of a selection.
pub(super) struct Facts {
    pub(super) columns: Vec<Source>,
    pub(super) table: Option<Table>,
    /// Another number when anything above is other than before: statements are prepared anew then.
    pub(super) generation: u64,
}

impl Facts {
    /// Returns what this transaction knows, else asks.
    pub(super) async fn of(
        link: &Link,
        section: &SectionSpec,
        rows: &Rows,
    ) -> Result<Arc<Self>, SiloError> {
        match Self::known(link, rows).await? {
            Some(facts) => Ok(facts),
            None => Self::ask(link, section, rows).await,
        }
    }

    /// Returns what this transaction knows, or what is remembered of a table that is still the same in its snapshot.
    pub(super) async fn known(link: &Link, rows: &Rows) -> Result<Option<Arc<Self>>, SiloError> {
        let everything = rows.everything();
        if let Some(facts) = link.seen(&everything) {
            return Ok(Some(facts));
        }
        let Some(facts) = link.remembered(&everything) else { return Ok(None) };
        let (Some(table), Some(marks)) = (&facts.table, link.marks()) else { return Ok(None) };
        let holds = marks.of(link, &table.name).await? == Some(&table.mark);
        if holds {
            link.see(everything, &facts);
        }
        Ok(holds.then_some(facts))
    }

    /// Asks the server, in one round trip if the connection was used before.
    pub(super) async fn ask(
        link: &Link,
        section: &SectionSpec,
        rows: &Rows,
    ) -> Result<Arc<Self>, SiloError> {
        let everything = rows.everything();
        let (columns, table) =
            futures::join!(columns(link, section, &everything), Table::of(link, section));
        Ok(link.learn(&everything, columns?, table?))
    }
}

/// Returns the rows of a section, not narrowed yet, and what is known of them; columns that settings name are among them.
pub(super) async fn selection(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<(Rows, Arc<Facts>), SiloError> {
    let facts = Facts::of(link, section, &Rows::of(section, known, &[])?).await?;
    Ok((matched(section, known, &facts)?, facts))
}

/// Returns the rows of a section, not narrowed yet, if what it matches is there.
pub(super) fn matched(
    section: &SectionSpec,
    known: &Identifiers,
    facts: &Facts,
) -> Result<Rows, SiloError> {
    if let SectionSource::Table { matches, .. } = &section.source {
        for (column, _) in matches {
            find(&facts.columns, column)?;
        }
    }
    Rows::of(section, known, &facts.columns)
}

/// Returns the columns of a statement, as the server has them now. Two of one name could not be told apart in a file.
async fn columns(
    link: &Link,
    section: &SectionSpec,
    everything: &str,
) -> Result<Vec<Source>, SiloError> {
    let prepared = link.client().prepare(everything).await;
    let statement = prepared.map_err(|error| {
        let missing = matches!(error.code().map(|code| code.code()), Some("42P01" | "3F000"));
        match &section.source {
            SectionSource::Table { parts, .. } if missing => {
                SiloError::Missing { what: format!("table {}", parts.join(".")) }
            }
            _ => fault::preparing(&error),
        }
    })?;
    let columns: Vec<Source> = statement.columns().iter().map(Source::of).collect();
    for (index, column) in columns.iter().enumerate() {
        if columns.iter().take(index).any(|other| other.name == column.name) {
            return Err(SiloError::Settings {
                what: format!("column {} occurs twice", column.name),
            });
        }
    }
    if columns.is_empty() {
        return Err(SiloError::Settings { what: "it has no column".to_owned() });
    }
    Ok(columns)
}
