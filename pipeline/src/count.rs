//! How many rows does a file have? Asked of the file, for `verify`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use antumbra_bundle::verify::{EntryBytes, RowCounter};
use bytes::Bytes;
use csv_core::ReadRecordResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::reader::{ChunkReader, Length};
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

/// Counts the rows of every format this crate writes.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileRowCounter;

impl RowCounter for FileRowCounter {
    fn rows(&self, format: &str, bytes: EntryBytes<'_>) -> Result<Option<u64>, String> {
        let of_text = match format {
            "JSON" => json,
            "CSV" => csv,
            "NDJSON" => lines,
            _ => return binary(format, bytes),
        };
        match bytes {
            EntryBytes::Stream(read) => of_text(read).map(Some),
            EntryBytes::Stored { archive, range } => {
                let section = Section { archive, range };
                of_text(&mut section.get_read(0).map_err(|error| error.to_string())?).map(Some)
            }
        }
    }
}

fn binary(format: &str, bytes: EntryBytes<'_>) -> Result<Option<u64>, String> {
    match (format, bytes) {
        ("PARQUET", EntryBytes::Stored { archive, range }) => {
            let section = Section { archive, range };
            parquet_rows(&section).map(Some).map_err(|error| error.to_string())
        }
        ("PARQUET", EntryBytes::Stream(_)) => Err("Parquet is not stored plainly".to_owned()),
        _ => Ok(None),
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

/// Counts records but the header; line ends in quotes end no record.
fn csv(read: &mut dyn Read) -> Result<u64, String> {
    let mut bytes = BufReader::new(read);
    let mut reader = csv_core::Reader::new();
    // What fields hold and where they end is not looked at: the buffers are filled again and again.
    let (mut fields, mut ends) = ([0; 4096], [0; 64]);
    let mut records = 0_u64;
    loop {
        let input = bytes.fill_buf().map_err(|error| error.to_string())?;
        let (result, read, ..) = reader.read_record(input, &mut fields, &mut ends);
        bytes.consume(read);
        match result {
            ReadRecordResult::Record => records += 1,
            ReadRecordResult::End => break,
            _ => {}
        }
    }
    records.checked_sub(1).ok_or_else(|| "no header line".to_owned())
}

/// Counts lines, the last of which must be whole.
fn lines(read: &mut dyn Read) -> Result<u64, String> {
    let mut bytes = BufReader::new(read);
    let (mut lines, mut last) = (0, b'\n');
    loop {
        let input = bytes.fill_buf().map_err(|error| error.to_string())?;
        let Some(end) = input.last() else { break };
        last = *end;
        lines += input.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        let len = input.len();
        bytes.consume(len);
    }
    if last == b'\n' { Ok(lines) } else { Err("does not end in a line feed".to_owned()) }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives few bytes at a time, so that every state meets the end of a buffer.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let len = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(len);
            buffer[..len].copy_from_slice(now);
            self.0 = later;
            Ok(len)
        }
    }

    #[test]
    fn records_are_counted_and_not_their_line_ends() {
        let long = format!("\"a\"\r\n\"{}\"\r\n1\r\n", "x\"\"\r\n".repeat(3_000));
        let wide = format!("{}\r\n{}\r\n", ",".repeat(200), ",".repeat(200));
        for (file, rows) in [
            ("\"a\",\"b\"\r\n", 0),
            ("\"a\",\r\n,\r\n,\r\n", 2),
            ("\"a\r\nb\",\"c\"\r\n\"\n\r\n\"\"\r\n\",\"\"\r\n1,2\r\n", 2),
            (long.as_str(), 2),
            (wide.as_str(), 1),
        ] {
            for size in [1, 3, 10_000] {
                assert_eq!(csv(&mut Drops(file.as_bytes(), size)), Ok(rows), "{file}");
            }
        }
        assert!(csv(&mut &b""[..]).is_err());
    }

    #[test]
    fn lines_are_counted_if_the_last_is_whole() {
        assert_eq!(lines(&mut &b""[..]), Ok(0));
        assert_eq!(lines(&mut Drops(b"{\"a\":\"\\n\"}\n{}\n", 2)), Ok(2));
        assert!(lines(&mut &b"{}\n{"[..]).is_err());
    }
}
