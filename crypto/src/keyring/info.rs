//! What may be told about the keys of a ring.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key-encryption key may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Wraps and unwraps; exactly one key of a ring.
    Active,
    /// Unwraps only.
    Readable,
    /// Destroyed; what it wrapped is unreadable.
    Retired,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Readable => "readable",
            Self::Retired => "retired",
        })
    }
}

/// Describes one key-encryption key. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// The name that envelopes carry.
    pub id: String,
    /// What the key may still do.
    pub state: KeyState,
    /// When it was made, RFC 3339 as its maker wrote it.
    pub created: String,
    /// [`Root::id`](crate::Root::id) of the root that wrapped it; none when retired.
    pub root: Option<String>,
    /// How many service keys of the ring are wrapped under it.
    pub services: u32,
}

/// Holds an envelope and the name of the key-encryption key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// What [`envelope_key_id`](crate::envelope_key_id) reads from the bytes.
    pub key_id: String,
    /// The envelope (`FORMAT.md` § Envelope).
    pub bytes: Vec<u8>,
}
