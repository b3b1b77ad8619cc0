//! The JSON of a ring at rest.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A ring file: nothing in it is secret without the root key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RingFile {
    pub(super) version: u32,
    pub(super) root: String,
    pub(super) keys: Vec<KeyEntry>,
    pub(super) services: ServiceEntries,
}

/// One KEK.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyEntry {
    pub(super) id: String,
    pub(super) state: KeyState,
    pub(super) created: String,
    /// Absent exactly when retired: the key is destroyed, its name stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wrapped: Option<String>,
}

/// The service keys, each an envelope in base64.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceEntries {
    pub(super) field: String,
    pub(super) index: String,
    pub(super) pseudonym: String,
    pub(super) token: String,
    pub(super) tenant: String,
    pub(super) signing: String,
}

/// What a key-encryption key may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyState {
    /// Wraps and unwraps; exactly one key of a ring.
    Active,
    /// Unwraps only.
    Readable,
    /// Destroyed; what it wrapped is unreadable.
    Retired,
}

impl RingFile {
    /// Reads and checks everything that can be checked without a key.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let file: Self = serde_json::from_slice(bytes).map_err(|error| explain(&error))?;
        if file.version != VERSION {
            return Err(malformed("`version`: not 1"));
        }
        let mut ids = BTreeSet::new();
        for (at, key) in file.keys.iter().enumerate() {
            if !is_key_id(&key.id) {
                return Err(malformed(&format!("`keys[{at}].id`: not 1 to 64 of a-z 0-9 _ -")));
            }
            if !ids.insert(key.id.as_str()) {
                return Err(malformed(&format!("`keys[{at}].id`: occurs twice")));
            }
            if key.wrapped.is_none() != (key.state == KeyState::Retired) {
                return Err(malformed(&format!(
                    "`keys[{at}].wrapped`: must be there unless the key is retired"
                )));
            }
        }
        let active = file.keys.iter().filter(|key| key.state == KeyState::Active).count();
        match active {
            1 => Ok(file),
            0 => Err(malformed("`keys`: none is active")),
            _ => Err(malformed("`keys`: more than one is active")),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self)
            .expect("strings, numbers and unit variants always serialize");
        json.push(b'\n');
        json
    }
}

/// Says whether a key id has the shape that files and envelopes may name.
pub(super) fn is_key_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Writes wrapped bytes for the file.
pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads wrapped bytes from the file; `field` names them if they cannot be read.
pub(super) fn decode(text: &str, field: impl FnOnce() -> String) -> Result<Vec<u8>, Error> {
    STANDARD.decode(text).map_err(|_| malformed(&format!("`{}`: not base64", field())))
}

/// Keeps of serde's message what names a field, and drops what could quote a value: somebody
/// may have named the wrong file, with a secret in it.
fn explain(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let about_a_field = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .any(|start| text.starts_with(start));
    let (line, column) = (error.line(), error.column());
    match text.split('`').nth(1) {
        Some(field) if about_a_field && is_field_name(field) => {
            let fault = text.split(' ').next().unwrap_or("bad");
            malformed(&format!("`{field}`: {fault} field, at line {line} column {column}"))
        }
        _ => malformed(&format!("line {line} column {column}")),
    }
}

fn is_field_name(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn malformed(what: &str) -> Error {
    Error::malformed(format!("ring file: {what}"))
}

pub(super) const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"version":1,"root":"local:0","keys":[
        {"id":"k1","state":"active","created":"2026-01-01T00:00:00Z","wrapped":"AA=="},
        {"id":"k0","state":"retired","created":"2025-01-01T00:00:00Z"}],
        "services":{"field":"","index":"","pseudonym":"","token":"","tenant":"","signing":""}}"#;

    #[test]
    fn good_file_is_read_and_written_alike() {
        let file = RingFile::parse(GOOD.as_bytes()).unwrap();
        let again = RingFile::parse(&file.to_json()).unwrap();
        assert_eq!(file.to_json(), again.to_json());
        assert_eq!(again.keys[1].state, KeyState::Retired);
    }

    #[test]
    fn each_fault_names_its_field() {
        let cases = [
            (r#""version":1"#, r#""version":2"#, "`version`"),
            (r#""version":1"#, r#""version":1,"extra":0"#, "`extra`: unknown"),
            (r#""version":1"#, r#""version":1,"version":1"#, "`version`: duplicate"),
            (r#""root":"local:0","#, "", "`root`: missing"),
            (r#""tenant":"","#, "", "`tenant`: missing"),
            (r#""id":"k0""#, r#""id":"k1""#, "`keys[1].id`: occurs twice"),
            (r#""id":"k1""#, r#""id":"K 1""#, "`keys[0].id`"),
            (r#""state":"retired""#, r#""state":"active""#, "`keys[1].wrapped`"),
            (r#""state":"active""#, r#""state":"readable""#, "`keys`: none is active"),
            (r#""state":"retired","#, r#""state":"active","wrapped":"AA==","#, "more than one"),
            (r#""state":"active""#, r#""state":"hunter2""#, "line 2 column"),
        ];
        for (from, to, want) in cases {
            assert!(GOOD.contains(from), "{from}");
            let error = RingFile::parse(GOOD.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(want), "{to}: {error}");
        }
    }

    #[test]
    fn error_quotes_no_value() {
        for text in [r#""s3cret""#, r#"{"version":"s3cret"}"#, r#"{"s3cret key":1}"#, "s3cret"] {
            let error = RingFile::parse(text.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
