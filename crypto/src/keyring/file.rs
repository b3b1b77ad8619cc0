//! The JSON of a ring at rest.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::info::KeyState;
use super::services::Envelopes;
use crate::Error;

/// A ring file: nothing in it is secret without the root key.
#[derive(Clone)]
pub(super) struct RingFile {
    pub(super) keys: Vec<KeyEntry>,
    pub(super) services: Envelopes,
}

/// One KEK.
#[derive(Clone)]
pub(super) struct KeyEntry {
    pub(super) id: String,
    pub(super) state: KeyState,
    pub(super) created: String,
    /// Absent exactly when retired: the key is destroyed, its name stays.
    pub(super) wrapped: Option<WrappedKek>,
}

/// What a root made of a KEK.
#[derive(Clone)]
pub(super) struct WrappedKek {
    pub(super) root: String,
    pub(super) bytes: Vec<u8>,
}

impl RingFile {
    /// Reads and checks everything that can be checked without a key. Versions 1 and 2 are read.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let Version { version } = serde_json::from_slice(bytes).map_err(|error| explain(&error))?;
        if !(1..=VERSION).contains(&version) {
            return Err(malformed("`version`: neither 1 nor 2"));
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| explain(&error))?;
        let common_root = match (version, wire.root) {
            (1, Some(root)) => Some(root),
            (1, None) => return Err(malformed("`root`: missing field")),
            (_, Some(_)) => return Err(malformed("`root`: unknown field in version 2")),
            (_, None) => None,
        };
        if wire.keys.len() > MAX_KEYS {
            return Err(malformed(&format!("`keys`: more than {MAX_KEYS}")));
        }
        let keys = wire.keys.into_iter().enumerate();
        let keys = keys.map(|(at, key)| key.read(at, common_root.as_deref()));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        check(&keys)?;
        Ok(Self { keys, services: wire.services.read()? })
    }

    /// Writes version 2.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            version: VERSION,
            root: None,
            keys: self.keys.iter().map(WireKey::of).collect(),
            services: WireServices::of(&self.services),
        };
        let mut json = serde_json::to_vec_pretty(&wire)
            .expect("strings, numbers and unit variants always serialize");
        json.push(b'\n');
        json
    }

    pub(super) fn entry(&self, id: &str) -> Option<&KeyEntry> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// Says whether a key id has the shape that files and envelopes may name.
pub(super) fn is_key_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Says whether a text may stand as a time of creation.
pub(super) fn is_created(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Says whether a text may name a root; such names reach messages and terminals.
pub(super) fn is_root_id(text: &str) -> bool {
    (1..=MAX_ROOT_ID).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// What the two keys of a ring may not have in common, and what the ring must have.
fn check(keys: &[KeyEntry]) -> Result<(), Error> {
    let mut ids = BTreeSet::new();
    for (at, key) in keys.iter().enumerate() {
        if !ids.insert(key.id.as_str()) {
            return Err(malformed(&format!("`keys[{at}].id`: occurs twice")));
        }
    }
    match keys.iter().filter(|key| key.state == KeyState::Active).count() {
        1 => Ok(()),
        0 => Err(malformed("`keys`: none is active")),
        _ => Err(malformed("`keys`: more than one is active")),
    }
}

/// Read before the rest, so that a file of a later version is called that.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    /// Version 1: the root of all keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    keys: Vec<WireKey>,
    services: WireServices,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKey {
    id: String,
    state: KeyState,
    created: String,
    /// Version 2: the root of this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrapped: Option<String>,
}

impl WireKey {
    fn of(key: &KeyEntry) -> Self {
        Self {
            id: key.id.clone(),
            state: key.state,
            created: key.created.clone(),
            root: key.wrapped.as_ref().map(|wrapped| wrapped.root.clone()),
            wrapped: key.wrapped.as_ref().map(|wrapped| STANDARD.encode(&wrapped.bytes)),
        }
    }

    /// `common_root` is there in version 1.
    fn read(self, at: usize, common_root: Option<&str>) -> Result<KeyEntry, Error> {
        let fault = |field: &str, fault: &str| malformed(&format!("`keys[{at}].{field}`: {fault}"));
        if !is_key_id(&self.id) {
            return Err(fault("id", "not 1 to 64 of a-z 0-9 _ -"));
        }
        if !is_created(&self.created) {
            return Err(fault("created", "not a short text without spaces"));
        }
        let retired = self.state == KeyState::Retired;
        if self.wrapped.is_none() != retired {
            return Err(fault("wrapped", "must be there unless the key is retired"));
        }
        let root = match (common_root, self.root) {
            (Some(_), Some(_)) => return Err(fault("root", "unknown field in version 1")),
            (Some(root), None) => Some(root.to_owned()),
            (None, root) if root.is_none() == retired => root,
            (None, _) => return Err(fault("root", "must be there unless the key is retired")),
        };
        if root.as_deref().is_some_and(|root| !is_root_id(root)) {
            return Err(fault("root", "not the name of a root"));
        }
        let bytes = self.wrapped.map(|text| decode(&text, || format!("keys[{at}].wrapped")));
        let wrapped = root.zip(bytes.transpose()?).map(|(root, bytes)| WrappedKek { root, bytes });
        Ok(KeyEntry { id: self.id, state: self.state, created: self.created, wrapped })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireServices {
    field: String,
    index: String,
    pseudonym: String,
    token: String,
    tenant: String,
    signing: String,
}

impl WireServices {
    fn of(services: &Envelopes) -> Self {
        Self {
            field: STANDARD.encode(&services.field),
            index: STANDARD.encode(&services.index),
            pseudonym: STANDARD.encode(&services.pseudonym),
            token: STANDARD.encode(&services.token),
            tenant: STANDARD.encode(&services.tenant),
            signing: STANDARD.encode(&services.signing),
        }
    }

    fn read(&self) -> Result<Envelopes, Error> {
        let read = |name: &str, text: &str| decode(text, || format!("services.{name}"));
        Ok(Envelopes {
            field: read("field", &self.field)?,
            index: read("index", &self.index)?,
            pseudonym: read("pseudonym", &self.pseudonym)?,
            token: read("token", &self.token)?,
            tenant: read("tenant", &self.tenant)?,
            signing: read("signing", &self.signing)?,
        })
    }
}

/// Reads wrapped bytes; `field` names them if they cannot be read.
fn decode(text: &str, field: impl FnOnce() -> String) -> Result<Vec<u8>, Error> {
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

/// How many keys a ring may have, retired ones included.
pub(super) const MAX_KEYS: usize = 1000;
const VERSION: u32 = 2;
const MAX_ROOT_ID: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = r#"{"version":1,"root":"local:0","keys":[
        {"id":"k1","state":"active","created":"2026-01-01T00:00:00Z","wrapped":"AA=="},
        {"id":"k0","state":"retired","created":"2025-01-01T00:00:00Z"}],
        "services":{"field":"","index":"","pseudonym":"","token":"","tenant":"","signing":""}}"#;

    const V2: &str = r#"{"version":2,"keys":[
        {"id":"k1","state":"active","created":"2026-01-01T00:00:00Z","root":"r","wrapped":"AA=="},
        {"id":"k0","state":"retired","created":"2025-01-01T00:00:00Z"}],
        "services":{"field":"","index":"","pseudonym":"","token":"","tenant":"","signing":""}}"#;

    #[test]
    fn good_file_is_read_and_written_alike() {
        for (text, root) in [(V1, "local:0"), (V2, "r")] {
            let file = RingFile::parse(text.as_bytes()).unwrap();
            let again = RingFile::parse(&file.to_json()).unwrap();
            assert_eq!(file.to_json(), again.to_json());
            assert_eq!(again.keys[0].wrapped.as_ref().unwrap().root, root);
            assert_eq!(again.keys[1].state, KeyState::Retired);
            assert!(again.keys[1].wrapped.is_none());
        }
    }

    #[test]
    fn version_1_is_written_as_version_2() {
        let one = RingFile::parse(V1.replace("local:0", "r").as_bytes()).unwrap();
        let two = RingFile::parse(V2.as_bytes()).unwrap();
        assert_eq!(one.to_json(), two.to_json());
    }

    #[test]
    fn each_fault_names_its_field() {
        let cases = [
            (V1, r#""version":1"#, r#""version":3"#, "`version`"),
            (V1, r#""version":1"#, r#""version":0,"later":[]"#, "`version`"),
            (V1, r#""version":1"#, r#""version":1,"extra":0"#, "`extra`: unknown"),
            (V1, r#""version":1"#, r#""version":1,"version":1"#, "`version`: duplicate"),
            (V1, r#""root":"local:0","#, "", "`root`: missing"),
            (V1, r#""tenant":"","#, "", "`tenant`: missing"),
            (V1, r#""id":"k0""#, r#""id":"k1""#, "`keys[1].id`: occurs twice"),
            (V1, r#""id":"k1""#, r#""id":"K 1""#, "`keys[0].id`"),
            (V1, r#""created":"2025-01-01T00:00:00Z""#, r#""created":"a b""#, "`keys[1].created`"),
            (V1, r#""state":"retired""#, r#""state":"active""#, "`keys[1].wrapped`"),
            (V1, r#""state":"active""#, r#""state":"readable""#, "`keys`: none is active"),
            (V1, r#""state":"retired","#, r#""state":"active","wrapped":"AA==","#, "more than one"),
            (V1, r#""state":"active""#, r#""state":"hunter2""#, "line 2 column"),
            (V1, r#""wrapped":"AA==""#, r#""wrapped":"AA==","root":"r""#, "`keys[0].root`"),
            (V1, r#""wrapped":"AA==""#, r#""wrapped":"A""#, "`keys[0].wrapped`: not base64"),
            (V1, r#""field":"""#, r#""field":"*""#, "`services.field`: not base64"),
            (V1, r#""local:0""#, r#""a\u001bb""#, "`keys[0].root`"),
            (V2, r#""version":2"#, r#""version":2,"root":"r""#, "`root`: unknown"),
            (V2, r#""root":"r","#, "", "`keys[0].root`"),
            (V2, r#""root":"r","#, r#""root":"","#, "`keys[0].root`"),
            (V2, r#""id":"k0","#, r#""id":"k0","root":"r","#, "`keys[1].root`"),
        ];
        for (good, from, to, want) in cases {
            assert!(good.contains(from), "{from}");
            let error = refusal(&good.replacen(from, to, 1));
            assert!(error.contains(want), "{to}: {error}");
        }
    }

    #[test]
    fn too_many_keys_are_refused() {
        let retired = r#"{"id":"k0","state":"retired","created":"2025-01-01T00:00:00Z"}"#;
        let with = |more: usize| {
            let more: Vec<_> = (0..more).map(|n| retired.replace("k0", &format!("r{n}"))).collect();
            V2.replace(retired, &more.join(","))
        };
        assert!(RingFile::parse(with(MAX_KEYS - 1).as_bytes()).is_ok());
        assert!(refusal(&with(MAX_KEYS)).contains("`keys`: more than 1000"));
    }

    #[test]
    fn error_quotes_no_value() {
        for text in [
            r#""s3cret""#,
            r#"{"version":"s3cret"}"#,
            r#"{"s3cret key":1}"#,
            r#"{"version":2,"s3cret key":1}"#,
            "s3cret",
        ] {
            assert!(!refusal(text).contains("s3cret"), "{text}");
        }
    }

    fn refusal(text: &str) -> String {
        RingFile::parse(text.as_bytes()).err().expect("refused").to_string()
    }
}
