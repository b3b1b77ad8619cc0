//! What does the daemon say of a job? Read from its answer, worded for people.

use antumbra_jobs::JobState;
use anyhow::Context;
use serde_json::Value;

use crate::cli::words::{bytes, count, plain, plural};

/// A job as the compliance API answers it.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// With dsar:.
    pub(super) id: String,
    pub(super) state: JobState,
    pub(super) format: String,
    pub(super) rows: u64,
    pub(super) rows_expected: Option<u64>,
    pub(super) bytes: u64,
    pub(super) bundle_sha256: Option<String>,
    answer: Value,
}

impl Job {
    /// The table's headings.
    pub(super) const HEADINGS: [&'static str; 7] =
        ["ID", "STATE", "FORMAT", "SCOPE", "CREATED", "ROWS", "SIZE"];

    /// Reads an answer.
    ///
    /// # Errors
    /// When it has no id or no known state.
    pub(super) fn read(answer: Option<&Value>) -> anyhow::Result<Self> {
        let answer = answer.context("the answer has no job")?;
        let text = |at: &str| answer.pointer(at).and_then(Value::as_str);
        let number = |at: &str| answer.pointer(at).and_then(Value::as_u64);
        let state = text("/state").and_then(|state| state.parse().ok());
        Ok(Self {
            id: plain(text("/id").context("the answer's job has no id")?),
            state: state.context("the answer's job has no known state")?,
            format: plain(text("/format").unwrap_or_default()),
            rows: number("/progress/rowsCollected").unwrap_or(0),
            rows_expected: number("/progress/rowsExpected"),
            bytes: number("/progress/bytesPackaged").unwrap_or(0),
            bundle_sha256: text("/delivery/bundleSha256").map(str::to_owned),
            answer: answer.clone(),
        })
    }

    /// Returns the table's row; nothing in it names a person.
    pub(super) fn row(&self) -> Vec<String> {
        let size = self.number("/delivery/bundleSizeBytes");
        vec![
            self.id.clone(),
            self.state.to_string(),
            self.format.clone(),
            self.text_at("/scope/kind"),
            self.text_at("/createdAt"),
            if self.rows == 0 { String::new() } else { count(self.rows) },
            size.map_or_else(String::new, bytes),
        ]
    }

    /// Words everything about it.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        for (name, at) in LINES {
            let value = self.text_at(at);
            if !value.is_empty() {
                lines.push(format!("{name:<14} {value}"));
            }
        }
        let timeline = self.answer.get("timeline").and_then(Value::as_array);
        for entry in timeline.into_iter().flatten() {
            let part =
                |name: &str| plain(entry.get(name).and_then(Value::as_str).unwrap_or_default());
            lines.push(format!("{:<14} {}  {}  {}", "", part("at"), part("notes"), part("actor")));
        }
        lines.join("\n")
    }

    /// Words how it ended, in one line or two.
    pub(super) fn ending(&self) -> String {
        match self.state {
            JobState::Ready | JobState::Delivered => {
                let size = self.number("/delivery/bundleSizeBytes").map_or_else(String::new, bytes);
                format!("{} {}: {}, {size}", self.id, self.state, plural(self.rows, "row"))
            }
            _ => {
                let why = self.text_at("/failure/message");
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                format!("{} {}{why}", self.id, self.state)
            }
        }
    }

    fn number(&self, at: &str) -> Option<u64> {
        self.answer.pointer(at).and_then(Value::as_u64)
    }

    /// Any scalar, or a list of them, as text; nothing for what is not there.
    fn text_at(&self, at: &str) -> String {
        match self.answer.pointer(at) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => plain(text),
            Some(Value::Array(items)) => {
                let items = items.iter().filter_map(Value::as_str).map(plain);
                items.collect::<Vec<_>>().join(", ")
            }
            Some(other) => plain(&other.to_string()),
        }
    }
}

/// What is shown of a job, and where it is in the answer.
const LINES: [(&str, &str); 23] = [
    ("id", "/id"),
    ("state", "/state"),
    ("format", "/format"),
    ("tenant", "/orgId"),
    ("scope", "/scope/kind"),
    ("data subject", "/scope/dataSubjectId"),
    ("window start", "/scope/windowStart"),
    ("window end", "/scope/windowEnd"),
    ("campaignIds", "/scope/campaignIds"),
    ("substrates", "/scope/substrates"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
    ("requested by", "/requestedBy"),
    ("notes", "/requestNotes"),
    ("rows", "/progress/rowsCollected"),
    ("rows expected", "/progress/rowsExpected"),
    ("worker", "/progress/workerId"),
    ("size", "/delivery/bundleSizeBytes"),
    ("sha256", "/delivery/bundleSha256"),
    ("expires", "/delivery/expiresAt"),
    ("downloaded", "/delivery/downloadedAt"),
    ("downloaded by", "/delivery/downloadedBy"),
    ("failure", "/failure/message"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({
            "id": "dsar:1", "orgId": "default", "state": "READY", "format": "CSV",
            "createdAt": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-02T03:05:05Z",
            "scope": { "kind": "DATA_SUBJECT", "dataSubjectId": "s-1", "windowStart": null, "windowEnd": null,
                       "campaignIds": ["a", "b"], "substrates": [] },
            "requestedBy": "ops", "requestNotes": "a\u{1b}[2J",
            "progress": { "rowsCollected": 1234, "rowsExpected": 1300, "bytesPackaged": 99, "workerId": "w" },
            "delivery": { "bundleSizeBytes": 2000, "bundleSha256": "ff", "expiresAt": "2026-01-09T03:04:05Z" },
            "failure": null,
            "timeline": [{ "at": "t", "actor": "operator", "notes": "recorded" }],
        })
    }

    #[test]
    fn what_is_null_is_left_out_and_nothing_steers_the_terminal() {
        let text = Job::read(Some(&answer())).unwrap().text();
        for part in [
            "state          READY",
            "campaignIds    a, b",
            "rows           1234",
            "t  recorded  operator",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(
            !text.contains("failure") && !text.contains("window") && !text.contains('\u{1b}'),
            "{text}"
        );
    }

    #[test]
    fn a_row_names_no_person() {
        let job = Job::read(Some(&answer())).unwrap();
        let row = job.row();
        assert_eq!(
            row,
            ["dsar:1", "READY", "CSV", "DATA_SUBJECT", "2026-01-02T03:04:05Z", "1 234", "2.0 kB"]
        );
        assert_eq!(row.len(), Job::HEADINGS.len());
        assert_eq!(job.ending(), "dsar:1 READY: 1 234 rows, 2.0 kB");
    }

    #[test]
    fn a_failure_is_told_with_its_reason() {
        let mut failed = answer();
        failed["state"] = json!("FAILED");
        failed["failure"] = json!({ "message": "section shop/orders: silo_unavailable" });
        let job = Job::read(Some(&failed)).unwrap();
        assert_eq!(job.ending(), "dsar:1 FAILED: section shop/orders: silo_unavailable");
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        for wrong in [json!({}), json!({ "id": "1" }), json!({ "id": "1", "state": "WELL" })] {
            assert!(Job::read(Some(&wrong)).is_err(), "{wrong}");
        }
        assert!(Job::read(None).is_err());
    }
}
