//! CSV: RFC 4180 in UTF-8, a header line, CRLF after every record.
//!
//! Text, JSON, base64 of bytes (RFC 4648 section 4) and names are always in quotes; numbers, truth values, days and times never are.
//! So NULL, which is nothing between two commas, and the empty text, which is `""`, stay apart. NaN and infinities are the words
//! `NaN`, `Infinity`, `-Infinity`; decimals are their digits.
//!
//! A section of one column has a second one, without a name and always NULL: a record that is only NULL would be an empty line,
//! and readers skip those.
//!
//! A text or name that begins with one of `= + - @ TAB CR` is run by spreadsheets as a formula. It gets an apostrophe in front
//! ([OWASP](https://owasp.org/www-community/attacks/CSV_Injection)), unless `export.csv_formulas` is `keep`. Everything
//! else is left alone: numbers, times, JSON and base64 cannot hold what a formula calls.

use antumbra_config::CsvFormulas;
use arrow_schema::SchemaRef;
use csv_core::WriteResult;

use super::EncodeError;
use super::cell::{Cell, Piece, Plain};
use super::rows::WriteRow;
use crate::text::{free_of, number};

/// Encodes rows as records.
#[derive(Debug)]
pub(crate) struct CsvEncoder {
    names: Vec<String>,
    formulas: CsvFormulas,
    defused: u64,
}

impl CsvEncoder {
    pub(super) fn new(
        schema: &SchemaRef,
        formulas: CsvFormulas,
        defused: u64,
    ) -> Result<Self, EncodeError> {
        if schema.fields().is_empty() {
            return Err(EncodeError::Format("CSV cannot hold rows without columns".to_owned()));
        }
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        Ok(Self { names, formulas, defused })
    }

    /// Appends the header line.
    pub(super) fn header(&mut self, out: &mut Vec<u8>) {
        let names = std::mem::take(&mut self.names);
        for (column, name) in names.iter().enumerate() {
            self.before(column, out);
            self.cell(&Cell::Text(name), out);
        }
        self.names = names;
        self.end(out);
    }

    pub(super) const fn defused(&self) -> u64 {
        self.defused
    }

    /// Begins a text: the quote, and what keeps it from being run as a formula.
    fn begin_text(&mut self, value: &str, out: &mut Vec<u8>) {
        out.push(b'"');
        let formula = self.formulas == CsvFormulas::Defuse
            && value.as_bytes().first().is_some_and(|byte| FORMULA.contains(byte));
        if formula {
            self.defused += 1;
            out.push(b'\'');
        }
    }
}

impl WriteRow for CsvEncoder {
    fn begin(&mut self, _: usize, _: &mut Vec<u8>) {}

    fn before(&mut self, column: usize, out: &mut Vec<u8>) {
        if column > 0 {
            out.push(b',');
        }
    }

    fn cell(&mut self, cell: &Cell<'_>, out: &mut Vec<u8>) {
        match cell {
            Cell::Null => {}
            Cell::Text(value) => {
                out.reserve(value.len() + 5);
                self.begin_text(value, out);
                in_quotes(value, out);
                out.push(b'"');
            }
            Cell::Json(value) => {
                out.reserve(value.len() + 4);
                out.push(b'"');
                in_quotes(value, out);
                out.push(b'"');
            }
            Cell::Plain(value) => value.write("", out),
        }
    }

    fn piece(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        match piece.cell {
            Cell::Text(part) if piece.first => self.begin_text(part, out),
            _ if piece.first => out.push(b'"'),
            _ => {}
        }
        match piece.cell {
            Cell::Text(part) | Cell::Json(part) => in_quotes(part, out),
            Cell::Plain(Plain::Bytes(part)) => number::base64_digits(part, out),
            Cell::Null | Cell::Plain(_) => {}
        }
        if piece.last {
            out.push(b'"');
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.names.len() == 1 { b",\r\n" } else { b"\r\n" });
    }
}

/// Appends what stands between quotes.
fn in_quotes(value: &str, out: &mut Vec<u8>) {
    if free_of(value.as_bytes(), |byte| byte == b'"') {
        out.extend_from_slice(value.as_bytes());
    } else {
        doubled(value.as_bytes(), out);
    }
}

/// Appends bytes with every quote doubled.
fn doubled(mut bytes: &[u8], out: &mut Vec<u8>) {
    loop {
        let start = out.len();
        // Two bytes more: the writer wants room for a doubled quote.
        out.resize(start + bytes.len() + 2, 0);
        let free = out.get_mut(start..).unwrap_or_default();
        let (result, read, written) = csv_core::quote(bytes, free, b'"', b'"', true);
        out.truncate(start + written);
        bytes = bytes.get(read..).unwrap_or_default();
        if result == WriteResult::InputEmpty {
            return;
        }
    }
}

/// What a formula begins with.
const FORMULA: [u8; 6] = *b"=+-@\t\r";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    };
    use arrow_schema::{Field, Schema};

    use super::*;
    use crate::encode::rows::Rows;

    /// The file without its header, and how many cells were defused.
    fn encode(formulas: CsvFormulas, columns: Vec<(&str, ArrayRef)>) -> (String, u64) {
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
            .collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut out = Vec::new();
        let mut encoder = CsvEncoder::new(&batch.schema(), formulas, 0).unwrap();
        assert!(!Rows::of(&batch).unwrap().write(&mut encoder, &mut out));
        (String::from_utf8(out).unwrap(), encoder.defused())
    }

    fn texts(values: Vec<Option<&str>>) -> ArrayRef {
        Arc::new(StringArray::from(values))
    }

    #[test]
    fn null_and_empty_stay_apart_and_no_record_is_an_empty_line() {
        let two = vec![("a", texts(vec![None, Some("")])), ("b", texts(vec![None, None]))];
        assert_eq!(encode(CsvFormulas::Defuse, two).0, ",\r\n\"\",\r\n");
        let one = vec![("a", texts(vec![None, Some(""), Some("x")]))];
        assert_eq!(encode(CsvFormulas::Defuse, one).0, ",\r\n\"\",\r\n\"x\",\r\n");
    }

    #[test]
    fn quotes_are_doubled_however_many_there_are() {
        let quotes = "\"".repeat(1_000);
        let (file, _) = encode(CsvFormulas::Defuse, vec![("a", texts(vec![Some(&quotes)]))]);
        assert_eq!(file, format!("\"{}\",\r\n", "\"".repeat(2_000)));
        let mixed = vec![("a", texts(vec![Some("a\"b\r\n,\nc\"")]))];
        assert_eq!(encode(CsvFormulas::Defuse, mixed).0, "\"a\"\"b\r\n,\nc\"\"\",\r\n");
    }

    #[test]
    fn formulas_are_defused_by_their_first_character_and_counted() {
        let values = ["=1+1", "+1", "-1", "@a", "\ta", "\ra", " =1", "'=1", "1=1", "\n=1", ""];
        let column = || vec![("a", texts(values.iter().copied().map(Some).collect()))];
        let (file, defused) = encode(CsvFormulas::Defuse, column());
        let expected = values.iter().enumerate().map(|(at, value)| {
            let apostrophe = if at < 6 { "'" } else { "" };
            format!("\"{apostrophe}{value}\",\r\n")
        });
        assert_eq!((file, defused), (expected.collect::<String>(), 6));
        let kept = values.iter().map(|value| format!("\"{value}\",\r\n")).collect::<String>();
        assert_eq!(encode(CsvFormulas::Keep, column()), (kept, 0));
    }

    #[test]
    fn names_are_defused_too_and_counting_goes_on() {
        let schema = Schema::new(vec![
            Field::new("=a\"", arrow_schema::DataType::Int64, true),
            Field::new("b", arrow_schema::DataType::Int64, true),
        ]);
        let mut encoder = CsvEncoder::new(&Arc::new(schema), CsvFormulas::Defuse, 6).unwrap();
        let mut out = Vec::new();
        encoder.header(&mut out);
        assert_eq!(out, b"\"'=a\"\"\",\"b\"\r\n");
        assert_eq!(encoder.defused(), 7);
    }

    #[test]
    fn only_text_is_defused() {
        use crate::silo::ColumnType;
        let json: ArrayRef = Arc::new(StringArray::from(vec!["-1", "\"=1\""]));
        let days: ArrayRef = Arc::new(arrow_array::Date32Array::from(vec![-735_160, 3_789_421]));
        let fields = vec![ColumnType::Json.field("j"), ColumnType::Date.field("d")];
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![json, days]).unwrap();
        let mut encoder = CsvEncoder::new(&batch.schema(), CsvFormulas::Defuse, 0).unwrap();
        let mut out = Vec::new();
        assert!(!Rows::of(&batch).unwrap().write(&mut encoder, &mut out));
        let expected = "\"-1\",-0043-03-15\r\n\"\"\"=1\"\"\",+12345-01-31\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(encoder.defused(), 0);
    }

    #[test]
    fn numbers_are_bare_and_never_defused() {
        let reals: ArrayRef =
            Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1]));
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, -1, 0, i64::MAX]));
        let decimal = Decimal128Array::from(vec![-1999, 5, 0, 100]);
        let decimal: ArrayRef = Arc::new(decimal.with_precision_and_scale(20, 2).unwrap());
        let bytes: ArrayRef =
            Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b"", b"\xf8\x00\x00", b"a"]));
        let columns = vec![("r", reals), ("i", whole), ("d", decimal), ("b", bytes)];
        let (file, defused) = encode(CsvFormulas::Defuse, columns);
        assert_eq!(
            file,
            "NaN,-9223372036854775808,-19.99,\"AP8=\"\r\nInfinity,-1,0.05,\"\"\r\n\
             -Infinity,0,0.00,\"+AAA\"\r\n-0.1,9223372036854775807,1.00,\"YQ==\"\r\n"
        );
        assert_eq!(defused, 0);
    }
}
