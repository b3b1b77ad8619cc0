//! Which texts of a column are worth a look? Those in whose bytes a search over the whole column stops.

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, StringArray};

/// Calls `visit` with the rows in which `next` sees something, ascending, each once.
///
/// `next` is given bytes and where to begin, and answers with a place at or behind it. A place that lies in two texts counts for
/// the first.
pub(super) fn candidates(
    column: &StringArray,
    next: impl Fn(&[u8], usize) -> Option<usize>,
    mut visit: impl FnMut(usize, &str),
) {
    let offsets = column.value_offsets();
    let place = |index: usize| offsets.get(index).and_then(|offset| usize::try_from(*offset).ok());
    let (Some(mut at), Some(end)) = (place(0), place(column.len())) else { return };
    let Some(bytes) = column.value_data().get(..end) else { return };
    let mut row = 0;
    while at < end {
        let Some(found) = next(bytes, at) else { return };
        let rest = offsets.get(row + 1..).unwrap_or_default();
        row += rest.partition_point(|end| usize::try_from(*end).is_ok_and(|end| end <= found));
        let Some(behind) = place(row + 1) else { return };
        if column.is_valid(row) {
            visit(row, column.value(row));
        }
        (row, at) = (row + 1, behind);
    }
}

/// Returns the length of a column's longest text, in bytes.
pub(super) fn longest(column: &StringArray) -> usize {
    let ends = column.value_offsets().iter().skip(1);
    let lengths = column.value_offsets().iter().zip(ends).map(|(start, end)| end - start);
    usize::try_from(lengths.max().unwrap_or(0)).unwrap_or(usize::MAX)
}

/// Returns the column with other texts in some rows, which ascend.
pub(super) fn replace(column: &StringArray, texts: &[(usize, String)]) -> StringArray {
    let more = texts.iter().map(|(_, text)| text.len()).sum::<usize>();
    let mut out = StringBuilder::with_capacity(column.len(), column.value_data().len() + more);
    let mut texts = texts.iter().peekable();
    for (row, text) in column.iter().enumerate() {
        match texts.next_if(|(at, _)| *at == row) {
            Some((_, other)) => out.append_value(other),
            None => out.append_option(text),
        }
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(column: &StringArray, byte: u8) -> Vec<usize> {
        let mut rows = Vec::new();
        let next =
            |bytes: &[u8], from: usize| memchr::memchr(byte, &bytes[from..]).map(|at| at + from);
        candidates(column, next, |row, text| {
            assert!(text.as_bytes().contains(&byte));
            rows.push(row);
        });
        rows
    }

    proptest! {
        #[test]
        fn every_text_with_a_match_is_visited_once(
            texts in prop::collection::vec(prop::option::of("[a-c]{0,4}"), 0..30),
            from in 0_usize..30,
        ) {
            let column = StringArray::from(texts.clone());
            let from = from.min(column.len());
            let sliced = column.slice(from, column.len() - from);
            let expected: Vec<usize> = texts[from..]
                .iter()
                .enumerate()
                .filter(|(_, text)| text.as_ref().is_some_and(|text| text.contains('b')))
                .map(|(row, _)| row)
                .collect();
            prop_assert_eq!(rows(&sliced, b'b'), expected);
        }
    }

    #[test]
    fn replaced_texts_stand_in_their_rows() {
        let column = StringArray::from(vec![Some("a"), None, Some("b"), Some("")]);
        let out = replace(&column, &[(0, "x".to_owned()), (3, "yz".to_owned())]);
        assert_eq!(out, StringArray::from(vec![Some("x"), None, Some("b"), Some("yz")]));
    }
}
