//! What must survive a crash between two slices of a section?

use antumbra_bundle::Method;
use antumbra_jobs::PART_SLICES;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sha2::digest::common::hazmat::SerializableState;

use crate::PipelineError;
use crate::silo::{Cursor, Shape};

/// Stored, sealed, with every slice; only the newest of a part is needed to go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SectionState {
    /// The shape the section began with.
    pub(super) shape: Shape,
    /// Rows of its part so far.
    pub(super) rows: u64,
    /// Values withheld so far, in the order of the redactions.
    pub(super) withheld: Vec<u64>,
    /// One for each format, in the order of the request. Of a part that is not the first: without what stands before it.
    pub(super) files: Vec<FileState>,
    /// The last key of each part of the section but the last one; none if it is read as one stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) bounds: Vec<Cursor>,
}

/// How far a file is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct FileState {
    /// The running SHA-256 of its plain bytes; none in a part that is not the first.
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
    /// How far the file of a part is that nothing is written of.
    pub(super) fn of_part(part: u32) -> Self {
        Self { next_segment: part.saturating_mul(PART_SLICES), ..Self::default() }
    }

    /// Counts in a part that stands behind what is counted; its bytes are not in the running hash.
    pub(super) fn follow(&mut self, part: &Self) {
        self.combine(part.crc32, part.plain_len, part.stored_len);
        self.next_segment = part.next_segment;
        self.defused += part.defused;
    }

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
        self.combine(segment.crc32, segment.plain_len, segment.stored_len);
        self.next_segment += 1;
    }

    fn combine(&mut self, crc32: u32, plain_len: u64, stored_len: u64) {
        let mut crc = crc32fast::Hasher::new_with_initial_len(self.crc32, self.plain_len);
        crc.combine(&crc32fast::Hasher::new_with_initial_len(crc32, plain_len));
        self.crc32 = crc.finalize();
        self.plain_len += plain_len;
        self.stored_len += stored_len;
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

    #[test]
    fn a_part_that_follows_is_counted_in_as_its_bytes_would_be() {
        let counted = |mut state: FileState, bytes: &[u8]| {
            state.combine(crc32fast::hash(bytes), bytes.len() as u64, 3);
            state.next_segment += 1;
            state.defused += 2;
            state
        };
        let mut joined = counted(FileState::of_part(0), b"first");
        let second = counted(counted(FileState::of_part(1), b"sec"), b"ond");
        joined.follow(&second);
        assert_eq!(joined.crc32, crc32fast::hash(b"firstsecond"));
        assert_eq!((joined.plain_len, joined.stored_len), (11, 9));
        assert_eq!((joined.next_segment, joined.defused), (PART_SLICES + 2, 6));
    }
}
