//! What must hold for any items whatever that become rows.

use std::sync::Arc;

use super::{Inferred, ItemRows, whole};
use crate::encode::Encoder;
use antumbra_config::{CsvFormulas, Format};

/// Takes each line of a text for an item: columns are learned from the first half, every item becomes a row, and rows become NDJSON.
/// Says whether every line is one.
///
/// # Panics
/// When there are other rows than items, when an item that is JSON is refused, or when what is written is not a JSON object a row.
pub fn item_rows(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let items: Vec<&str> = text.lines().collect();
    if items.iter().any(|item| whole(item).is_err()) {
        let mut inferred = Inferred::new(&[]);
        assert!(items.iter().any(|item| inferred.look(item).is_err()), "no JSON was looked at");
        return false;
    }
    let items: Vec<&str> = items.into_iter().filter_map(|item| whole(item).ok()).collect();
    let mut inferred = Inferred::new(&[]);
    for item in items.iter().take(items.len().div_ceil(2)) {
        assert!(inferred.look(item).is_ok(), "an item is not looked at: {item}");
    }
    let mut rows = ItemRows::new(&inferred.columns());
    for item in &items {
        assert!(rows.push(item).is_ok(), "an item makes no row: {item}");
    }
    assert_eq!(rows.rows(), items.len(), "rows are items");
    let Ok(batch) = rows.finish() else { unreachable!("the columns are their own") };
    let mut out = Vec::new();
    let encoder =
        Encoder::new(Format::Ndjson, &Arc::clone(batch.schema_ref()), CsvFormulas::Defuse, 0);
    let encoded = encoder.and_then(|mut encoder| encoder.rows(&batch, 0, &mut out));
    assert!(encoded.is_ok(), "rows that JSON cannot hold: {encoded:?}");
    let written = String::from_utf8_lossy(&out);
    assert_eq!(written.lines().count(), items.len(), "lines are rows");
    for line in written.lines() {
        let object = serde_json::from_str::<serde::de::IgnoredAny>(line);
        assert!(object.is_ok() && line.starts_with('{'), "a line that is no object: {line}");
    }
    true
}
