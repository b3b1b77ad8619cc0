//! Which encoder writes a format, and how do its files look in the zip?

use antumbra_bundle::Method;
use antumbra_config::Format;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{json, parquet};

/// A value or schema cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct EncodeError(pub(crate) String);

/// Encodes one file of one section.
#[derive(Debug)]
pub(crate) enum Encoder {
    /// A JSON array of objects.
    Json(json::JsonEncoder),
    /// Apache Parquet; a slice is a row group.
    Parquet(Box<parquet::ParquetEncoder>),
}

impl Encoder {
    /// Makes an encoder for batches of `schema`.
    ///
    /// # Errors
    /// [`EncodeError`] when the format cannot hold the schema.
    pub(crate) fn new(format: Format, schema: &SchemaRef) -> Result<Self, EncodeError> {
        match format {
            Format::Json => Ok(Self::Json(json::JsonEncoder::new(schema))),
            Format::Parquet => {
                parquet::ParquetEncoder::new(schema).map(Box::new).map(Self::Parquet)
            }
        }
    }

    /// Appends what the file begins with.
    pub(crate) fn prologue(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self {
            Self::Json(_) => json::PROLOGUE,
            Self::Parquet(_) => parquet::PROLOGUE,
        });
    }

    /// Appends rows of a slice; `first`: no row of the file was encoded before.
    ///
    /// # Errors
    /// [`EncodeError`] when a value cannot be held.
    pub(crate) fn rows(
        &mut self,
        batch: &RecordBatch,
        first: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match self {
            Self::Json(json) => json.rows(batch, first, out),
            Self::Parquet(parquet) => parquet.rows(batch),
        }
    }

    /// Ends a slice that has rows, and returns what the epilogue will need of it.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub(crate) fn end_slice(&mut self, out: &mut Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Json(_) => Ok(Vec::new()),
            Self::Parquet(parquet) => parquet.end_slice(out),
        }
    }

    /// Appends what the file ends with; `kept` is what each slice of the file returned, in order.
    ///
    /// # Errors
    /// [`EncodeError`] when `kept` cannot be read back.
    pub(crate) fn epilogue(&self, kept: &[Vec<u8>], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Json(_) => {
                out.extend_from_slice(json::EPILOGUE);
                Ok(())
            }
            Self::Parquet(parquet) => parquet.epilogue(kept, out),
        }
    }
}

/// Returns how a format's files are stored in the zip: what is compressed already is not compressed again.
#[must_use]
pub(crate) const fn method(format: Format) -> Method {
    match format {
        Format::Json => Method::Deflated,
        Format::Parquet => Method::Stored,
    }
}

/// Returns the extension of a format's files.
#[must_use]
pub(crate) const fn extension(format: Format) -> &'static str {
    match format {
        Format::Json => "json",
        Format::Parquet => "parquet",
    }
}

/// Returns the media type of a format's files.
#[must_use]
pub(crate) const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Parquet => "application/vnd.apache.parquet",
    }
}
