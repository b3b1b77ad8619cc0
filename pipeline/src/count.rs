//! How many rows does a file have? Asked of the file, for `verify`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use antumbra_bundle::verify::{EntryBytes, RowCounter};
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::reader::{ChunkReader, Length};
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

/// Counts the rows of every format this crate writes.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileRowCounter;

impl RowCounter for FileRowCounter {
    fn rows(&self, format: &str, bytes: EntryBytes<'_>) -> Result<Option<u64>, String> {
        match (format, bytes) {
            ("JSON", EntryBytes::Stream(read)) => json(read).map(Some),
            ("JSON", EntryBytes::Stored { archive, range }) => {
                let section = Section { archive, range };
                json(&mut section.get_read(0).map_err(|error| error.to_string())?).map(Some)
            }
            ("PARQUET", EntryBytes::Stored { archive, range }) => {
                let section = Section { archive, range };
                parquet_rows(&section).map(Some).map_err(|error| error.to_string())
            }
            ("PARQUET", EntryBytes::Stream(_)) => Err("Parquet is not stored plainly".to_owned()),
            _ => Ok(None),
        }
    }
}

fn json(read: &mut dyn Read) -> Result<u64, String> {
    let mut reader = serde_json::Deserializer::from_reader(BufReader::new(read));
    let rows =
        reader.deserialize_seq(Rows).map_err(|error| format!("not a JSON array: {error}"))?;
    reader.end().map_err(|error| format!("something follows the JSON array: {error}"))?;
    Ok(rows)
}

struct Rows;

impl<'de> Visitor<'de> for Rows {
    type Value = u64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        let mut rows = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            rows += 1;
        }
        Ok(rows)
    }
}

fn parquet_rows(section: &Section<'_>) -> Result<u64, ParquetError> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(section)?;
    let total = metadata.file_metadata().num_rows();
    let groups: i64 = metadata.row_groups().iter().map(|group| group.num_rows()).sum();
    if groups != total {
        return Err(ParquetError::General("row groups and footer disagree".to_owned()));
    }
    u64::try_from(total).map_err(|_| ParquetError::General("negative number of rows".to_owned()))
}

/// A place in a file of its own: cloned handles share the system's.
struct Cursor {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let len = buffer.len().min(left);
        let read = self.file.read_at(buffer.get_mut(..len).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A part of a file as if it was a file.
struct Section<'a> {
    archive: &'a File,
    range: Range<u64>,
}

impl Length for Section<'_> {
    fn len(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }
}

impl ChunkReader for Section<'_> {
    type T = BufReader<Cursor>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let at = self.range.start.saturating_add(start).min(self.range.end);
        Ok(BufReader::new(Cursor { file: self.archive.try_clone()?, at, end: self.range.end }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.saturating_add(length as u64) > self.len() {
            return Err(ParquetError::EOF("beyond the end of the entry".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}
