//! The reference as part of the binary.

/// Holds `REFERENCE.md`: every setting with its type, its default and what it means. Markdown.
pub const REFERENCE: &str = include_str!("../../REFERENCE.md");
