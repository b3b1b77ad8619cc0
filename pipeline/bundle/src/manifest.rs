//! What does a bundle say about itself?
//!
//! `manifest.json` has two parts. `content` depends on data, plan and settings alone: its canonical form (RFC 8785) hashes to
//! the same `contentSha256` whatever the interruptions, the workers or the job. `run` says how this bundle came to be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The manifest's entry name.
pub const MANIFEST_NAME: &str = "manifest.json";
/// The signature's entry name: a detached JWS (RFC 7515 appendix F) over the exact bytes of the manifest.
pub const SIGNATURE_NAME: &str = "manifest.jws";

/// The document `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of this document's shape: 1.
    pub manifest_version: u32,
    /// SHA-256 of the canonical JSON of `content`, hex.
    pub content_sha256: String,
    /// What the bundle holds.
    pub content: Content,
    /// How it came to be.
    pub run: Run,
}

impl Manifest {
    /// Joins content and run, and hashes the content.
    #[must_use]
    pub fn new(content: Content, run: Run) -> Self {
        let content_sha256 = hex(&content.sha256());
        Self { manifest_version: 1, content_sha256, content, run }
    }

    /// Returns the bytes of `manifest.json`: canonical JSON and a line feed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = canonical_json(&to_value(self));
        bytes.push(b'\n');
        bytes
    }
}

/// What a bundle holds: equal for equal data, plan and settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Whose data.
    pub tenant: String,
    /// What was asked, in the contract's word.
    pub action: String,
    /// How much it covers.
    pub scope: ScopeContent,
    /// The formats asked for.
    pub formats: Vec<String>,
    /// Settings that shape the bytes.
    pub settings: SettingsContent,
    /// Every section of the plan, in order, whatever came of it.
    pub sections: Vec<SectionContent>,
    /// Every data file.
    pub files: Vec<FileContent>,
    /// `complete`, or `partial` when a section failed and the policy was to go on.
    pub outcome: String,
}

impl Content {
    /// Returns the SHA-256 of its canonical JSON.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(canonical_json(&to_value(self))).into()
    }
}

/// How much of the tenant's data a bundle covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopeContent {
    /// `DATA_SUBJECT`, `TENANT_FULL` or `TENANT_SLICE`.
    pub kind: String,
    /// Start of the window, inclusive, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_start: Option<String>,
    /// End of the window, exclusive, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_end: Option<String>,
    /// Scope fields that narrowed sections.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Vec<String>>,
    /// Kinds of identifiers that collection started from or found, with the number of values of each. No value is named.
    pub identifiers: BTreeMap<String, u64>,
}

/// Settings that shape the bytes of a bundle's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsContent {
    /// Rows between natural cuts, on average.
    pub slice_rows: u64,
    /// Bytes of column data in a slice, at most (one row may be larger).
    pub slice_bytes: u64,
    /// What happens to the job when a section fails.
    pub on_silo_error: String,
    /// What happens to text in CSV files that a spreadsheet would run: `defuse` (an apostrophe in front) or `keep`.
    pub csv_formulas: String,
    /// What happens to values that have the shape of a secret: `redact`, `note` or `off`.
    #[serde(default = "off")]
    pub secrets: String,
    /// What happens to e-mail addresses in a person's rows that are not known to be the person's: `redact`, `note` or `off`.
    #[serde(default = "off")]
    pub foreign_identifiers: String,
}

/// What bundles did that were made before there were guards.
fn off() -> String {
    "off".to_owned()
}

/// One section of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SectionContent {
    /// Its silo.
    pub silo: String,
    /// Its datapoint.
    pub datapoint: String,
    /// `complete`, `empty`, `failed`, `unreachable` or `left-out`.
    pub outcome: String,
    /// Why, in plain words, for the last three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The fixed word of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its rows.
    pub rows: u64,
    /// The statement it was read with, parameters by name; no value is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The columns that order its rows; empty: declared unordered.
    pub ordered_by: Vec<String>,
    /// False: without a proven key it restarts from its beginning after a crash.
    pub resumable: bool,
    /// Its columns as exported.
    pub columns: Vec<Column>,
    /// What was withheld.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Redaction>,
    /// What a reader should know about its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Its files in their order, if it has files that are handed out as they are instead of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<AttachedFile>>,
}

/// One file that is handed out as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachedFile {
    /// Its name in the bundle.
    pub name: String,
    /// Its name in the silo.
    pub original_name: String,
}

/// One exported column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, in Arrow's words.
    #[serde(rename = "type")]
    pub data_type: String,
    /// What the silo calls its type.
    pub declared: String,
}

/// One column whose values were withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redaction {
    /// The column.
    pub column: String,
    /// `drop`, `hash`, `mask` or `truncate(n)` by the datapoint's settings; `unlisted`: settings list other columns; `secret:` and what
    /// kind of secret the values have the shape of; `foreign-address`: e-mail addresses of others were taken out of the values.
    pub how: String,
    /// Values that were withheld (NULLs are not counted).
    pub values: u64,
}

/// One data file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileContent {
    /// Its name in the bundle.
    pub name: String,
    /// Its silo.
    pub silo: String,
    /// Its datapoint.
    pub datapoint: String,
    /// Its format, upper case.
    pub format: String,
    /// Its media type.
    pub media_type: String,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, hex.
    pub sha256: String,
}

/// How a bundle came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The program that made it.
    pub producer: String,
    /// The request.
    pub request_id: String,
    /// The job.
    pub job_id: String,
    /// When the request was recorded, RFC 3339.
    pub requested_at: String,
    /// When the manifest was made, RFC 3339.
    pub generated_at: String,
    /// When the bundle stops being downloadable, RFC 3339.
    pub expires_at: String,
    /// The worker that packaged it.
    pub worker: String,
    /// Leases the job needed; more than one means that it was resumed.
    pub leases: u64,
    /// The job was resumed, or connected to a silo again: its sections may come from several snapshots.
    pub resumed: bool,
    /// The request was a test.
    pub is_test: bool,
    /// The report for people, which names the person and the time and is therefore no part of `content`.
    pub report: RunReport,
}

/// The report's place and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// Its name in the bundle.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, hex.
    pub sha256: String,
}

/// Serialises a JSON value canonically (RFC 8785): members sorted by UTF-16 code units, no white space, shortest escapes.
///
/// Numbers must be integers: the manifest has no others, and RFC 8785's rule for fractions is not implemented.
#[must_use]
pub fn canonical_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}

/// Writes bytes as lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ok = write!(text, "{byte:02x}");
        text
    })
}

fn to_value<T: Serialize>(document: &T) -> Value {
    serde_json::to_value(document)
        .expect("the manifest's types have string keys and no failing serializer")
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push(b'{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write_canonical(member, out);
            }
            out.push(b'}');
        }
    }
}

/// `serde_json` escapes as RFC 8785 3.2.2.2 asks: two-character escapes where there are some, else `\u00xx` in lower case.
fn write_string(text: &str, out: &mut Vec<u8>) {
    let quoted = serde_json::to_string(text).expect("a string always serialises");
    out.extend_from_slice(quoted.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_by_utf16_code_units_as_in_rfc_8785() {
        // The example of RFC 8785 3.2.3.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let text = String::from_utf8(canonical_json(&value)).unwrap();
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        let places: Vec<_> = order.iter().map(|word| text.find(word).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn strings_are_escaped_as_in_rfc_8785() {
        let value = json!({"s": "\u{20ac}$\u{f}\nA'B\"\\\"/"});
        assert_eq!(
            canonical_json(&value),
            "{\"s\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\"/\"}".as_bytes()
        );
    }
}
