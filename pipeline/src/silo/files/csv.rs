//! How is a CSV file read? A header, then records of as many cells; nothing that does not fit is passed over.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::fault;
use crate::SiloError;

/// Reads records after the header.
pub(super) struct CsvFile<R> {
    bytes: R,
    core: Reader,
    header: Vec<String>,
    fields: Vec<u8>,
    ends: Vec<usize>,
    /// Records read, the header left out.
    rows: u64,
    /// The file's end was reached.
    ended: bool,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    fields: &'a str,
    ends: &'a [usize],
}

impl<'a> Record<'a> {
    /// Returns the text of a cell; empty beyond the last.
    pub(super) fn cell(self, index: usize) -> &'a str {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let end = self.ends.get(index).copied();
        start.zip(end).and_then(|(start, end)| self.fields.get(start..end)).unwrap_or_default()
    }
}

impl<R: BufRead> CsvFile<std::io::Chain<std::io::Cursor<Vec<u8>>, R>> {
    /// Reads the header. The error says what is wrong with it.
    pub(super) fn open(mut bytes: R, delimiter: u8) -> Result<Self, SiloError> {
        // All of them: the parser passes over one, too, but only where it comes in one piece.
        let mut first = BOM.to_vec();
        while first == BOM {
            first.clear();
            let read = bytes.by_ref().take(BOM.len() as u64).read_to_end(&mut first);
            read.map_err(|error| fault::of_read(&error))?;
        }
        let mut file = Self {
            bytes: std::io::Cursor::new(first).chain(bytes),
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            header: Vec::new(),
            fields: vec![0; 4 << 10],
            ends: vec![0; 64],
            rows: 0,
            ended: false,
        };
        let Some(cells) = file.advance()? else {
            return Err(damaged("it has no header"));
        };
        let header = file.record(cells).ok_or_else(|| damaged("its header is not UTF-8"))?;
        let header: Vec<String> = (0..cells).map(|index| header.cell(index).to_owned()).collect();
        if cells > MAX_COLUMNS {
            return Err(damaged(&format!("its header has more than {MAX_COLUMNS} columns")));
        }
        // A file without a header has somebody's values there: columns are called by their numbers.
        let mut seen = HashMap::with_capacity(cells);
        for (number, name) in (1..).zip(&header) {
            if name.is_empty() {
                return Err(damaged(&format!("column {number} of its header has no name")));
            }
            if let Some(first) = seen.insert(name.to_lowercase(), number) {
                let reason =
                    format!("columns {first} and {number} of its header have the same name");
                return Err(damaged(&reason));
            }
        }
        file.header = header;
        file.rows = 0;
        Ok(file)
    }
}

impl<R: BufRead> CsvFile<R> {
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// Returns the next record; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, SiloError> {
        let Some(cells) = self.advance()? else { return Ok(None) };
        if cells != self.header.len() {
            let (row, columns) = (self.rows, self.header.len());
            return Err(damaged(&format!("row {row} has {cells} cells, and the header {columns}")));
        }
        let row = self.rows;
        let record = self.record(cells);
        record.map(Some).ok_or_else(|| damaged(&format!("row {row} is not UTF-8")))
    }

    /// Reads a record into the buffers and returns how many cells it has.
    fn advance(&mut self) -> Result<Option<usize>, SiloError> {
        let (mut used, mut cells) = (0, 0);
        let mut line_feed_given = self.ended;
        loop {
            let input = self.bytes.fill_buf().map_err(|error| fault::of_read(&error))?;
            self.ended = input.is_empty();
            // A record that the file's end cuts off in a quoted cell is not ended by this line feed; every other is.
            let input: &[u8] = match (self.ended, line_feed_given) {
                (false, _) => input,
                (true, false) => b"\n",
                (true, true) => b"",
            };
            let fields = self.fields.get_mut(used..).unwrap_or_default();
            let ends = self.ends.get_mut(cells..).unwrap_or_default();
            let (result, read, written, ended) = self.core.read_record(input, fields, ends);
            used += written;
            cells += ended;
            let last_given = std::mem::replace(&mut line_feed_given, self.ended);
            if !self.ended {
                self.bytes.consume(read);
            }
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.fields.len() < MAX_RECORD => {
                    self.fields.resize(self.fields.len() * 2, 0);
                    line_feed_given = last_given;
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < MAX_RECORD / 8 => {
                    self.ends.resize(self.ends.len() * 2, 0);
                    line_feed_given = last_given;
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    let row = self.rows + 1;
                    return Err(damaged(&format!("row {row} is longer than 64 MiB")));
                }
                ReadRecordResult::Record if self.ended && last_given => {
                    let row = self.rows + 1;
                    return Err(damaged(&format!("row {row} ends within quotes")));
                }
                ReadRecordResult::Record => {
                    self.rows += 1;
                    return Ok(Some(cells));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn record(&self, cells: usize) -> Option<Record<'_>> {
        let ends = self.ends.get(..cells)?;
        let used = ends.last().copied().unwrap_or_default();
        let fields = std::str::from_utf8(self.fields.get(..used)?).ok()?;
        // A cell that ends inside a character was not UTF-8, though all of them together are.
        let whole = ends.iter().all(|end| fields.is_char_boundary(*end));
        whole.then_some(Record { fields, ends })
    }
}

fn damaged(reason: &str) -> SiloError {
    SiloError::Corrupt { reason: reason.to_owned() }
}

const BOM: &[u8] = "\u{feff}".as_bytes();
/// Columns of a file at most, as of a table of Postgres.
pub(super) const MAX_COLUMNS: usize = 1_600;
/// Bytes of a record at most.
const MAX_RECORD: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn rows(bytes: &[u8], size: usize) -> Result<Vec<Vec<String>>, SiloError> {
        let mut file = CsvFile::open(BufReader::with_capacity(size, bytes), b',')?;
        let mut rows = vec![file.header().to_vec()];
        let cells = rows[0].len();
        while let Some(record) = file.next()? {
            rows.push((0..cells).map(|index| record.cell(index).to_owned()).collect());
        }
        Ok(rows)
    }

    #[test]
    fn quotes_line_ends_and_a_byte_order_mark_are_read() {
        let text = "\u{feff}\"id\",\"no\nte\"\r\n1,\"a\r\nb, \"\"c\"\"\"\r\n2,\n\n3,é";
        for size in [1, 2, 5, 100] {
            assert_eq!(rows("\u{feff}\u{feff}id\n1\n".as_bytes(), size).unwrap(), [["id"], ["1"]]);
            let read = rows(text.as_bytes(), size).unwrap();
            let wanted: [&[&str]; 4] =
                [&["id", "no\nte"], &["1", "a\r\nb, \"c\""], &["2", ""], &["3", "é"]];
            assert_eq!(read, wanted);
        }
    }

    #[test]
    fn what_is_no_table_is_told_with_its_row() {
        for (text, told) in [
            ("", "it has no header"),
            ("\n\n", "it has no header"),
            ("a,,c\n", "column 2 of its header has no name"),
            ("a,b,A\n", "columns 1 and 3 of its header have the same name"),
            ("a,b,a\n", "columns 1 and 3 of its header have the same name"),
            ("a,b\n1,2\n3\n", "row 2 has 1 cells, and the header 2"),
            ("a,b\n1,2,3\n", "row 1 has 3 cells, and the header 2"),
            ("a,b\n1,2\n3,\"four\n5,6\n", "row 2 ends within quotes"),
            ("a,b\n1,\"", "row 1 ends within quotes"),
        ] {
            for size in [1, 3, 100] {
                let reason = told.to_owned();
                assert_eq!(
                    rows(text.as_bytes(), size),
                    Err(SiloError::Corrupt { reason }),
                    "{text}"
                );
            }
        }
        assert!(rows(b"a\n\xff\n", 9).unwrap_err().to_string().contains("row 1 is not UTF-8"));
        assert!(
            rows(b"a,b\n\xc3,\xa9\n", 9).unwrap_err().to_string().contains("row 1 is not UTF-8")
        );
    }

    #[test]
    fn a_row_without_an_end_is_given_up() {
        for start in ["a,b\n1,", "a,b\n1,\"", "", "a,b\n1\n"] {
            let endless = start.as_bytes().chain(std::io::repeat(b'x').take(1 << 27));
            let read = CsvFile::open(BufReader::with_capacity(1 << 20, endless), b',')
                .and_then(|mut file| file.next().map(drop));
            let error = read.unwrap_err().to_string();
            let told = ["row 1 is longer than 64 MiB", "row 1 has 1 cells, and the header 2"];
            assert!(told.iter().any(|told| error.ends_with(told)), "{start:?}: {error}");
        }
        let commas = "a\n".as_bytes().chain(std::io::repeat(b',').take(1 << 25));
        let mut file = CsvFile::open(BufReader::new(commas), b',').unwrap();
        assert!(file.next().unwrap_err().to_string().ends_with("row 1 is longer than 64 MiB"));
    }

    #[test]
    fn a_header_has_as_many_columns_as_a_table() {
        let header = |columns: usize| {
            let names: Vec<String> = (0..columns).map(|number| format!("c{number}")).collect();
            format!("{}\n", names.join(","))
        };
        assert_eq!(rows(header(MAX_COLUMNS).as_bytes(), 99).unwrap()[0].len(), MAX_COLUMNS);
        let error = rows(header(MAX_COLUMNS + 1).as_bytes(), 99).unwrap_err().to_string();
        assert!(error.ends_with("its header has more than 1600 columns"), "{error}");
    }

    #[test]
    fn a_last_row_needs_no_line_feed() {
        assert_eq!(rows(b"a,b\n1,\"2\"", 4).unwrap()[1], ["1", "2"]);
        assert_eq!(rows(b"a\n", 4).unwrap().len(), 1);
        let long = format!("a,b\n{},{}\n", "x".repeat(100_000), "y,".repeat(0));
        assert_eq!(rows(long.as_bytes(), 7).unwrap()[1][0].len(), 100_000);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            table in prop::collection::vec(prop::collection::vec("[a\",\r\n é]{0,6}", 3), 0..8),
            size in 1..40_usize,
        ) {
            let mut text = "x,y,z\r\n".to_owned();
            for row in &table {
                let cells: Vec<String> =
                    row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
                text.push_str(&cells.join(","));
                text.push_str("\r\n");
            }
            let read = rows(text.as_bytes(), size).unwrap();
            prop_assert_eq!(&read[1..], &table);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(rows(&bytes, 16));
        }
    }
}
