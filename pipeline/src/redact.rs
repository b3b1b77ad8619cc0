//! Which values are withheld, and what stands in their place?

use std::sync::Arc;

use antumbra_crypto::Secret32;
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use ring::hmac;
use serde::{Deserialize, Serialize};

use antumbra_bundle::hex;

use crate::text::{Years, scalar};

/// What happens to a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedactionKind {
    /// The column is left out.
    Drop,
    /// HMAC-SHA256 of the value's text, as CSV has it without quotes (bytes as they are, floats without an exponent or a zero
    /// behind the point), with the tenant's key, hex. Equal values stay equal.
    Hash,
}

impl RedactionKind {
    /// Returns the word of settings and manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Hash => "hash",
        }
    }
}

/// Withholds the values of one section and counts them.
pub(crate) struct Redactor {
    schema: SchemaRef,
    steps: Vec<Step>,
    key: hmac::Key,
    /// One for each redaction of the settings, in their order.
    counts: Vec<u64>,
}

/// What to do with one column of the silo.
struct Step {
    what: Option<(RedactionKind, usize)>,
}

impl Redactor {
    /// Prepares for batches of `schema`. `counts` are those of an earlier run that is gone on with.
    ///
    /// # Errors
    /// The name of a column that is to be redacted and is not there: leaving it alone might leak it under another name.
    pub(crate) fn new(
        schema: &Schema,
        redactions: &[(String, RedactionKind)],
        key: &Secret32,
        counts: Option<Vec<u64>>,
    ) -> Result<Self, String> {
        for (column, _) in redactions {
            if schema.field_with_name(column).is_err() {
                return Err(column.clone());
            }
        }
        let mut steps = Vec::new();
        let mut fields = Vec::new();
        for field in schema.fields() {
            let what = redactions
                .iter()
                .position(|(column, _)| column == field.name())
                .and_then(|at| redactions.get(at).map(|(_, kind)| (*kind, at)));
            match what {
                None => fields.push(Arc::clone(field)),
                Some((RedactionKind::Drop, _)) => {}
                Some((RedactionKind::Hash, _)) => {
                    fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
                }
            }
            steps.push(Step { what });
        }
        let counts = counts
            .filter(|counts| counts.len() == redactions.len())
            .unwrap_or_else(|| vec![0; redactions.len()]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        Ok(Self { schema: Arc::new(Schema::new(fields)), steps, key, counts })
    }

    /// Returns the schema of what leaves.
    pub(crate) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns how many values were withheld, in the order of the settings.
    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Returns what may leave of a batch.
    pub(crate) fn apply(&mut self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (step, column) in self.steps.iter().zip(batch.columns()) {
            let Some((kind, at)) = step.what else {
                columns.push(Arc::clone(column));
                continue;
            };
            if let Some(count) = self.counts.get_mut(at) {
                *count += (column.len() - column.null_count()) as u64;
            }
            if kind == RedactionKind::Hash {
                columns.push(hash(column, &self.key)?);
            }
        }
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

fn hash(column: &dyn Array, key: &hmac::Key) -> Result<ArrayRef, ArrowError> {
    let mut out = StringBuilder::new();
    let mut text = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            out.append_null();
            continue;
        }
        text.clear();
        match column.data_type() {
            // As Rust writes them, without a point where they are whole: a number hashes alike as an integer and as a float.
            DataType::Float32 => {
                text.extend_from_slice(native::<Float32Type>(column, row).to_string().as_bytes());
            }
            DataType::Float64 => {
                text.extend_from_slice(native::<Float64Type>(column, row).to_string().as_bytes());
            }
            other => scalar(column, row, Years::Iso, &mut text).ok_or_else(|| {
                ArrowError::NotYetImplemented(format!("hashing values of {other}"))
            })?,
        }
        out.append_value(hex(hmac::sign(key, &text).as_ref()));
    }
    Ok(Arc::new(out.finish()))
}

fn native<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> T::Native {
    column.as_primitive::<T>().value(row)
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};

    use super::*;

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("card", DataType::Utf8, true),
            Field::new("note", DataType::Utf8, true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            Arc::new(StringArray::from(vec![Some("4111"), None, Some("4111")])),
            Arc::new(StringArray::from(vec![Some("a"), None, Some("a")])),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    #[test]
    fn dropped_columns_are_gone_and_hashed_ones_keep_only_equality() {
        let batch = batch();
        let redactions =
            [("card".to_owned(), RedactionKind::Drop), ("note".to_owned(), RedactionKind::Hash)];
        let key = Secret32::from_slice(&[1; 32]).unwrap();
        let mut redactor = Redactor::new(&batch.schema(), &redactions, &key, None).unwrap();
        let out = redactor.apply(&batch).unwrap();
        assert_eq!(out.num_columns(), 2);
        let notes = out.column(1).as_string::<i32>();
        assert_eq!(notes.value(0), notes.value(2));
        assert!(notes.value(0).len() == 64 && notes.is_null(1));
        assert_eq!(redactor.counts(), [2, 2]);
        let other = Secret32::from_slice(&[2; 32]).unwrap();
        let mut other = Redactor::new(&batch.schema(), &redactions, &other, None).unwrap();
        let differs = other.apply(&batch).unwrap();
        assert_ne!(differs.column(1).as_string::<i32>().value(0), notes.value(0));
    }

    #[test]
    fn every_type_is_hashed_by_its_text() {
        use arrow_array::{
            BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
            Time64MicrosecondArray, TimestampMicrosecondArray,
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[3; 32]);
        let decimal = Decimal128Array::from(vec![-5]).with_precision_and_scale(5, 2).unwrap();
        let micros = TimestampMicrosecondArray::from(vec![i64::MIN]);
        let columns: [(ArrayRef, &[u8]); 13] = [
            (Arc::new(BooleanArray::from(vec![true])), b"true"),
            (Arc::new(Int64Array::from(vec![-7])), b"-7"),
            (Arc::new(Float32Array::from(vec![3.0])), b"3"),
            (Arc::new(Float32Array::from(vec![0.1])), b"0.1"),
            (Arc::new(Float64Array::from(vec![3.0])), b"3"),
            (Arc::new(decimal), b"-0.05"),
            (Arc::new(StringArray::from(vec!["=a\""])), b"=a\""),
            (Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]])), b"\x00\xff"),
            (Arc::new(Date32Array::from(vec![-735_160])), b"-0043-03-15"),
            (Arc::new(Time64MicrosecondArray::from(vec![500_000])), b"00:00:00.5"),
            (Arc::new(TimestampMicrosecondArray::from(vec![0])), b"1970-01-01T00:00:00"),
            (Arc::new(micros.clone()), b"-infinity"),
            (Arc::new(micros.with_timezone("UTC")), b"-infinity"),
        ];
        for (column, text) in columns {
            let hashed = hash(&column, &key).unwrap();
            let expected = hex(hmac::sign(&key, text).as_ref());
            assert_eq!(hashed.as_string::<i32>().value(0), expected, "{}", column.data_type());
        }
    }

    #[test]
    fn a_redacted_column_that_is_missing_is_an_error() {
        let key = Secret32::from_slice(&[1; 32]).unwrap();
        let redactions = [("Card".to_owned(), RedactionKind::Drop)];
        let result = Redactor::new(&batch().schema(), &redactions, &key, None);
        assert_eq!(result.err(), Some("Card".to_owned()));
    }

    #[test]
    fn rows_are_kept_when_every_column_is_dropped() {
        let batch = batch();
        let redactions = ["id", "card", "note"].map(|c| (c.to_owned(), RedactionKind::Drop));
        let key = Secret32::from_slice(&[1; 32]).unwrap();
        let mut redactor = Redactor::new(&batch.schema(), &redactions, &key, None).unwrap();
        assert_eq!(redactor.apply(&batch).unwrap().num_rows(), 3);
    }
}
