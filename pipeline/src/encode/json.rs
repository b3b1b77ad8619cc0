//! JSON: one array, one object a row, every column present.
//!
//! What JSON cannot say by itself: NULL is `null`, apart from `""`. Bytes are base64 (RFC 4648 section 4). A decimal is a number if
//! its column has at most 15 digits, which every double holds, else a string. NaN and infinities are the strings `"NaN"`,
//! `"Infinity"`, `"-Infinity"`. Whole numbers are numbers, also beyond 2^53.

use std::io::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{
    Array, BinaryArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, SchemaRef};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::EncodeError;

pub(super) const PROLOGUE: &[u8] = b"[";
pub(super) const EPILOGUE: &[u8] = b"\n]\n";

/// Encodes rows as JSON objects.
///
/// Ours rather than arrow-json's: that crate brings Arrow's casting kernels, a quarter of the build, for six types.
#[derive(Debug)]
pub(crate) struct JsonEncoder {
    /// What stands before each value: comma or brace, name, colon.
    before: Vec<Vec<u8>>,
}

impl JsonEncoder {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let before = schema.fields().iter().enumerate().map(|(index, field)| {
            let mut before = if index == 0 { b"{".to_vec() } else { b",".to_vec() };
            text(field.name(), &mut before);
            before.push(b':');
            before
        });
        Self { before: before.collect() }
    }

    pub(super) fn rows(
        &self,
        batch: &RecordBatch,
        mut first: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let columns =
            batch.columns().iter().map(|array| Column::of(array)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            out.extend_from_slice(if first { b"\n" } else { b",\n" });
            first = false;
            if columns.is_empty() {
                out.push(b'{');
            }
            for (before, column) in self.before.iter().zip(&columns) {
                out.extend_from_slice(before);
                column.value(row, out);
            }
            out.push(b'}');
        }
        Ok(())
    }
}

/// A column as its type, so that the type is looked at once for a batch.
struct Column<'a> {
    array: &'a dyn Array,
    values: Values<'a>,
}

enum Values<'a> {
    Integer(&'a Int64Array),
    Real(&'a Float64Array),
    /// The flag: as a string.
    Decimal(&'a Decimal128Array, bool),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
}

impl<'a> Column<'a> {
    fn of(array: &'a dyn Array) -> Result<Self, EncodeError> {
        let values = match array.data_type() {
            DataType::Int64 => Values::Integer(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Values::Real(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(precision, _) => {
                Values::Decimal(array.as_primitive::<Decimal128Type>(), *precision > 15)
            }
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Binary => Values::Bytes(array.as_binary()),
            other => return Err(EncodeError(format!("JSON has no form for {other} here"))),
        };
        Ok(Self { array, values })
    }

    fn value(&self, row: usize, out: &mut Vec<u8>) {
        if self.array.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match self.values {
            Values::Integer(array) => number(array.value(row), out),
            Values::Real(array) => real(array.value(row), out),
            Values::Decimal(array, quoted) => {
                let quote: &[u8] = if quoted { b"\"" } else { b"" };
                out.extend_from_slice(quote);
                out.extend_from_slice(array.value_as_string(row).as_bytes());
                out.extend_from_slice(quote);
            }
            Values::Text(array) => text(array.value(row), out),
            Values::Bytes(array) => base64(array.value(row), out),
        }
    }
}

fn text(value: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a string serialises, and a vector takes every byte");
}

fn number(value: i64, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a vector takes every byte");
}

fn real(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        serde_json::to_writer(out, &value)
            .expect("a float serialises, and a vector takes every byte");
    } else if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    }
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD
        .encode_slice(bytes, out.get_mut(start..).unwrap_or_default())
        .expect("the buffer was made as long as base64 of these bytes is");
    out.truncate(start + written);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::ArrayRef;
    use arrow_schema::{Field, Schema};

    use super::*;

    fn encode(columns: Vec<(&str, ArrayRef)>) -> String {
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
            .collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut out = Vec::new();
        JsonEncoder::new(&batch.schema()).rows(&batch, true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
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
