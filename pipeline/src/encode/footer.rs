//! How is the footer of a Parquet file written while only one row group's metadata is there?
//!
//! A footer is one Thrift structure, in the compact protocol ([parquet.thrift], `FileMetaData`): version, schema, number of rows, the
//! list of row groups, and what the writer says of itself. The row groups are most of it, as many times every column as the file has
//! slices. So each is kept as its own bytes, and the footer is written piece by piece: what stands before the list, the row groups,
//! moved to where they stand in the file, and what stands behind. The bytes are those that the library would have written at once.
//!
//! [parquet.thrift]: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift

use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataReader,
    ParquetMetaDataWriter, RowGroupMetaData,
};

use super::EncodeError;
use super::parquet::failed;

/// The footer of a file but for its row groups.
pub(super) struct Frame {
    /// Up to the number of rows.
    before: Vec<u8>,
    /// From behind the last row group on.
    after: Vec<u8>,
    file: FileMetaData,
}

/// A footer that is being written.
#[derive(Debug)]
pub(super) struct Footer {
    /// Bytes of it so far.
    len: usize,
    /// Where the next row group stands in the file; counted as if the file began with the first of them.
    start: i64,
    /// How many row groups were written.
    groups: usize,
    /// How many there will be.
    of: usize,
}

impl Frame {
    /// Makes that of files whose metadata is like this one's.
    pub(super) fn of(file: &FileMetaData) -> Result<Self, EncodeError> {
        let none = written(file, vec![])?;
        let one = written(file, vec![without_pages(file)?])?;
        // The same up to the length of the list.
        let list = none.iter().zip(&one).position(|(none, one)| none != one);
        let parts = list.and_then(|list| Some((none.get(..list)?, none.get(list + 1..)?)));
        let (before, after) = parts.ok_or_else(unreadable)?;
        let before = before.strip_suffix(&[NO_ROWS, LIST_FIELD]).ok_or_else(unreadable)?;
        Ok(Self { before: before.to_vec(), after: after.to_vec(), file: file.clone() })
    }

    /// Returns the bytes of a row group.
    pub(super) fn group(&self, group: RowGroupMetaData) -> Result<Vec<u8>, EncodeError> {
        let before = self.head(group.num_rows(), 1);
        let whole = written(&self.file, vec![group])?;
        let bytes = whole.strip_prefix(&before[..]);
        let bytes = bytes.and_then(|bytes| bytes.strip_suffix(&self.after[..]));
        bytes.map(<[u8]>::to_vec).ok_or_else(unreadable)
    }

    /// Reads the bytes of a row group.
    fn read(&self, group: &[u8]) -> Result<RowGroupMetaData, EncodeError> {
        let whole = [&self.head(0, 1), group, &self.after].concat();
        let read = ParquetMetaDataReader::decode_metadata(&whole).map_err(failed)?;
        match read.row_groups() {
            [group] => Ok(group.clone()),
            _ => Err(unreadable()),
        }
    }

    /// Appends what stands before the row groups.
    pub(super) fn begin(&self, groups: usize, rows: u64, out: &mut Vec<u8>) -> Footer {
        let head = self.head(i64::try_from(rows).unwrap_or(i64::MAX), groups);
        out.extend_from_slice(&head);
        Footer { len: head.len(), start: 0, groups: 0, of: groups }
    }

    /// Appends the next row group, of which `len` bytes stand in the file.
    pub(super) fn next(
        &self,
        footer: &mut Footer,
        group: &[u8],
        len: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let group = self.group(moved(&self.read(group)?, footer.start, footer.groups)?)?;
        out.extend_from_slice(&group);
        footer.len += group.len();
        footer.groups += 1;
        footer.start += i64::try_from(len).map_err(|_| unreadable())?;
        Ok(())
    }

    /// Appends what stands behind the row groups, and the end of the file.
    pub(super) fn end(&self, footer: &Footer, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if footer.groups != footer.of {
            return Err(EncodeError::Format("row groups of the file are missing".to_owned()));
        }
        let len = u32::try_from(footer.len + self.after.len());
        let too_large = |_| EncodeError::Format("more metadata than Parquet can hold".to_owned());
        out.extend_from_slice(&self.after);
        out.extend_from_slice(&len.map_err(too_large)?.to_le_bytes());
        out.extend_from_slice(super::parquet::PROLOGUE);
        Ok(())
    }

    /// What stands before so many row groups of so many rows.
    fn head(&self, rows: i64, groups: usize) -> Vec<u8> {
        let mut head = self.before.clone();
        // Zigzag: no number here is below zero.
        varint(rows.unsigned_abs() << 1, &mut head);
        head.push(LIST_FIELD);
        match u8::try_from(groups) {
            Ok(few @ 0..15) => head.push(few << 4 | STRUCTURE),
            _ => {
                head.push(0xf0 | STRUCTURE);
                varint(groups as u64, &mut head);
            }
        }
        head
    }
}

/// The metadata of a file of these row groups, without the length and the magic number behind it.
fn written(file: &FileMetaData, groups: Vec<RowGroupMetaData>) -> Result<Vec<u8>, EncodeError> {
    let metadata = ParquetMetaData::new(file.clone(), groups);
    let mut out = Vec::new();
    ParquetMetaDataWriter::new(&mut out, &metadata).finish().map_err(failed)?;
    out.truncate(out.len().saturating_sub(TAIL));
    Ok(out)
}

/// A row group of no rows.
fn without_pages(file: &FileMetaData) -> Result<RowGroupMetaData, EncodeError> {
    let schema = file.schema_descr_ptr();
    let chunks = schema
        .columns()
        .iter()
        .map(|column| ColumnChunkMetaData::builder(column.clone()).build().map_err(failed));
    let chunks = chunks.collect::<Result<Vec<_>, _>>()?;
    RowGroupMetaData::builder(schema).set_column_metadata(chunks).build().map_err(failed)
}

/// Moves a row group that stands at the beginning of a file.
fn moved(
    group: &RowGroupMetaData,
    by: i64,
    ordinal: usize,
) -> Result<RowGroupMetaData, EncodeError> {
    let ordinal = i32::try_from(ordinal)
        .map_err(|_| EncodeError::Format("more row groups than Parquet can number".to_owned()))?;
    let mut columns = Vec::with_capacity(group.columns().len());
    for column in group.columns() {
        let moved = column
            .clone()
            .into_builder()
            .set_data_page_offset(column.data_page_offset() + by)
            .set_dictionary_page_offset(column.dictionary_page_offset().map(|at| at + by))
            .set_index_page_offset(column.index_page_offset().map(|at| at + by));
        columns.push(moved.build().map_err(failed)?);
    }
    let mut builder =
        group.clone().into_builder().set_column_metadata(columns).set_ordinal(ordinal);
    if let Some(at) = group.file_offset() {
        builder = builder.set_file_offset(at + by);
    }
    builder.build().map_err(failed)
}

/// Appends a number in groups of seven bits, the lowest first.
fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn unreadable() -> EncodeError {
    EncodeError::Format("metadata of a row group cannot be read back".to_owned())
}

/// The number of rows in a file without any.
const NO_ROWS: u8 = 0;
/// What stands before the row groups: the next field, a list.
const LIST_FIELD: u8 = 0x19;
/// What the list is of.
const STRUCTURE: u8 = 0x0c;
/// The length of the metadata, and the magic number.
const TAIL: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Type as Physical;
    use parquet::file::statistics::Statistics;
    use parquet::schema::types::{SchemaDescriptor, Type};
    use proptest::prelude::*;

    use super::*;

    fn file(columns: usize, rows: i64) -> FileMetaData {
        let column = |n| {
            Arc::new(
                Type::primitive_type_builder(&format!("c{n}"), Physical::INT64).build().unwrap(),
            )
        };
        let schema =
            Type::group_type_builder("rows").with_fields((0..columns).map(column).collect());
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema.build().unwrap())));
        FileMetaData::new(2, rows, Some("antumbra".to_owned()), None, schema, None)
    }

    fn group(file: &FileMetaData, rows: i64, at: i64, ordinal: i32) -> RowGroupMetaData {
        let schema = file.schema_descr_ptr();
        let chunks = schema.columns().iter().zip(0..).map(|(column, n)| {
            ColumnChunkMetaData::builder(column.clone())
                .set_num_values(rows)
                .set_total_compressed_size(100)
                .set_total_uncompressed_size(300)
                .set_data_page_offset(at + 4 + 100 * n)
                .set_dictionary_page_offset((n % 2 == 0).then_some(at + 4 + 100 * n))
                .set_statistics(Statistics::int64(Some(n), Some(rows), None, Some(0), false))
                .build()
                .unwrap()
        });
        RowGroupMetaData::builder(Arc::clone(&schema))
            .set_column_metadata(chunks.collect())
            .set_num_rows(rows)
            .set_total_byte_size(300)
            .set_ordinal(ordinal)
            .set_file_offset(at + 4)
            .build()
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_footer_in_pieces_is_that_of_the_library(
            columns in 1_usize..20,
            groups in prop::collection::vec((1_i64..300_000, 400_u64..16_000_000), 0..40),
        ) {
            let file = file(columns, 0);
            let frame = Frame::of(&file).unwrap();
            let rows: i64 = groups.iter().map(|(rows, _)| rows).sum();
            let mut out = Vec::new();
            let mut footer = frame.begin(groups.len(), rows.unsigned_abs(), &mut out);
            let (mut at, mut all) = (0, Vec::new());
            for (ordinal, (rows, len)) in (0..).zip(&groups) {
                let kept = frame.group(group(&file, *rows, 0, 0)).unwrap();
                frame.next(&mut footer, &kept, *len, &mut out).unwrap();
                all.push(group(&file, *rows, at, ordinal));
                at += len.cast_signed();
            }
            frame.end(&footer, &mut out).unwrap();
            let mut whole = Vec::new();
            let metadata = ParquetMetaData::new(file, all);
            ParquetMetaDataWriter::new(&mut whole, &metadata).finish().unwrap();
            prop_assert!(out == whole);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let frame = Frame::of(&file(2, 0)).unwrap();
            drop(frame.read(&bytes));
        }
    }

    #[test]
    fn a_footer_whose_row_groups_are_missing_is_refused() {
        let file = file(1, 0);
        let frame = Frame::of(&file).unwrap();
        let mut out = Vec::new();
        let footer = frame.begin(1, 7, &mut out);
        assert!(frame.end(&footer, &mut out).is_err());
    }
}
