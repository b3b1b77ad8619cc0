//! What can be bound to a statement's parameter? Identifiers and key values.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A scalar that travels between silos: an identifier's value, or a column of a cursor. Personal; prints nothing.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A floating-point number, by its bits, so that it survives every text form.
    Real(u64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// Appends an encoding in which different values differ: a tag, a length where needed, the bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut sized = |tag: u8, bytes: &[u8]| {
            out.push(tag);
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Self::Integer(value) => sized(1, &value.to_le_bytes()),
            Self::Real(bits) => sized(2, &bits.to_le_bytes()),
            Self::Text(text) => sized(3, text.as_bytes()),
            Self::Bytes(bytes) => sized(4, bytes),
        }
    }

    /// Says whether it is a text, or bytes, of nothing but whitespace: who has no account has an empty one in many tables, so that as
    /// an identifier it would be everybody's who has none.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Integer(_) | Self::Real(_) => false,
            Self::Text(text) => text.trim().is_empty(),
            Self::Bytes(bytes) => bytes.trim_ascii().is_empty(),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer(_) => "Integer(..)",
            Self::Real(_) => "Real(..)",
            Self::Text(_) => "Text(..)",
            Self::Bytes(_) => "Bytes(..)",
        })
    }
}
