//! What must survive a crash between two slices of a section?

use antumbra_bundle::Method;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sha2::digest::common::hazmat::SerializableState;

use crate::PipelineError;
use crate::silo::Shape;

/// Stored, sealed, with every slice; only the newest is needed to go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SectionState {
    /// The shape the section began with.
    pub(super) shape: Shape,
    /// Rows so far.
    pub(super) rows: u64,
    /// Values withheld so far, in the order of the redactions.
    pub(super) withheld: Vec<u64>,
    /// One for each format, in the order of the request.
    pub(super) files: Vec<FileState>,
}

/// How far a file is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct FileState {
    /// The running SHA-256 of its plain bytes.
    sha256: Vec<u8>,
    /// Its plain length.
    pub(super) plain_len: u64,
    /// Its length in the zip, without the end of deflate.
    pub(super) stored_len: u64,
    /// CRC-32 of its plain bytes.
    pub(super) crc32: u32,
    /// The ordinal of its next segment.
    pub(super) next_segment: u32,
    /// Cells so far that were defused for spreadsheets.
    #[serde(default)]
    pub(super) defused: u64,
}

impl SectionState {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, PipelineError> {
        serde_json::to_vec(self).map_err(|_| PipelineError::Document { what: "section state" })
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, PipelineError> {
        serde_json::from_slice(bytes).map_err(|_| PipelineError::Document { what: "section state" })
    }
}

impl FileState {
    /// Takes up the running hash.
    pub(super) fn hasher(&self) -> Result<Sha256, PipelineError> {
        if self.sha256.is_empty() {
            return Ok(Sha256::default());
        }
        let unreadable = || PipelineError::Document { what: "running hash" };
        let state = self.sha256.as_slice().try_into().map_err(|_| unreadable())?;
        Sha256::deserialize(state).map_err(|_| unreadable())
    }

    /// Puts the running hash down.
    pub(super) fn keep(&mut self, hasher: &Sha256) {
        self.sha256 = hasher.serialize().to_vec();
    }

    /// Counts a segment in.
    pub(super) fn add(&mut self, segment: &antumbra_bundle::Segment) {
        let mut crc = crc32fast::Hasher::new_with_initial_len(self.crc32, self.plain_len);
        crc.combine(&crc32fast::Hasher::new_with_initial_len(segment.crc32, segment.plain_len));
        self.crc32 = crc.finalize();
        self.plain_len += segment.plain_len;
        self.stored_len += segment.stored_len;
        self.next_segment += 1;
    }

    /// Returns its length in the zip once it ended.
    pub(super) fn zip_len(&self, method: Method) -> u64 {
        match method {
            Method::Stored => self.stored_len,
            Method::Deflated => self.stored_len + 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::*;

    #[test]
    fn a_running_hash_survives_being_stored() {
        for cut in [0, 1, 63, 64, 65, 100] {
            let bytes = [7_u8; 100];
            let mut first = Sha256::new();
            first.update(&bytes[..cut]);
            let mut state = FileState::default();
            state.keep(&first);
            let stored = serde_json::to_vec(&state).unwrap();
            let back: FileState = serde_json::from_slice(&stored).unwrap();
            let mut second = back.hasher().unwrap();
            second.update(&bytes[cut..]);
            assert_eq!(second.finalize(), Sha256::digest(bytes), "cut at {cut}");
        }
    }
}
