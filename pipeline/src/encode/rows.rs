//! How are rows written as text that may be many times as long as they are? Piece by piece, so that whoever asks can take what is
//! there before more is made.

use arrow_array::RecordBatch;

use super::EncodeError;
use super::cell::{Cell, Column, Piece};

/// Rows of a batch of which some are written.
pub(crate) struct Rows<'a> {
    columns: Vec<Column<'a>>,
    rows: usize,
    row: usize,
    column: usize,
    /// How much of the cell is written.
    byte: usize,
    limits: Limits,
}

/// How a format that is text writes a row.
pub(super) trait WriteRow {
    /// Appends what stands before a row; `index` counts those of the batch.
    fn begin(&mut self, index: usize, out: &mut Vec<u8>);
    /// Appends what stands before a cell.
    fn before(&mut self, column: usize, out: &mut Vec<u8>);
    /// Appends a cell.
    fn cell(&mut self, cell: &Cell<'_>, out: &mut Vec<u8>);
    /// Appends a piece of a cell. All of them make what [`cell`](Self::cell) writes at once.
    fn piece(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>);
    /// Appends what stands behind a row.
    fn end(&mut self, out: &mut Vec<u8>);
}

impl<'a> Rows<'a> {
    /// Begins with the first row of a batch.
    ///
    /// # Errors
    /// As [`Column::all`].
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, EncodeError> {
        let (columns, rows) = (Column::all(batch)?, batch.num_rows());
        Ok(Self { columns, rows, row: 0, column: 0, byte: 0, limits: USUAL })
    }

    /// What is left of rows that a format took at once.
    pub(super) const fn none() -> Self {
        Self { columns: Vec::new(), rows: 0, row: 0, column: 0, byte: 0, limits: USUAL }
    }

    /// Appends rows until `out` is full; says whether something is left.
    pub(super) fn write(&mut self, writer: &mut impl WriteRow, out: &mut Vec<u8>) -> bool {
        while self.row < self.rows {
            if self.column == 0 && self.byte == 0 {
                writer.begin(self.row, out);
            }
            while let Some(column) = self.columns.get(self.column) {
                let cell = column.cell(self.row);
                if self.byte == 0 {
                    writer.before(self.column, out);
                }
                if cell.len() <= self.limits.long {
                    writer.cell(&cell, out);
                    self.column += 1;
                } else {
                    let (piece, end) = cell.piece(self.byte, self.limits.piece);
                    writer.piece(&piece, out);
                    self.byte = if piece.last { 0 } else { end };
                    self.column += usize::from(piece.last);
                }
                if out.len() >= self.limits.full {
                    return true;
                }
            }
            writer.end(out);
            self.column = 0;
            self.row += 1;
        }
        false
    }
}

/// How much is written at once.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Bytes at which whoever asks is to take them: more than a batch of usual rows has.
    full: usize,
    /// Bytes of a cell beyond which it is written in pieces.
    long: usize,
    /// Bytes of a piece, at most: a multiple of three. Escaped, it may be six times as long.
    piece: usize,
}

const USUAL: Limits = Limits { full: 2 << 20, long: 1 << 10, piece: 96 << 10 };

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use antumbra_config::{CsvFormulas, Format};
    use arrow_array::{ArrayRef, BinaryArray, Int64Array, StringArray};
    use arrow_schema::{DataType, Field, Schema};
    use proptest::prelude::*;

    use super::*;
    use crate::encode::Encoder;
    use crate::silo::ColumnType;

    /// Rows of one long value of each kind that can be long.
    fn batch(text: &str, bytes: &[u8], rows: usize) -> RecordBatch {
        let mut doc = Vec::new();
        crate::text::json::string(text, &mut doc);
        let doc = String::from_utf8(doc).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values((0_i64..).take(rows))),
            Arc::new(StringArray::from_iter((0..rows).map(|row| (row % 3 != 2).then_some(text)))),
            Arc::new(BinaryArray::from_iter_values((0..rows).map(|_| bytes))),
            Arc::new(StringArray::from_iter_values((0..rows).map(|_| &doc))),
        ];
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("t", DataType::Utf8, true),
            Field::new("b", DataType::Binary, true),
            ColumnType::Json.field("j"),
        ]);
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    /// What is written, and the most that was there at once.
    fn encoded(format: Format, batch: &RecordBatch, limits: Limits) -> (Vec<u8>, usize) {
        let mut encoder = Encoder::new(format, &batch.schema(), CsvFormulas::Defuse, 0).unwrap();
        let (mut all, mut out, mut most) = (Vec::new(), Vec::new(), 0);
        let mut rows = encoder.begin(batch, 0).unwrap();
        rows.limits = limits;
        loop {
            let more = encoder.some(&mut rows, &mut out);
            most = most.max(out.len());
            all.append(&mut out);
            if !more {
                return (all, most);
            }
        }
    }

    const FORMATS: [Format; 3] = [Format::Json, Format::Csv, Format::Ndjson];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn long_values_in_pieces_are_what_they_are_at_once(
            text in "(=|[a-z]|\"|\\\\|\u{1}|\u{1f}|\u{20ac}|\u{1f600}){0,99}",
            bytes in prop::collection::vec(any::<u8>(), 0..99),
            rows in 1_usize..5,
            long in 0_usize..9,
            thirds in 2_usize..9,
            full in 1_usize..99,
        ) {
            let batch = batch(&text, &bytes, rows);
            let at_once = Limits { full: usize::MAX, long: usize::MAX, piece: usize::MAX };
            let in_pieces = Limits { full, long, piece: 3 * thirds };
            for format in FORMATS {
                let (whole, _) = encoded(format, &batch, at_once);
                let (pieces, most) = encoded(format, &batch, in_pieces);
                prop_assert!(pieces == whole, "{format:?}");
                // A piece, or a cell that is not long, a name, and what stands between rows.
                prop_assert!(most <= full + 6 * (3 * thirds).max(long) + 50, "{format:?}: {most}");
            }
        }
    }

    #[test]
    fn what_is_there_at_once_is_bounded_whatever_a_value_becomes() {
        let batch = batch(&"\u{1}".repeat(4 << 20), &[0; 4 << 20], 2);
        for format in FORMATS {
            let (all, most) = encoded(format, &batch, USUAL);
            let bound = USUAL.full + 6 * USUAL.piece + USUAL.long;
            assert!(most <= bound, "{format:?}: {most} at once");
            assert!(all.len() > 20 << 20, "{format:?}: {}", all.len());
        }
    }

    #[test]
    fn a_formula_in_pieces_is_defused_and_counted_once() {
        let batch = batch(&format!("={}", "1".repeat(3 * USUAL.piece)), b"", 1);
        let mut encoder =
            Encoder::new(Format::Csv, &batch.schema(), CsvFormulas::Defuse, 0).unwrap();
        let mut out = Vec::new();
        encoder.rows(&batch, 0, &mut out).unwrap();
        assert_eq!(encoder.defused(), 1);
        assert!(out.starts_with(b"0,\"'=111"));
    }
}
