//! What of a member that settings name and that no item of the sample has?

use crate::SiloError;
use crate::silo::ColumnShape;

/// Notes the members, each once, that must be in an item for it to be selected and that have no column. One person's items need not
/// have them all: an item that has one after all is selected by it.
///
/// # Errors
/// [`SiloError::Missing`] for a member whose name a column has but for the case of its letters: it is misspelled, and nothing would
/// ever be selected.
pub(in crate::silo) fn unseen<'a>(
    members: impl Iterator<Item = &'a str>,
    columns: &[ColumnShape],
) -> Result<Vec<String>, SiloError> {
    let mut notes = Vec::new();
    for name in members.filter(|name| !columns.iter().any(|column| column.name == **name)) {
        let folded = name.to_lowercase();
        if columns.iter().any(|column| column.name.to_lowercase() == folded) {
            return Err(SiloError::Missing { what: format!("column {name}") });
        }
        let note = format!(
            "column {name} was in none of the items that were looked at first; only items that have it are selected"
        );
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::silo::ColumnType;

    #[test]
    fn members_without_a_column_are_noted_once_and_misspelled_ones_refused() {
        let column =
            ColumnShape { name: "At".to_owned(), declared: String::new(), kind: ColumnType::Text };
        let unseen =
            |names: &[&'static str]| unseen(names.iter().copied(), std::slice::from_ref(&column));
        assert_eq!(unseen(&["At"]), Ok(vec![]));
        let notes = unseen(&["c", "At", "c"]).unwrap();
        assert!(notes.len() == 1 && notes[0].starts_with("column c "), "{notes:?}");
        assert_eq!(unseen(&["at"]), Err(SiloError::Missing { what: "column at".to_owned() }));
    }
}
