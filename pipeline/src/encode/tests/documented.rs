//! Is every type in the documentation?

use std::collections::BTreeSet;

use super::table;
use crate::silo::ColumnType;

#[test]
fn every_type_has_its_line_in_the_documentation_and_its_columns_in_the_golden_files() {
    let mut golden = BTreeSet::new();
    for kind in table::kinds() {
        let (name, _) = described(kind);
        golden.insert(name);
    }
    for kind in [
        ColumnType::Boolean,
        ColumnType::Integer,
        ColumnType::Single,
        ColumnType::Real,
        ColumnType::Decimal { precision: 1, scale: 0 },
        ColumnType::Text,
        ColumnType::Bytes,
        ColumnType::Date,
        ColumnType::Time,
        ColumnType::Timestamp,
        ColumnType::TimestampTz,
        ColumnType::Json,
    ] {
        let (name, arrow) = described(kind);
        let line = DOCUMENT.lines().find(|line| line.starts_with(&format!("| **{name}** |")));
        let line = line.unwrap_or_else(|| panic!("docs/FORMATS.md has no line of {name}"));
        assert!(line.contains(&format!("`{arrow}`")), "{line}");
        assert!(golden.contains(name), "the golden table has no column of {name}");
    }
}

/// The words of a type and of its Arrow type. A type that is new is missing here, and then perhaps in the list above too.
const fn described(kind: ColumnType) -> (&'static str, &'static str) {
    match kind {
        ColumnType::Boolean => ("Boolean", "Boolean"),
        ColumnType::Integer => ("Integer", "Int64"),
        ColumnType::Single => ("Single", "Float32"),
        ColumnType::Real => ("Real", "Float64"),
        ColumnType::Decimal { .. } => ("Decimal", "Decimal128(p, s)"),
        ColumnType::Text => ("Text", "Utf8"),
        ColumnType::Bytes => ("Bytes", "Binary"),
        ColumnType::Date => ("Date", "Date32"),
        ColumnType::Time => ("Time", "Time64(µs)"),
        ColumnType::Timestamp => ("Timestamp", "Timestamp(µs)"),
        ColumnType::TimestampTz => ("TimestampTz", "Timestamp(µs, \"UTC\")"),
        ColumnType::Json => ("Json", "Utf8"),
    }
}

const DOCUMENT: &str = include_str!("../../../../docs/FORMATS.md");
