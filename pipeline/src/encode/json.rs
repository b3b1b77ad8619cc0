//! JSON and NDJSON: one object a row, every column present; in one array, or a line each.
//!
//! What JSON cannot say by itself: NULL is `null`, apart from `""`. Bytes are base64 (RFC 4648 section 4). A decimal is a number if
//! its column has at most 15 digits, which every double holds, else a string. NaN and infinities are the strings `"NaN"`,
//! `"Infinity"`, `"-Infinity"`. Whole numbers are numbers, also beyond 2^53. Days and times are strings (see [`Moment`]). A column of
//! JSON is part of the document as it is, its numbers digit by digit.
//!
//! [`Moment`]: crate::text::Moment

use arrow_schema::SchemaRef;

use super::cell::{Cell, Piece, Plain};
use super::rows::WriteRow;
use crate::text;

pub(super) const PROLOGUE: &[u8] = b"[";
pub(super) const EPILOGUE: &[u8] = b"\n]\n";

/// Encodes rows as JSON objects, in an array or a line each.
///
/// Ours rather than arrow-json's: that crate brings Arrow's casting kernels, a quarter of the build, for a dozen types.
#[derive(Debug)]
pub(crate) struct JsonEncoder {
    /// What stands before each value: comma or brace, name, colon.
    before: Vec<Vec<u8>>,
    /// Elements stand before the first of these.
    pub(super) follows: bool,
    /// No row stands before those of the batch.
    pub(super) first: bool,
}

impl JsonEncoder {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let before = schema.fields().iter().enumerate().map(|(index, field)| {
            let mut before = if index == 0 { b"{".to_vec() } else { b",".to_vec() };
            text::json::string(field.name(), &mut before);
            before.push(b':');
            before
        });
        Self { before: before.collect(), follows: false, first: true }
    }

    /// Writes rows as elements of an array.
    pub(super) const fn elements(&self) -> Objects<'_> {
        let first = if self.first && !self.follows { b"\n".as_slice() } else { b",\n" };
        Objects { before: self.before.as_slice(), first, later: b",\n", end: b"}" }
    }

    /// Writes rows as lines (NDJSON): line feeds in values are escaped, so a line is a row.
    pub(super) const fn lines(&self) -> Objects<'_> {
        Objects { before: self.before.as_slice(), first: b"", later: b"", end: b"}\n" }
    }
}

/// Writes a row as an object.
pub(super) struct Objects<'a> {
    /// What stands before each value.
    before: &'a [Vec<u8>],
    /// What stands before the first row.
    first: &'static [u8],
    /// What stands before the others.
    later: &'static [u8],
    /// What stands behind a row.
    end: &'static [u8],
}

impl WriteRow for Objects<'_> {
    fn begin(&mut self, index: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(if index == 0 { self.first } else { self.later });
        if self.before.is_empty() {
            out.push(b'{');
        }
    }

    fn before(&mut self, column: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before.get(column).map(Vec::as_slice).unwrap_or_default());
    }

    fn cell(&mut self, cell: &Cell<'_>, out: &mut Vec<u8>) {
        match cell {
            Cell::Null => out.extend_from_slice(b"null"),
            Cell::Text(value) => text::json::string(value, out),
            Cell::Json(value) => out.extend_from_slice(value.as_bytes()),
            Cell::Plain(value) => value.write("\"", out),
        }
    }

    fn piece(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let quoted = !matches!(piece.cell, Cell::Json(_));
        if quoted && piece.first {
            out.push(b'"');
        }
        match piece.cell {
            Cell::Text(part) => text::json::in_string(part, out),
            Cell::Json(part) => out.extend_from_slice(part.as_bytes()),
            Cell::Plain(Plain::Bytes(part)) => text::number::base64_digits(part, out),
            Cell::Null | Cell::Plain(_) => {}
        }
        if quoted && piece.last {
            out.push(b'"');
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.end);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    };
    use arrow_schema::{DataType, Field, Schema};

    use super::*;
    use crate::encode::rows::Rows;

    fn encode(columns: Vec<(&str, ArrayRef)>) -> String {
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
            .collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut out = Vec::new();
        let encoder = JsonEncoder::new(&batch.schema());
        assert!(!Rows::of(&batch).unwrap().write(&mut encoder.elements(), &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn elements_that_follow_others_begin_with_a_comma() {
        let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![number]).unwrap();
        let mut encoder = JsonEncoder::new(&schema);
        encoder.follows = true;
        let mut out = Vec::new();
        assert!(!Rows::of(&batch).unwrap().write(&mut encoder.elements(), &mut out));
        assert_eq!(out, b",\n{\"n\":1},\n{\"n\":2}");
    }

    #[test]
    fn null_and_empty_stay_apart() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some(""), None]));
        assert_eq!(encode(vec![("t", text)]), "\n{\"t\":\"\"},\n{\"t\":null}");
    }

    #[test]
    fn values_that_json_has_no_word_for() {
        let real: ArrayRef =
            Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1]));
        let expected =
            "\n{\"r\":\"NaN\"},\n{\"r\":\"Infinity\"},\n{\"r\":\"-Infinity\"},\n{\"r\":0.1}";
        assert_eq!(encode(vec![("r", real)]), expected);
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b""]));
        assert_eq!(encode(vec![("b", bytes)]), "\n{\"b\":\"AP8=\"},\n{\"b\":\"\"}");
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN]));
        assert_eq!(encode(vec![("i", whole)]), "\n{\"i\":-9223372036854775808}");
    }

    #[test]
    fn decimals_are_numbers_up_to_15_digits_and_strings_beyond() {
        let decimal = |precision| -> ArrayRef {
            let array = Decimal128Array::from(vec![-1999, 5]);
            Arc::new(array.with_precision_and_scale(precision, 2).unwrap())
        };
        assert_eq!(encode(vec![("d", decimal(12))]), "\n{\"d\":-19.99},\n{\"d\":0.05}");
        assert_eq!(encode(vec![("d", decimal(16))]), "\n{\"d\":\"-19.99\"},\n{\"d\":\"0.05\"}");
    }

    #[test]
    fn text_is_escaped_and_otherwise_left_alone() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["\"\\\n\u{1}\u{1f600}</script>"]));
        assert_eq!(encode(vec![("t", text)]), "\n{\"t\":\"\\\"\\\\\\n\\u0001\u{1f600}</script>\"}");
    }
}
