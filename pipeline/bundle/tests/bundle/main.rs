//! Segments, entries, the computed zip, tampering, and `verify`, through the public interface and foreign readers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod entries;
mod manifest;
mod ranges;
mod room;
mod segments;
mod tampering;
mod verify;
mod zip64;
mod zips;
