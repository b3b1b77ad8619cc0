//! What does an export say about itself? Made of the stored manifest alone: the same every time.

use std::collections::BTreeMap;

use antumbra_bundle::{Manifest, Redaction, SectionContent};
use antumbra_jobs::{Job, Request};
use jiff::Timestamp;
use serde::Serialize;

use super::find::job_id;
use super::view::requested_by;
use crate::http::{ApiError, Shared};

/// The contract's `auditReport`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditReport<'r> {
    job_id: String,
    org_id: &'r str,
    requested_by: &'r str,
    requested_at: Timestamp,
    generated_at: &'r str,
    section_counts: BTreeMap<String, u64>,
    total_records: u64,
    redaction_notes: Vec<String>,
}

impl<'r> AuditReport<'r> {
    /// Reports on a published job.
    pub(super) fn of(request: &'r Request, job: &'r Job, manifest: &'r Manifest) -> Self {
        let sections = &manifest.content.sections;
        let exported = sections.iter().filter(|section| is_exported(section));
        Self {
            job_id: job_id(request.id),
            org_id: request.tenant.as_str(),
            requested_by: requested_by(request, job),
            requested_at: request.created_at,
            generated_at: &manifest.run.generated_at,
            section_counts: exported.map(|section| (name(section), count(section))).collect(),
            total_records: sections.iter().map(count).sum(),
            redaction_notes: sections.iter().flat_map(notes).collect(),
        }
    }
}

impl std::fmt::Debug for AuditReport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditReport").field("job_id", &self.job_id).finish_non_exhaustive()
    }
}

/// Returns the stored manifest of a published job.
///
/// # Errors
/// The store's error; internal when there is none or it cannot be read.
pub(super) async fn manifest(shared: &Shared, job: &Job) -> Result<Manifest, ApiError> {
    let published = shared.store().published(job.id).await?;
    let published = published.ok_or_else(|| ApiError::internal("nothing was published"))?;
    serde_json::from_slice(&published.manifest).map_err(ApiError::internal)
}

/// Returns a section's name in reports and artifacts: two silos may have a datapoint of the same name.
pub(super) fn name(section: &SectionContent) -> String {
    format!("{}/{}", section.silo, section.datapoint)
}

/// Returns how many items a section has: rows, or files that are handed out as they are.
pub(super) fn count(section: &SectionContent) -> u64 {
    let attached = section.attachments.as_ref();
    attached.map_or(section.rows, |attached| u64::try_from(attached.len()).unwrap_or(u64::MAX))
}

/// Says whether a section has rows to show, be they none.
pub(super) fn is_exported(section: &SectionContent) -> bool {
    matches!(section.outcome.as_str(), "complete" | "empty")
}

/// Says what a section lacks: columns that were withheld, the section itself, or what its notes warn of.
fn notes(section: &SectionContent) -> Vec<String> {
    let name = name(section);
    let mut notes = Vec::new();
    if !is_exported(section) {
        let outcome = section.outcome.replace('-', " ");
        let code = section.code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
        let reason = section.reason.as_deref().unwrap_or("no reason was recorded");
        notes.push(format!("{name}: {outcome}{code}: {reason}"));
    }
    if section.attachments.is_some() && count(section) > 0 {
        notes.push(format!(
            "{name}: {} attachments are in the bundle; a JSON artifact names them and does not hold them",
            count(section)
        ));
    }
    notes.extend(section.redactions.iter().map(|redaction| withheld(&name, redaction)));
    notes.extend(section.notes.iter().map(|note| format!("{name}: {note}")));
    notes
}

fn withheld(name: &str, redaction: &Redaction) -> String {
    let how = match redaction.how.as_str() {
        "drop" => "dropped",
        "hash" => "replaced by keyed hashes",
        "mask" => "masked",
        "unlisted" => "left out because settings do not list it",
        "foreign-address" => "without e-mail addresses that are not known to be this person's",
        other => match (other.strip_prefix("secret:"), other.strip_prefix("truncate(")) {
            (Some(kind), _) => &format!("without values that have the shape of a secret, {kind}"),
            (_, Some(_)) => "shortened",
            _ => other,
        },
    };
    let (column, values) = (&redaction.column, redaction.values);
    format!("{name}: column {column} {how} ({values} values)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(outcome: &str) -> SectionContent {
        SectionContent {
            silo: "shop".to_owned(),
            datapoint: "orders".to_owned(),
            outcome: outcome.to_owned(),
            reason: None,
            code: None,
            rows: 3,
            query: None,
            ordered_by: Vec::new(),
            resumable: true,
            columns: Vec::new(),
            redactions: Vec::new(),
            notes: Vec::new(),
            attachments: None,
        }
    }

    #[test]
    fn whatever_withheld_values_has_words() {
        for (how, expected) in [
            ("mask", "masked"),
            ("truncate(4)", "shortened"),
            ("unlisted", "left out because settings do not list it"),
            ("secret:jwt", "without values that have the shape of a secret, jwt"),
            ("foreign-address", "without e-mail addresses that are not known to be this person's"),
        ] {
            let redaction = Redaction { column: "x".into(), how: how.into(), values: 2 };
            assert_eq!(withheld("a/b", &redaction), format!("a/b: column x {expected} (2 values)"));
        }
    }

    #[test]
    fn whatever_an_export_lacks_is_noted() {
        let mut whole = section("complete");
        assert!(notes(&whole).is_empty());
        whole.redactions = [("card", "drop"), ("phone", "hash")]
            .map(|(column, how)| Redaction { column: column.into(), how: how.into(), values: 2 })
            .to_vec();
        whole.notes = vec!["not narrowed by the window: it has no time column".to_owned()];
        let expected = [
            "shop/orders: column card dropped (2 values)",
            "shop/orders: column phone replaced by keyed hashes (2 values)",
            "shop/orders: not narrowed by the window: it has no time column",
        ];
        assert_eq!(notes(&whole), expected);

        let mut left_out = section("left-out");
        left_out.reason = Some("it is configuration, not data of a person".to_owned());
        let expected = "shop/orders: left out: it is configuration, not data of a person";
        assert_eq!(notes(&left_out), [expected]);
        let mut failed = section("failed");
        (failed.code, failed.reason) = (Some("silo_query".into()), Some("refused".into()));
        assert_eq!(notes(&failed), ["shop/orders: failed (silo_query): refused"]);
    }
}
