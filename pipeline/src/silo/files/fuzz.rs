//! What must hold for any bytes whatever that are read as a file of rows.

use std::io::BufReader;

use super::csv::CsvFile;
use super::json;
use crate::SiloError;
use crate::silo::items::{Elements, Members, whole};

/// Takes bytes for a CSV file; says whether they are one.
///
/// # Panics
/// When it depends on how the bytes come in pieces, when a record has other cells than the header, or when the cells, written with
/// every one in quotes, are not read back.
pub fn csv(data: &[u8]) -> bool {
    let read = table(data, 64 << 10);
    assert!(read == table(data, 1), "what is read depends on how bytes come");
    let Ok(rows) = read else { return false };
    let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
    let lines = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(","));
    let again = lines.collect::<Vec<_>>().join("\n");
    assert!(
        table(again.as_bytes(), 7) == Ok(rows),
        "what was read and written is read differently"
    );
    true
}

/// The header and every record.
fn table(bytes: &[u8], size: usize) -> Result<Vec<Vec<String>>, String> {
    let rows = |bytes| {
        let mut file = CsvFile::open(BufReader::with_capacity(size, bytes), b',')?;
        let mut rows = vec![file.header().to_vec()];
        let cells = file.header().len();
        while let Some(record) = file.next()? {
            rows.push((0..cells).map(|index| record.cell(index).to_owned()).collect());
        }
        Ok(rows)
    };
    rows(bytes).map_err(|error: SiloError| error.to_string())
}

/// Takes bytes for a JSON document, and for lines of JSON; says whether they are either.
///
/// # Panics
/// When it depends on how the bytes come in pieces, when `serde_json` thinks otherwise about a document or an item, or when an item's
/// own parts are no JSON.
pub fn json_items(data: &[u8]) -> bool {
    let document = items(data, 64 << 10, |bytes, each| json::document(bytes, "", each));
    assert!(document == items(data, 1, |bytes, each| json::document(bytes, "", each)));
    let lines = items(data, 64 << 10, |bytes, each| json::lines(bytes, each));
    assert!(lines == items(data, 1, |bytes, each| json::lines(bytes, each)));
    let text = std::str::from_utf8(data).ok();
    let text = text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
    let is_one = text.is_some_and(is_json);
    assert!(document.is_ok() == is_one, "a document, or none: {document:?}");
    if let Some(text) = text {
        assert!(whole(text).is_ok() == is_one, "a value, or none");
    }
    for item in document.iter().chain(&lines).flatten() {
        assert!(is_json(item), "an item that is no JSON: {item}");
        let elements = Elements::of(item).into_iter().flatten();
        let members = Members::of(item).into_iter().flatten();
        let members = members.map(|member| member.map(|(_, value)| value));
        for part in elements.chain(members) {
            assert!(part.is_ok_and(is_json), "a part of an item that is no JSON: {item}");
        }
    }
    document.is_ok() || lines.is_ok()
}

fn items(
    bytes: &[u8],
    size: usize,
    read: impl Fn(BufReader<&[u8]>, &mut json::Each<'_>) -> Result<(), SiloError>,
) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut each = |number, item: &str| {
        found.push(item.to_owned());
        assert!(number >= found.len() as u64, "items are counted");
        Ok(())
    };
    let ended = read(BufReader::with_capacity(size, bytes), &mut each);
    ended.map(|()| found).map_err(|error| error.to_string())
}

/// What an independent reader thinks.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
