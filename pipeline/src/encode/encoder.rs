//! Which encoder writes a format, and how do its files look in the zip?

use antumbra_bundle::Method;
use antumbra_config::{CsvFormulas, Format};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::rows::Rows;
use super::{csv, json, parquet};

/// A value or schema cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodeError {
    /// Rows of this schema cannot be, or the format's writer failed.
    #[error("{0}")]
    Format(String),
    /// One value cannot be.
    #[error("row {row}, column {column}: {what}")]
    Value {
        /// The row's number from 1: in the batch inside this room, in the section outside.
        row: u64,
        /// The column.
        column: String,
        /// What is wrong, without the value.
        what: &'static str,
    },
}

impl EncodeError {
    /// Counts rows from the beginning of the file, of which `before` stand before this batch.
    fn after(mut self, before: u64) -> Self {
        if let Self::Value { row, .. } = &mut self {
            *row = row.saturating_add(before);
        }
        self
    }
}

/// Encodes one file of one section.
#[derive(Debug)]
pub(crate) enum Encoder {
    /// A JSON array of objects.
    Json(json::JsonEncoder),
    /// Comma-separated values.
    Csv(csv::CsvEncoder),
    /// JSON objects, a line each.
    Ndjson(json::JsonEncoder),
    /// Apache Parquet; a slice is a row group.
    Parquet(Box<parquet::ParquetEncoder>),
}

impl Encoder {
    /// Makes an encoder for batches of `schema`; `defused` is how many cells were defused in what is written already.
    ///
    /// # Errors
    /// [`EncodeError`] when the format cannot hold the schema.
    pub(crate) fn new(
        format: Format,
        schema: &SchemaRef,
        formulas: CsvFormulas,
        defused: u64,
    ) -> Result<Self, EncodeError> {
        match format {
            Format::Json => Ok(Self::Json(json::JsonEncoder::new(schema))),
            Format::Csv => csv::CsvEncoder::new(schema, formulas, defused).map(Self::Csv),
            Format::Ndjson => Ok(Self::Ndjson(json::JsonEncoder::new(schema))),
            Format::Parquet => {
                parquet::ParquetEncoder::new(schema).map(Box::new).map(Self::Parquet)
            }
        }
    }

    /// Says that these rows stand behind others of the file, which somebody else encodes.
    pub(crate) fn follow(&mut self) {
        match self {
            Self::Json(json) => json.follows = true,
            Self::Csv(_) | Self::Ndjson(_) | Self::Parquet(_) => {}
        }
    }

    /// Appends what the file begins with.
    pub(crate) fn prologue(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Json(_) => out.extend_from_slice(json::PROLOGUE),
            Self::Csv(csv) => csv.header(out),
            Self::Ndjson(_) => {}
            Self::Parquet(_) => out.extend_from_slice(parquet::PROLOGUE),
        }
    }

    /// Takes rows of a slice; `before` is how many rows of the file, or of the part of it, were encoded before.
    ///
    /// # Errors
    /// [`EncodeError`] when a value cannot be held; its row counts from the beginning of the file.
    pub(crate) fn begin<'a>(
        &mut self,
        batch: &'a RecordBatch,
        before: u64,
    ) -> Result<Rows<'a>, EncodeError> {
        match self {
            Self::Json(json) => {
                json.first = before == 0;
                Rows::of(batch)
            }
            Self::Csv(_) | Self::Ndjson(_) => Rows::of(batch),
            Self::Parquet(parquet) => parquet.rows(batch).map(|()| Rows::none()),
        }
        .map_err(|error| error.after(before))
    }

    /// Appends rows that were taken, until there are some mebibytes of them; says whether more are left.
    pub(crate) fn some(&mut self, rows: &mut Rows<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Json(json) => rows.write(&mut json.elements(), out),
            Self::Csv(csv) => rows.write(csv, out),
            Self::Ndjson(json) => rows.write(&mut json.lines(), out),
            Self::Parquet(_) => false,
        }
    }

    /// Takes rows as [`begin`](Self::begin) does, and appends all of them.
    ///
    /// # Errors
    /// As there.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn rows(
        &mut self,
        batch: &RecordBatch,
        before: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let mut rows = self.begin(batch, before)?;
        while self.some(&mut rows, out) {}
        Ok(())
    }

    /// Ends a slice that has rows, and returns what the file's end will need of it.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(crate) fn end_slice(&mut self, out: &mut Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Json(_) | Self::Csv(_) | Self::Ndjson(_) => Ok(Vec::new()),
            Self::Parquet(parquet) => parquet.end_slice(out),
        }
    }

    /// Begins the end of a file of so many slices and rows. Every slice is to follow, then [`end`](Self::end).
    ///
    /// # Errors
    /// [`EncodeError`] when the format's writer fails.
    pub(crate) fn begin_end(
        &mut self,
        slices: usize,
        rows: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match self {
            Self::Json(_) | Self::Csv(_) | Self::Ndjson(_) => Ok(()),
            Self::Parquet(parquet) => parquet.footer(slices, rows, out),
        }
    }

    /// Appends what the file's end says of its next slice, which [`end_slice`](Self::end_slice) returned.
    ///
    /// # Errors
    /// [`EncodeError`] when `kept` cannot be read back.
    pub(crate) fn in_end(&mut self, kept: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Json(_) | Self::Csv(_) | Self::Ndjson(_) => Ok(()),
            Self::Parquet(parquet) => parquet.in_footer(kept, out),
        }
    }

    /// Appends what the file ends with.
    ///
    /// # Errors
    /// [`EncodeError`] when not all slices were named.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Json(_) => {
                out.extend_from_slice(json::EPILOGUE);
                Ok(())
            }
            Self::Csv(_) | Self::Ndjson(_) => Ok(()),
            Self::Parquet(parquet) => parquet.end(out),
        }
    }

    /// Returns how many cells of the file were defused, so that a spreadsheet does not run them.
    pub(crate) const fn defused(&self) -> u64 {
        match self {
            Self::Csv(csv) => csv.defused(),
            Self::Json(_) | Self::Ndjson(_) | Self::Parquet(_) => 0,
        }
    }
}

/// Returns how a format's files are stored in the zip: what is compressed already is not compressed again.
#[must_use]
pub(crate) const fn method(format: Format) -> Method {
    match format {
        Format::Json | Format::Csv | Format::Ndjson => Method::Deflated,
        Format::Parquet => Method::Stored,
    }
}

/// Says whether the end of a format's files says something of each slice.
#[must_use]
pub(crate) const fn keeps_of_slices(format: Format) -> bool {
    match format {
        Format::Json | Format::Csv | Format::Ndjson => false,
        Format::Parquet => true,
    }
}

/// Returns the extension of a format's files.
#[must_use]
pub(crate) const fn extension(format: Format) -> &'static str {
    match format {
        Format::Json => "json",
        Format::Csv => "csv",
        Format::Ndjson => "ndjson",
        Format::Parquet => "parquet",
    }
}

/// Returns the media type of a format's files.
#[must_use]
pub(crate) const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Csv => "text/csv; charset=utf-8; header=present",
        Format::Ndjson => "application/x-ndjson",
        Format::Parquet => "application/vnd.apache.parquet",
    }
}
