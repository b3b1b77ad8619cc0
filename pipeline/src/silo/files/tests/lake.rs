//! What have the tests in common? Sections, places and what is read of them.

use std::ops::Range;
use std::path::Path as FsPath;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use antumbra_config::{Attachment, FileFormat, FileSet};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use async_compression::tokio::write::GzipEncoder;
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::io::AsyncWriteExt as _;

use super::super::FilesSilo;
use super::super::local::LocalRoot;
use super::super::place::Place;
use crate::silo::{Identifiers, SectionSource, SectionSpec, Session, Shape, Silo as _};
use crate::{SiloError, Value};

pub(super) fn section(pattern: &str, format: FileFormat, matches: &[(&str, &str)]) -> SectionSpec {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
    };
    SectionSpec {
        silo: "lake".to_owned(),
        datapoint: "events".to_owned(),
        source: SectionSource::Files {
            files: FileSet {
                pattern: pattern.to_owned(),
                format,
                delimiter: ',',
                items: String::new(),
                columns: Vec::new(),
            },
            matches: pairs(matches),
        },
        tenant_wide: false,
        key: Vec::new(),
        window: None,
        filters: Vec::new(),
        columns: Vec::new(),
    }
}

pub(super) fn declare(section: &mut SectionSpec, name: &str, word: &str) {
    let SectionSource::Files { files, .. } = &mut section.source else { panic!("no files") };
    files.columns.push((name.to_owned(), word.parse().unwrap()));
}

pub(super) fn attachments(path: &str) -> SectionSpec {
    let mut spec = section("", FileFormat::Csv, &[]);
    let attachment = Attachment { path: path.to_owned(), media_type: None };
    spec.source = SectionSource::Attachment { attachment };
    spec
}

pub(super) fn known(name: &str, values: &[&str]) -> Identifiers {
    let values = values.iter().map(|value| Value::Text((*value).to_owned())).collect();
    [(name.to_owned(), values)].into()
}

pub(super) async fn local(dir: &FsPath) -> Box<dyn Session> {
    let root = LocalRoot::new(dir.to_owned());
    FilesSilo::at(Place::Local(Arc::new(root))).connect().await.unwrap()
}

pub(super) async fn bucket(store: Arc<dyn ObjectStore>, prefix: &str) -> Box<dyn Session> {
    let place = Place::Bucket { store, prefix: Path::parse(prefix).unwrap() };
    FilesSilo::at(place).connect().await.unwrap()
}

pub(super) async fn read(
    session: &mut dyn Session,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<(Shape, Vec<RecordBatch>), SiloError> {
    let shape = session.describe(section, known).await?;
    let batches = rows(session, section, known, &shape).await?;
    Ok((shape, batches))
}

pub(super) async fn rows(
    session: &mut dyn Session,
    section: &SectionSpec,
    known: &Identifiers,
    shape: &Shape,
) -> Result<Vec<RecordBatch>, SiloError> {
    let mut batches = session.read(section, known, shape, None).await?;
    let mut all = Vec::new();
    while let Some(batch) = batches.next().await? {
        assert_eq!(batch.schema(), shape.schema());
        all.push(batch);
    }
    Ok(all)
}

/// All cells of a column as text; `-` is NULL.
pub(super) fn column(batches: &[RecordBatch], name: &str) -> Vec<String> {
    let mut cells = Vec::new();
    for batch in batches {
        let array = batch.column_by_name(name).unwrap();
        for row in 0..array.len() {
            let cell = match super::super::values::scalar(array, row) {
                super::super::values::Scalar::Null => "-".to_owned(),
                super::super::values::Scalar::Text(text) => text.to_owned(),
                super::super::values::Scalar::Integer(number) => number.to_string(),
                _ => "?".to_owned(),
            };
            cells.push(cell);
        }
    }
    cells
}

pub(super) async fn gzip(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(part).await.unwrap();
        encoder.shutdown().await.unwrap();
        out.extend(encoder.into_inner());
    }
    out
}

pub(super) fn parquet_of(groups: &[RecordBatch], page_rows: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows)
        .set_dictionary_enabled(false)
        .build();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, groups[0].schema(), Some(properties)).unwrap();
    for group in groups {
        writer.write(group).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    out
}

pub(super) fn people(ids: Range<i64>, payload: usize) -> RecordBatch {
    let text = ids.clone().map(|id| format!("{id:0payload$}"));
    RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from_iter_values(ids)) as ArrayRef),
        ("payload", Arc::new(StringArray::from_iter_values(text)) as ArrayRef),
    ])
    .unwrap()
}
