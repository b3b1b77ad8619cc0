//! JSON: one array, one object a row, every column present.
//!
//! What JSON cannot say by itself: NULL is `null`, apart from `""`. Bytes are base64 (RFC 4648 section 4). A decimal is a number if
//! its column has at most 15 digits, which every double holds, else a string. NaN and infinities are the strings `"NaN"`,
//! `"Infinity"`, `"-Infinity"`. Whole numbers are numbers, also beyond 2^53.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type};
use arrow_array::{Array, BinaryArray, Decimal128Array, Float64Array, RecordBatch, StructArray};
use arrow_json::writer::{Encoder, NullableEncoder};
use arrow_json::{EncoderFactory, EncoderOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::EncodeError;

pub(super) const PROLOGUE: &[u8] = b"[";
pub(super) const EPILOGUE: &[u8] = b"\n]\n";

/// Encodes rows as JSON objects.
#[derive(Debug)]
pub(crate) struct JsonEncoder {
    options: EncoderOptions,
}

impl JsonEncoder {
    pub(super) fn new() -> Self {
        let options = EncoderOptions::default()
            .with_explicit_nulls(true)
            .with_encoder_factory(Arc::new(Exact));
        Self { options }
    }

    pub(super) fn rows(
        &self,
        batch: &RecordBatch,
        mut first: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let root: FieldRef =
            Arc::new(Field::new_struct("", batch.schema().fields().clone(), false));
        let rows = if batch.num_columns() == 0 {
            StructArray::new_empty_fields(batch.num_rows(), None)
        } else {
            StructArray::from(batch.clone())
        };
        let failed = |error: ArrowError| EncodeError(error.to_string());
        let mut encoder =
            arrow_json::writer::make_encoder(&root, &rows, &self.options).map_err(failed)?;
        for row in 0..batch.num_rows() {
            out.extend_from_slice(if first { b"\n" } else { b",\n" });
            first = false;
            encoder.encode(row, out);
        }
        Ok(())
    }
}

/// Encoders for the types whose default would lose a value or surprise a reader.
#[derive(Debug)]
struct Exact;

impl EncoderFactory for Exact {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Float64 => Box::new(Float(array.as_primitive::<Float64Type>())),
            DataType::Binary => Box::new(Base64(array.as_binary())),
            DataType::Decimal128(precision, _) => {
                Box::new(Decimal(array.as_primitive::<Decimal128Type>(), *precision > 15))
            }
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

struct Float<'a>(&'a Float64Array);

impl Encoder for Float<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.0.value(row);
        if let Some(number) = serde_json::Number::from_f64(value) {
            out.extend_from_slice(number.to_string().as_bytes());
        } else if value.is_nan() {
            out.extend_from_slice(b"\"NaN\"");
        } else {
            out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
        }
    }
}

struct Base64<'a>(&'a BinaryArray);

impl Encoder for Base64<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let bytes = self.0.value(row);
        out.push(b'"');
        let start = out.len();
        out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let written = STANDARD
            .encode_slice(bytes, out.get_mut(start..).unwrap_or_default())
            .expect("the buffer was made as long as base64 of these bytes is");
        out.truncate(start + written);
        out.push(b'"');
    }
}

struct Decimal<'a>(&'a Decimal128Array, bool);

impl Encoder for Decimal<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = self.0.value_as_string(row);
        if self.1 {
            out.push(b'"');
        }
        out.extend_from_slice(text.as_bytes());
        if self.1 {
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use arrow_schema::Schema;

    use super::*;

    fn encode(columns: Vec<(&str, ArrayRef)>) -> String {
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
            .collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut out = Vec::new();
        JsonEncoder::new().rows(&batch, true, &mut out).unwrap();
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
