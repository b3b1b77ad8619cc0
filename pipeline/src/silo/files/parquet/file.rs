//! How is one Parquet file opened: its footer, its page index, the types its columns are read as?

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::ColumnDescPtr;

use super::super::fault;
use super::super::place::{Found, Place};
use super::super::values;
use crate::SiloError;
use crate::silo::ColumnType;

/// Fetches the footer of a file.
#[derive(Debug)]
struct Ranges {
    place: Place,
    found: Found,
}

impl AsyncFileReader for Ranges {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let bytes = self.place.range(&self.found, range);
        bytes.map(|bytes| bytes.map_err(into_parquet)).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let len = self.found.len;
            let reader = ParquetMetaDataReader::new()
                .with_arrow_reader_options(options)
                .with_prefetch_hint(Some(FOOTER));
            Ok(Arc::new(reader.load_and_finish(&mut *self, len).await?))
        }
        .boxed()
    }
}

/// A file whose footer was read.
pub(super) struct Opened {
    pub(super) metadata: ArrowReaderMetadata,
    /// Its columns in its order.
    pub(super) columns: Vec<FileColumn>,
}

/// One column of a file.
#[derive(Debug, Clone)]
pub(super) struct FileColumn {
    pub(super) name: String,
    /// What the file calls its type.
    pub(super) declared: String,
    /// Its bytes are UUIDs.
    pub(super) uuid: bool,
    /// It holds moments as INT96, which may have digits below a microsecond.
    pub(super) int96: bool,
    /// What it becomes if all files agree.
    pub(super) kind: ColumnType,
}

impl Opened {
    /// Reads the footer, and with `pages` the page index.
    pub(super) async fn of(place: &Place, found: &Found, pages: bool) -> Result<Self, SiloError> {
        let mut ranges = Ranges { place: place.clone(), found: found.clone() };
        let policy = if pages { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        // Types as Parquet has them: what a writer adds in words of its own does not change the values.
        let options =
            ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(policy);
        let plain = ArrowReaderMetadata::load_async(&mut ranges, options.clone()).await;
        let plain = plain.map_err(|error| of(&error))?;
        let mut leaves = Leaves { left: plain.parquet_schema().columns().iter(), int96: false };
        let (views, int96): (Vec<FieldRef>, Vec<bool>) =
            plain.schema().fields().iter().map(|field| leaves.root(field)).unzip();
        let options = options.with_schema(Arc::new(Schema::new(views)));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options);
        let metadata = metadata.map_err(|error| of(&error))?;
        let roots = metadata.parquet_schema().root_schema().get_fields();
        let mut columns = Vec::new();
        for ((field, root), int96) in metadata.schema().fields().iter().zip(roots).zip(int96) {
            if !values::is_read(field.data_type()) {
                let what = format!("the type of column {} cannot be read", field.name());
                return Err(SiloError::Settings { what });
            }
            let info = root.get_basic_info();
            let uuid = matches!(info.logical_type_ref(), Some(LogicalType::Uuid));
            let json = matches!(info.logical_type_ref(), Some(LogicalType::Json));
            let kind = values::kind_of(field.data_type(), uuid);
            columns.push(FileColumn {
                name: field.name().clone(),
                declared: if json { "JSON".to_owned() } else { declared(field, uuid) },
                uuid,
                int96,
                kind,
            });
        }
        Ok(Self { metadata, columns })
    }

    /// Returns the place of a column.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// Maps an error of reading Parquet. Its words may quote values, so they are left out.
pub(super) fn of(error: &ParquetError) -> SiloError {
    if let Some(ours) = fault::source::<SiloError>(error) {
        return ours.clone();
    }
    let reason = match error {
        ParquetError::NYI(_) => "it uses a feature of Parquet that cannot be read",
        ParquetError::EOF(_) => "it is no whole Parquet file: it ends too early",
        _ => UNREADABLE,
    };
    SiloError::Corrupt { reason: reason.to_owned() }
}

pub(super) fn into_parquet(error: SiloError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// Walks the columns that hold values, in the order in which fields and their members have them.
struct Leaves<'a> {
    left: std::slice::Iter<'a, ColumnDescPtr>,
    /// One of them was INT96.
    int96: bool,
}

impl Leaves<'_> {
    /// Returns what a field is read as, and whether it holds INT96.
    fn root(&mut self, field: &FieldRef) -> (FieldRef, bool) {
        self.int96 = false;
        let view = self.view(field, true);
        (view, self.int96)
    }

    /// Texts and bytes as views: a value that a page's dictionary holds once is not copied for each of its rows.
    ///
    /// INT96 in microseconds: in nanoseconds, moments before 1677 and after 2262 would become others.
    fn view(&mut self, field: &FieldRef, views: bool) -> FieldRef {
        let data_type = match field.data_type() {
            DataType::Struct(members) => DataType::Struct(
                members.iter().map(|member| self.view(member, views)).collect::<Fields>(),
            ),
            DataType::List(item) => DataType::List(self.view(item, views)),
            DataType::LargeList(item) => DataType::LargeList(self.view(item, views)),
            DataType::Map(entries, sorted) => DataType::Map(self.view(entries, false), *sorted),
            leaf => {
                let physical = self.left.next().map(|column| column.physical_type());
                match leaf {
                    DataType::Timestamp(..) if physical == Some(PhysicalType::INT96) => {
                        self.int96 = true;
                        DataType::Timestamp(TimeUnit::Microsecond, None)
                    }
                    DataType::Utf8 if views => DataType::Utf8View,
                    DataType::Binary if views => DataType::BinaryView,
                    _ => return Arc::clone(field),
                }
            }
        };
        let view = Field::new(field.name(), data_type, field.is_nullable());
        Arc::new(view.with_metadata(field.metadata().clone()))
    }
}

fn declared(field: &Field, uuid: bool) -> String {
    match field.data_type() {
        _ if uuid => "UUID".to_owned(),
        DataType::Utf8View => DataType::Utf8.to_string(),
        DataType::BinaryView => DataType::Binary.to_string(),
        DataType::Struct(_) => "Struct".to_owned(),
        DataType::List(_) => "List".to_owned(),
        DataType::Map(..) => "Map".to_owned(),
        other => other.to_string(),
    }
}

/// What is said where an error says no more that could be passed on.
pub(super) const UNREADABLE: &str = "it is no Parquet file that can be read";
/// What is fetched at the end of a file at once: mostly the whole footer with its indexes.
const FOOTER: usize = 64 << 10;
