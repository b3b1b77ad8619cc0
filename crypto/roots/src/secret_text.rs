//! Secrets as base64 inside JSON.

use std::fmt;

use antumbra_crypto::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::Error;

/// Base64 text that is overwritten when dropped.
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    pub(crate) fn of(secret: &SecretBytes) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(secret.len().div_ceil(3) * 4));
        STANDARD.encode_string(secret.expose(), &mut text);
        Self(text)
    }

    /// Returns what the text says, if it is base64.
    pub(crate) fn read(&self) -> Option<SecretBytes> {
        STANDARD.decode(self.0.as_bytes()).ok().map(SecretBytes::new)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Zeroizing<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// Text that is secret as it is: a token, a secret id.
pub(crate) struct PlainText(Zeroizing<String>);

impl PlainText {
    /// Takes a secret that must be UTF-8; the error names `field`.
    pub(crate) fn of(secret: &SecretBytes, field: &'static str) -> Result<Self, Error> {
        let text = secret.expose_str();
        let text = text.map_err(|_| Error::Setting { field, what: "is not plain text" })?;
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn into_secret(self) -> SecretBytes {
        SecretBytes::from_slice(self.0.as_bytes())
    }
}

impl Serialize for PlainText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PlainText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}
