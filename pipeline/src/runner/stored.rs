//! How are a slice's cursor, and what its encoders keep, written into the store?

use crate::PipelineError;
use crate::silo::Cursor;

/// Writes where reading goes on.
pub(super) fn write_cursor(cursor: &Cursor) -> Result<Vec<u8>, PipelineError> {
    serde_json::to_vec(cursor).map_err(|_| PipelineError::Document { what: "cursor" })
}

/// Reads where reading goes on.
pub(super) fn read_cursor(bytes: &[u8]) -> Result<Cursor, PipelineError> {
    serde_json::from_slice(bytes).map_err(|_| PipelineError::Document { what: "cursor" })
}

/// Joins byte strings, each behind its length (u64, little-endian).
pub(super) fn join_list(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Takes joined byte strings apart.
pub(super) fn split_list(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, PipelineError> {
    let unreadable = || PipelineError::Document { what: "slice" };
    let mut parts = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<8>() {
        let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| unreadable())?;
        let (part, rest) = rest.split_at_checked(len).ok_or_else(unreadable)?;
        parts.push(part.to_vec());
        bytes = rest;
    }
    if bytes.is_empty() { Ok(parts) } else { Err(unreadable()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lists_survive_being_stored(parts: Vec<Vec<u8>>) {
            prop_assert_eq!(split_list(&join_list(&parts)).unwrap(), parts);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            drop(split_list(&bytes));
            drop(read_cursor(&bytes));
        }
    }
}
