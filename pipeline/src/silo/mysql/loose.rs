//! Are there days that no calendar has: `0000-00-00`, `2024-00-15`, `2024-02-31`? The server keeps them, Arrow and its readers have no
//! place for them, and NULL would be a loss: a column that holds one is text, as the server writes it.

use super::ask::{self, number};
use super::column::Source;
use super::link::Server;
use super::name::quote;
use super::select::Rows;
use crate::SiloError;
use crate::silo::{ColumnType, Shape};

/// Looks at the days of the selected rows, and at none if there is no column of days.
pub(super) async fn look(
    server: &mut Server,
    rows: &Rows,
    columns: &mut [Source],
    notes: &mut Vec<String>,
) -> Result<(), SiloError> {
    let list: Vec<String> = columns
        .iter()
        .filter(|column| column.has_days())
        .map(|column| format!("coalesce(max({}), 0)", is_no_day(column)))
        .collect();
    if list.is_empty() {
        return Ok(());
    }
    let Some(found) = ask::one(server, &rows.select(&list.join(", ")), rows.binds.clone()).await?
    else {
        return Ok(());
    };
    for (place, column) in columns.iter_mut().filter(|column| column.has_days()).enumerate() {
        if number(&found, place) > 0 {
            column.loose = true;
            notes.push(format!(
                "column {} has days that no calendar has, such as 0000-00-00: it is written as text",
                column.name
            ));
        }
    }
    Ok(())
}

/// Takes over what was found when the section was described.
pub(super) fn adopt(columns: &mut [Source], shape: &Shape) {
    for (column, known) in columns.iter_mut().zip(&shape.columns) {
        column.loose = column.has_days() && known.kind == ColumnType::Text;
    }
}

fn is_no_day(column: &Source) -> String {
    let name = quote(&column.name);
    format!(
        "{name} is not null and (month({name}) = 0 or dayofmonth({name}) = 0 or last_day({name}) is null \
         or dayofmonth({name}) > dayofmonth(last_day({name})))"
    )
}
