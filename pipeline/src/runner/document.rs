//! What will manifest and report say of a section?

use antumbra_bundle::{Column, Redaction, SectionContent};

use crate::PipelineError;
use crate::plan::Planned;
use crate::silo::Shape;

/// Says of a section what its plan and its shape know; rows and counts are for its end.
pub(super) fn content(planned: &Planned, shape: Option<&Shape>, outcome: &str) -> SectionContent {
    let mut notes = planned.notes.clone();
    notes.extend(shape.iter().flat_map(|shape| shape.notes.iter().cloned()));
    let redactions = planned.redactions.iter().map(|(column, how)| Redaction {
        column: column.clone(),
        how: how.to_string(),
        values: 0,
    });
    let columns = shape.iter().flat_map(|shape| &shape.columns).map(|column| Column {
        name: column.name.clone(),
        data_type: column.kind.data_type().to_string(),
        declared: column.declared.clone(),
    });
    SectionContent {
        silo: planned.spec.silo.clone(),
        datapoint: planned.spec.datapoint.clone(),
        outcome: outcome.to_owned(),
        reason: None,
        code: None,
        rows: 0,
        query: shape.map(|shape| shape.statement.clone()),
        ordered_by: shape.map(|shape| shape.ordered_by.clone()).unwrap_or_default(),
        resumable: shape.is_some_and(|shape| shape.keyed),
        columns: columns.collect(),
        redactions: if shape.is_some() { redactions.collect() } else { Vec::new() },
        notes,
        attachments: None,
    }
}

/// Says that cells of the CSV file are not what the silo holds, letter by letter.
pub(super) fn defused_note(cells: u64) -> Option<String> {
    let (cells, begin, them) = match cells {
        0 => return None,
        1 => ("1 cell".to_owned(), "begins", "it"),
        more => (format!("{more} cells"), "begin", "them"),
    };
    Some(format!(
        "{cells} of the CSV file {begin} with an apostrophe, so that a spreadsheet does not run {them}"
    ))
}

/// Returns the bytes that are stored with the section.
pub(super) fn to_document(content: &SectionContent) -> Result<Vec<u8>, PipelineError> {
    serde_json::to_vec(content).map_err(|_| PipelineError::Document { what: "section" })
}
