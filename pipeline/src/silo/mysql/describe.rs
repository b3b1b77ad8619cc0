//! What do a section's rows look like? The server names their types; the catalogue or a look at the rows proves the key.

use super::ask::{self, number, text};
use super::catalogue::Table;
use super::coerced::{self, Words};
use super::column::Source;
use super::digits;
use super::fault;
use super::key;
use super::letters;
use super::link::Server;
use super::loose;
use super::name::quote;
use super::narrow::{find, narrow};
use super::order::order;
use super::select::Rows;
use crate::SiloError;
use crate::silo::{Identifiers, MOST_COUNTED, SectionSource, SectionSpec, Shape};

/// A section's rows, not narrowed yet, with what is known of them.
pub(super) struct Selection {
    pub(super) rows: Rows,
    pub(super) columns: Vec<Source>,
    pub(super) table: Option<Table>,
}

/// Finds columns, about how many rows there are, and whether the key is unique and not null.
pub(super) async fn describe(
    server: &mut Server,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Shape, SiloError> {
    let Selection { mut rows, mut columns, table } = selection(server, section, known).await?;
    let mut notes = Vec::new();
    outside(server, section, &rows, &columns, &mut notes).await?;
    narrow(&mut rows, section, &columns)?;
    let mut counted = counted_if_words(server, &rows).await?;
    loose::look(server, &rows, &mut columns, &mut notes).await?;
    if let Some(table) = table.as_ref().filter(|table| !table.has_snapshot()) {
        let engine = table.engine.as_deref().unwrap_or_default();
        notes.push(format!(
            "its engine, {engine}, has no snapshot: rows may change while they are read"
        ));
    }
    let wanted = key::wanted(section, table.as_ref(), &columns)?;
    let mut keyed = !wanted.is_empty() && key::is_of_fit_types(&wanted, &columns);
    if keyed && !table.as_ref().is_some_and(|table| table.promises(&wanted)) {
        let (holds, count) = key::probe(server, &rows, &wanted, &columns).await?;
        (keyed, counted) = (holds, Some(count));
        if !holds {
            notes.push(format!("key ({}) is not unique and not null here", wanted.join(", ")));
        }
    } else if !wanted.is_empty() && !keyed {
        notes.push(format!("key ({}) has a type that cannot be one", wanted.join(", ")));
    }
    let rows_expected = match counted {
        Some(count) => Some(count),
        None => explained(server, &rows.select_all(), &rows).await?.1,
    };
    let ordered_by =
        if keyed { wanted } else { columns.iter().map(|column| column.name.clone()).collect() };
    let order = order(&columns, &ordered_by, keyed);
    Ok(Shape {
        columns: columns.iter().map(Source::shape).collect(),
        ordered_by,
        keyed,
        statement: format!("{} order by {order}", rows.shown()),
        notes,
        rows: rows_expected,
    })
}

/// Counts the rows that belong to the identifiers, whatever the window and the filters; `None` if there are very many.
pub(super) async fn count_whole(
    server: &mut Server,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Option<u64>, SiloError> {
    let Selection { rows, .. } = selection(server, section, known).await?;
    let sql = format!(
        "select count(*) from ({} limit {}) as `antumbra counted`",
        rows.select("1"),
        MOST_COUNTED + 1
    );
    let found = ask::one(server, &sql, rows.binds.clone()).await?;
    coerced::check(server, &Words::of(&rows)).await?;
    Ok(found.map(|row| number(&row, 0)).filter(|count| *count <= MOST_COUNTED))
}

/// Returns the rows of a section, not narrowed yet, and their columns; columns that settings name are among them,
/// no text is taken for a number or for another text, and no number is rounded.
pub(super) async fn selection(
    server: &mut Server,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Selection, SiloError> {
    let mut found = unmatched(server, section, known).await?;
    if let SectionSource::Table { matches, .. } = &section.source {
        for (column, _) in matches {
            find(&found.columns, column)?;
        }
    }
    coerced::refuse(server, &found.rows).await?;
    letters::refuse(server, &found.rows).await?;
    digits::compare(server, &mut found.rows).await?;
    let rows = found.rows.belonging(section, known, &found.columns)?;
    Ok(Selection { rows, ..found })
}

/// Returns all rows of a section, whoever they belong to, and their columns. Two of one name could not be told apart in a file.
pub(super) async fn unmatched(
    server: &mut Server,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Selection, SiloError> {
    let table = Table::of(server, section).await?;
    let invisible = table.as_ref().map_or(&[][..], |table| table.invisible.as_slice());
    let rows = Rows::everything(section, known, invisible)?;
    let statement = ask::prepare(server, &rows.select_all(), rows.binds.len()).await;
    let statement = statement.map_err(|error| match (&section.source, error) {
        (SectionSource::Table { parts, .. }, SiloError::Missing { what })
            if what.starts_with("table ") =>
        {
            SiloError::Missing { what: format!("table {}", parts.join(".")) }
        }
        (_, error) => error,
    })?;
    let of = |column: &mysql_async::Column| Source::of(column, table.as_ref());
    let columns: Vec<Source> = statement.columns().iter().map(of).collect();
    for (index, column) in columns.iter().enumerate() {
        let same = |other: &Source| other.name.to_lowercase() == column.name.to_lowercase();
        if columns.iter().take(index).any(same) {
            let what = format!("column {} occurs twice", column.name);
            return Err(SiloError::Settings { what });
        }
    }
    if columns.is_empty() {
        return Err(SiloError::Settings { what: "it has no column".to_owned() });
    }
    Ok(Selection { rows, columns, table })
}

/// Asks the planner how it would read the rows and how many it expects: counting them would take as long as reading them. In its
/// table, unlike in its other forms, it quotes nothing of what is bound. Of a view it says nothing to a user who may not see how the
/// view was made, though he may read it.
pub(super) async fn explained(
    server: &mut Server,
    sql: &str,
    rows: &Rows,
) -> Result<(Vec<String>, Option<u64>), SiloError> {
    let explain = if server.is_mariadb { "explain" } else { "explain format = traditional" };
    let found = match ask::rows(server, &format!("{explain} {sql}"), rows.binds.clone()).await {
        Err(SiloError::Query { reason }) if reason == fault::UNSEEN_VIEW => {
            return Ok((vec![fault::UNSEEN_VIEW.to_owned()], None));
        }
        found => found?,
    };
    let mut lines = Vec::with_capacity(found.len());
    let mut expected: Option<u64> = None;
    let outermost = found.first().and_then(|row| text(row, 0));
    for row in &found {
        let mut words = Vec::new();
        for (place, column) in row.columns_ref().iter().enumerate() {
            if let Some(value) = text(row, place) {
                let name = column.name_str();
                if name == "rows" && text(row, 0) == outermost {
                    expected = Some(expected.unwrap_or(1).saturating_mul(number(row, place)));
                }
                words.push(format!("{name}={value}"));
            }
        }
        lines.push(words.join(" "));
    }
    Ok((lines, expected))
}

/// Counts a query's rows where texts are bound, and hears the server's warnings: before the first row is read, not after the last.
async fn counted_if_words(server: &mut Server, rows: &Rows) -> Result<Option<u64>, SiloError> {
    if !rows.has_words() {
        return Ok(None);
    }
    let found = ask::one(server, &rows.select("count(*)"), rows.binds.clone()).await?;
    coerced::check(server, &Words::of(rows)).await?;
    Ok(found.map(|row| number(&row, 0)))
}

/// Rows without a time are outside the window, and said.
async fn outside(
    server: &mut Server,
    section: &SectionSpec,
    rows: &Rows,
    columns: &[Source],
    notes: &mut Vec<String>,
) -> Result<(), SiloError> {
    let Some(window) = &section.window else { return Ok(()) };
    let column = find(columns, &window.column)?;
    let name = quote(&column.name);
    let mut rows = rows.clone();
    rows.only(if column.has_days() {
        format!("({name} is null or month({name}) = 0)")
    } else {
        format!("{name} is null")
    });
    let row = ask::one(server, &rows.select("count(*)"), rows.binds.clone()).await?;
    let missing = row.map_or(0, |row| number(&row, 0));
    if missing > 0 {
        notes.push(format!("{missing} rows without {} are outside the window", column.name));
    }
    Ok(())
}
