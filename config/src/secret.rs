//! Secrets: named in the settings, read only when they are needed, never printed.

use std::{
    fmt,
    io::Read,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, IgnoredAny, MapAccess, Unexpected, Visitor},
    ser::SerializeMap,
};
use zeroize::Zeroizing;

use crate::Retry;

/// Says where a secret is. Holds no secret itself, so it may be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// A file: `{ file = "…" }`. Relative paths were resolved when the settings were loaded.
    File(PathBuf),
    /// An environment variable: `{ env = "…" }`.
    Env(String),
    /// A systemd credential, a file in `$CREDENTIALS_DIRECTORY`: `{ credential = "…" }`.
    ///
    /// Spec: <https://systemd.io/CREDENTIALS/>.
    Credential(String),
}

impl SecretRef {
    /// Reads the secret. One trailing line break is cut off. At most 64 KiB.
    ///
    /// `environment` is [`Sources::environment`](crate::Sources::environment). Reads a file, so it blocks.
    ///
    /// # Errors
    /// [`SecretError`], which names the reference and never what was read.
    pub fn resolve(&self, environment: &[(String, String)]) -> Result<SecretText, SecretError> {
        match self {
            Self::File(path) => self.read(path),
            Self::Env(name) => {
                let value = find(environment, name).ok_or_else(|| self.missing())?;
                self.accept(Zeroizing::new(value.to_owned()))
            }
            Self::Credential(name) => {
                let folder = find(environment, CREDENTIALS).ok_or_else(|| self.missing())?;
                self.read(&Path::new(folder).join(name))
            }
        }
    }

    /// Says whether it can name anything: no empty path, no name that the system would refuse or that leaves its folder.
    pub(crate) fn is_usable(&self) -> bool {
        match self {
            Self::File(path) => !path.as_os_str().is_empty(),
            Self::Env(name) => !name.is_empty() && !name.contains(['=', '\0']),
            Self::Credential(name) => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
                name.bytes().all(plain) && !matches!(name.as_str(), "" | "." | "..")
            }
        }
    }

    /// Makes a relative path relative to `root`.
    pub(crate) fn resolve_path(&mut self, root: &Path) {
        if let Self::File(path) = self {
            *path = root.join(&*path);
        }
    }

    /// Names the variable, if the secret is in one.
    pub(crate) fn variable(&self) -> Option<&str> {
        match self {
            Self::Env(name) => Some(name),
            Self::File(_) | Self::Credential(_) => None,
        }
    }

    fn read(&self, path: &Path) -> Result<SecretText, SecretError> {
        let unreadable = |source| SecretError::Unreadable { reference: self.clone(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        // Room for all of it at once: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 64));
        let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > LONGEST {
            return Err(SecretError::TooLong { reference: self.clone() });
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => self.accept(Zeroizing::new(text.to_owned())),
            Err(_) => Err(SecretError::NotText { reference: self.clone() }),
        }
    }

    fn accept(&self, mut text: Zeroizing<String>) -> Result<SecretText, SecretError> {
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        if text.is_empty() {
            return Err(SecretError::Empty { reference: self.clone() });
        }
        Ok(SecretText(text))
    }

    fn missing(&self) -> SecretError {
        SecretError::Missing { reference: self.clone() }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{{ file = {:?} }}", path.to_string_lossy()),
            Self::Env(name) => write!(f, "{{ env = {name:?} }}"),
            Self::Credential(name) => write!(f, "{{ credential = {name:?} }}"),
        }
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::File(path) => map.serialize_entry("file", &path.to_string_lossy())?,
            Self::Env(name) => map.serialize_entry("env", name)?,
            Self::Credential(name) => map.serialize_entry("credential", name)?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RefVisitor)
    }
}

/// Holds a secret. Wiped when dropped; `Debug` prints nothing of it; it cannot be serialized.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Hands out the secret. The caller must not log, print or store it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

/// Says why a secret could not be read. Names the reference, never the secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set, or the process was given no credentials.
    #[error("the secret {reference} is not there")]
    Missing {
        /// The reference in the settings.
        reference: SecretRef,
    },
    /// The file cannot be read.
    #[error("the secret {reference} cannot be read")]
    Unreadable {
        /// The reference in the settings.
        reference: SecretRef,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing in it but perhaps a line break.
    #[error("the secret {reference} is empty")]
    Empty {
        /// The reference in the settings.
        reference: SecretRef,
    },
    /// It is not UTF-8.
    #[error("the secret {reference} is not text")]
    NotText {
        /// The reference in the settings.
        reference: SecretRef,
    },
    /// It is longer than 64 KiB.
    #[error("the secret {reference} is longer than 64 KiB")]
    TooLong {
        /// The reference in the settings.
        reference: SecretRef,
    },
}

impl SecretError {
    /// Returns the fixed code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "secret_missing",
            Self::Unreadable { .. } => "secret_unreadable",
            Self::Empty { .. } => "secret_empty",
            Self::NotText { .. } => "secret_not_text",
            Self::TooLong { .. } => "secret_too_long",
        }
    }

    /// Says who can help: the operator who placed the secret.
    pub fn retry(&self) -> Retry {
        Retry::Operator
    }
}

/// Accepts a table of exactly one known key. Says nothing about the values it saw.
struct RefVisitor;

impl<'de> Visitor<'de> for RefVisitor {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let mut reference = None;
        while let Some(key) = map.next_key::<String>()? {
            let known = match key.as_str() {
                "file" => Some(SecretRef::File(PathBuf::from(map.next_value::<String>()?))),
                "env" => Some(SecretRef::Env(map.next_value()?)),
                "credential" => Some(SecretRef::Credential(map.next_value()?)),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            match known.filter(SecretRef::is_usable) {
                Some(known) if reference.is_none() => reference = Some(known),
                _ => return Err(A::Error::invalid_value(Unexpected::Map, &self)),
            }
        }
        reference.ok_or_else(|| A::Error::invalid_value(Unexpected::Map, &self))
    }
}

fn find<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

const LONGEST: usize = 64 << 10;
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
pub(crate) const EXPECTED: &str =
    "exactly one of { file = \"…\" }, { env = \"…\" } or { credential = \"…\" }";

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn each_kind_of_reference_is_read_and_one_line_break_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.key"), "s3cret\r\n").unwrap();
        let environment =
            [pair("KEY", "s3cret\n\n"), pair(CREDENTIALS, &folder.path().to_string_lossy())];
        let file = SecretRef::File(folder.path().join("root.key"));
        let credential = SecretRef::Credential("root.key".to_owned());
        assert_eq!(file.resolve(&environment).unwrap().expose(), "s3cret");
        assert_eq!(credential.resolve(&environment).unwrap().expose(), "s3cret");
        let env = SecretRef::Env("KEY".to_owned()).resolve(&environment).unwrap();
        assert_eq!(env.expose(), "s3cret\n");
        assert_eq!(format!("{env:?}"), "SecretText(redacted)");
    }

    #[test]
    fn failures_name_the_reference_and_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            SecretRef::File(folder.path().join(name))
        };
        let cases = [
            (SecretRef::Env("NO_SUCH".to_owned()), "secret_missing"),
            (SecretRef::Credential("root".to_owned()), "secret_missing"),
            (SecretRef::File(folder.path().join("none")), "secret_unreadable"),
            (file("empty", b"\n"), "secret_empty"),
            (file("binary", b"\xff\xfe"), "secret_not_text"),
            (file("long", &[b'x'; LONGEST + 1]), "secret_too_long"),
        ];
        for (reference, code) in cases {
            let error = reference.resolve(&[]).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.to_string().contains(&reference.to_string()), "{error}");
        }
    }

    #[test]
    fn credential_names_cannot_leave_their_folder() {
        for name in ["", ".", "..", "a/b", "../x", "a\\b"] {
            assert!(!SecretRef::Credential(name.to_owned()).is_usable(), "{name:?}");
        }
    }
}
