//! How would a section's files be read?

use super::job::Job;
use super::select;
use crate::silo::{ColumnShape, Explained, SectionSpec};

/// Says it of rows.
pub(super) fn rows(
    job: &Job,
    section: &SectionSpec,
    matches: &[(String, String)],
    columns: &[ColumnShape],
    rows: Option<u64>,
) -> Explained {
    let bytes: u64 = job.files.iter().map(|found| found.len).sum();
    let format = job.set.format.as_str();
    let mut plan = vec![format!("{} files of format {format}, {bytes} bytes", job.files.len())];
    if job.set.format == antumbra_config::FileFormat::Parquet && !section.tenant_wide {
        plan.push(
            "row groups and pages are left out by the statistics of the match columns".to_owned(),
        );
    }
    let mut advice: Vec<String> = select::named(section, matches)
        .filter(|(_, column)| !columns.iter().any(|known| known.name == *column))
        .map(|(setting, column)| format!("`{setting}` names column {column}, which is missing"))
        .collect();
    if !section.key.is_empty() {
        advice.push(NO_KEY.to_owned());
    }
    let statement = select::statement(section, &job.set.pattern, matches);
    Explained { statement, plan, rows, advice }
}

/// Names the first file that lacks a column, and says how many there are.
pub(super) fn lacking(lacking: &[(String, String)]) -> Option<String> {
    let (column, file) = lacking.first()?;
    let more = match lacking.len() {
        1 => String::new(),
        files => format!(", and {} more files lack one", files - 1),
    };
    Some(format!("{column} is missing in {file}{more}"))
}

/// Says it of attachments, whose number is not known before their identifiers are.
/// `is_empty`: nothing is in the folder that all of them would be in.
pub(super) fn attachments(path: &str, is_empty: bool) -> Explained {
    let advice = "nothing is in the folder that `path` begins with".to_owned();
    Explained {
        statement: format!("files {path}"),
        plan: vec!["each file is copied as it is".to_owned()],
        rows: None,
        advice: if is_empty { vec![advice] } else { Vec::new() },
    }
}

/// Why a key has no use here.
pub(super) const NO_KEY: &str = "files have no order by key: `key` has no use here, and reading begins again after an interruption";
