//! How are checksums of a bundle's content kept?
//!
//! Sealed. A file that holds one person's row is short and of a known shape: whoever reads the checksum of such a file can try
//! every name on a list until it fits. The checksum of the whole zip needs no seal: the signature in the zip has a random
//! part, and is sealed here like the manifest that it signs.

use super::sealing::{Cell, Sealing};
use crate::{JobId, StoreError};

/// Seals the CRC-32 and the SHA-256 of a file.
pub(super) fn seal_file(
    sealing: &Sealing,
    (job, entry): (JobId, &str),
    crc32: u32,
    sha256: &[u8; 32],
) -> Result<Vec<u8>, StoreError> {
    sealing.seal(&file_cell(job, entry), &[&crc32.to_be_bytes()[..], sha256].concat())
}

/// Opens the CRC-32 and the SHA-256 of a file.
pub(super) fn open_file(
    sealing: &Sealing,
    (job, entry): (JobId, &str),
    sealed: &[u8],
) -> Result<(u32, [u8; 32]), StoreError> {
    let plain = sealing.open(&file_cell(job, entry), sealed)?;
    let (crc32, sha256) = plain.expose().split_first_chunk().ok_or_else(cut)?;
    Ok((u32::from_be_bytes(*crc32), sha256.try_into().map_err(|_| cut())?))
}

/// Seals the CRC-32 of a segment.
pub(super) fn seal_segment(
    sealing: &Sealing,
    (job, entry, ordinal): (JobId, &str, u32),
    crc32: u32,
) -> Result<Vec<u8>, StoreError> {
    sealing.seal(&segment_cell(job, entry, ordinal), &crc32.to_be_bytes())
}

/// Opens the CRC-32 of a segment.
pub(super) fn open_segment(
    sealing: &Sealing,
    (job, entry, ordinal): (JobId, &str, u32),
    sealed: &[u8],
) -> Result<u32, StoreError> {
    let plain = sealing.open(&segment_cell(job, entry, ordinal), sealed)?;
    Ok(u32::from_be_bytes(plain.expose().try_into().map_err(|_| cut())?))
}

/// Seals the SHA-256 of what a manifest says of the data.
pub(super) fn seal_content(
    sealing: &Sealing,
    job: JobId,
    sha256: &[u8; 32],
) -> Result<Vec<u8>, StoreError> {
    sealing.seal(&content_cell(job), sha256)
}

/// Opens the SHA-256 of what a manifest says of the data.
pub(super) fn open_content(
    sealing: &Sealing,
    job: JobId,
    sealed: &[u8],
) -> Result<[u8; 32], StoreError> {
    sealing.open(&content_cell(job), sealed)?.expose().try_into().map_err(|_| cut())
}

fn file_cell(job: JobId, entry: &str) -> Cell {
    Cell::new("files", &[job.as_bytes(), entry.as_bytes()].concat(), "sums")
}

fn segment_cell(job: JobId, entry: &str, ordinal: u32) -> Cell {
    let row = [&job.as_bytes()[..], &ordinal.to_be_bytes(), entry.as_bytes()].concat();
    Cell::new("segments", &row, "crc32")
}

fn content_cell(job: JobId) -> Cell {
    Cell::new("published", job.as_bytes(), "content_sha256")
}

const fn cut() -> StoreError {
    StoreError::Corrupt { what: "checksum", source: None }
}
