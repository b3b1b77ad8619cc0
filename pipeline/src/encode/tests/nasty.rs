//! The nasty table in every format, byte by byte. `tests/python/check_types.py` reads the same files with other people's readers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use antumbra_config::{CsvFormulas, Format};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, Time64MicrosecondArray};
use arrow_schema::Schema;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::{EncodeError, Encoder, extension};
use super::table;
use crate::silo::ColumnType;
use crate::text::moment::DAY;

const FORMATS: [Format; 4] = [Format::Json, Format::Ndjson, Format::Csv, Format::Parquet];

#[test]
fn files_are_what_they_were_byte_by_byte() {
    for format in FORMATS {
        let found = file(format);
        let golden = std::fs::read(golden(format)).unwrap();
        assert!(
            found == golden,
            "{format:?} has changed; record it with `cargo test -p antumbra-pipeline record_nasty -- --ignored`:\n{}",
            String::from_utf8_lossy(&found)
        );
    }
}

#[test]
#[ignore = "records the golden files again"]
fn record_nasty() {
    for format in FORMATS {
        std::fs::write(golden(format), file(format)).unwrap();
    }
}

#[test]
fn parquet_reads_back_as_it_was_but_for_the_least_moments() {
    let bytes = Bytes::from(file(Format::Parquet));
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 2);
    let read = reader.build().unwrap().next().unwrap().unwrap();
    let batch = table::batch();
    assert_eq!(read.schema(), batch.schema());
    for (index, field) in batch.schema().fields().iter().enumerate() {
        let (found, expected) = (read.column(index), batch.column(index));
        match field.name().as_str() {
            "date" => {
                let found = found.as_primitive::<Date32Type>().iter();
                let second = |day| if day == i32::MIN { i32::MIN + 1 } else { day };
                let expected = expected.as_primitive::<Date32Type>().iter();
                assert!(found.eq(expected.map(|day| day.map(second))));
            }
            "timestamp" | "timestamptz" => {
                let found = found.as_primitive::<TimestampMicrosecondType>().iter();
                let second = |at| if at == i64::MIN { i64::MIN + 1 } else { at };
                let expected = expected.as_primitive::<TimestampMicrosecondType>().iter();
                assert!(found.eq(expected.map(|at| at.map(second))));
            }
            name => assert_eq!(found.to_data(), expected.to_data(), "{name}"),
        }
    }
}

#[test]
fn the_end_of_a_day_is_a_time_in_text_and_refused_in_parquet() {
    let time = |values: Vec<Option<i64>>| {
        let array: ArrayRef = Arc::new(Time64MicrosecondArray::from(values));
        let schema = Schema::new(vec![ColumnType::Time.field("at")]);
        RecordBatch::try_new(Arc::new(schema), vec![array]).unwrap()
    };
    let whole = time(vec![Some(0), None, Some(DAY)]);
    assert_eq!(rows(Format::Csv, &whole).unwrap(), b"00:00:00,\r\n,\r\n24:00:00,\r\n");
    let refused = |row, what| EncodeError::Value { row, column: "at".into(), what };
    // Rows count from the beginning of the section.
    let error = rows(Format::Parquet, &whole).unwrap_err();
    assert_eq!(error, refused(103, "not a time before 24:00:00"));
    for wrong in [-1, DAY + 1, i64::MAX] {
        for format in [Format::Json, Format::Ndjson, Format::Csv] {
            let error = rows(format, &time(vec![Some(wrong)])).unwrap_err();
            assert_eq!(error, refused(101, "not a time of day"), "{format:?}");
        }
        assert!(rows(Format::Parquet, &time(vec![Some(wrong)])).is_err());
    }
}

#[test]
fn json_that_would_break_the_document_around_it_is_refused() {
    let schema = Schema::new(vec![ColumnType::Json.field("doc")]);
    for wrong in ["", "1 ", "{\"a\":1}\n", "1,2", "\"a", "]", "{\"a\": 1}", "nope"] {
        let array: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["1", wrong]));
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![array]).unwrap();
        for format in [Format::Json, Format::Ndjson, Format::Csv] {
            let error = rows(format, &batch).unwrap_err().to_string();
            assert_eq!(error, "row 102, column doc: not one JSON value without whitespace");
        }
    }
}

/// What rows behind a hundred others become.
fn rows(format: Format, batch: &RecordBatch) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(format, &batch.schema(), CsvFormulas::Defuse, 0)?;
    encoder.rows(batch, 100, &mut out)?;
    Ok(out)
}

/// The whole file, of two slices.
fn file(format: Format) -> Vec<u8> {
    let batch = table::batch();
    let mut encoder = Encoder::new(format, &batch.schema(), CsvFormulas::Defuse, 0).unwrap();
    let mut out = Vec::new();
    let mut kept = Vec::new();
    encoder.prologue(&mut out);
    let mut before = 0;
    for len in [10, batch.num_rows() - 10] {
        encoder.rows(&batch.slice(before, len), before as u64, &mut out).unwrap();
        kept.push(encoder.end_slice(&mut out).unwrap());
        before += len;
    }
    encoder.begin_end(kept.len(), before as u64, &mut out).unwrap();
    kept.iter().for_each(|kept| encoder.in_end(kept, &mut out).unwrap());
    encoder.end(&mut out).unwrap();
    out
}

fn golden(format: Format) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("nasty.{}", extension(format)))
}
