//! Parquet: what is read, and what is left unread.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::parquet::arrow::ArrowWriter;
use ::parquet::data_type::{Int64Type as PlainInt64Type, Int96, Int96Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use antumbra_config::FileFormat;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tempfile::TempDir;

use super::{bucket, column, known, local, parquet_of, people, read, rows, section};
use crate::SiloError;
use crate::silo::{BATCH_BYTES, Identifiers};

#[tokio::test]
async fn parquet_files_that_differ_make_one_table() {
    let dir = TempDir::new().unwrap();
    let one = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![7, 8])) as ArrayRef),
        ("n", Arc::new(Int32Array::from(vec![1, 2]))),
    ]);
    let two = RecordBatch::try_from_iter([
        ("n", Arc::new(StringArray::from(vec!["x"])) as ArrayRef),
        ("id", Arc::new(Int64Array::from(vec![7]))),
        ("new", Arc::new(StringArray::from(vec!["y"]))),
    ]);
    fs::write(dir.path().join("1.parquet"), parquet_of(&[one.unwrap()], 10)).unwrap();
    fs::write(dir.path().join("2.parquet"), parquet_of(&[two.unwrap()], 10)).unwrap();
    let mut session = local(dir.path()).await;
    let spec = section("*.parquet", FileFormat::Parquet, &[("id", "id")]);
    let (shape, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "n"), ["1", "x"]);
    assert_eq!(column(&batches, "new"), ["-", "y"]);
    assert!(shape.notes.iter().any(|note| note.contains("column n has different types")));
    let mut whole = spec.clone();
    whole.tenant_wide = true;
    let (shape, batches) = read(session.as_mut(), &whole, &Identifiers::new()).await.unwrap();
    assert_eq!((shape.rows, column(&batches, "id").len()), (Some(3), 3));
    fs::write(dir.path().join("2.parquet"), b"PAR1 and no more").unwrap();
    let error =
        read(local(dir.path()).await.as_mut(), &spec, &known("id", &["7"])).await.unwrap_err();
    assert!(matches!(error, SiloError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn one_persons_rows_cost_one_page_of_a_hundred_row_groups() {
    let groups: Vec<RecordBatch> =
        (0..100).map(|group| people(group * 1_000..(group + 1) * 1_000, 200)).collect();
    let bytes = parquet_of(&groups, 100);
    let len = bytes.len() as u64;
    let store = Arc::new(Counting::default());
    store.inner.put(&Path::from("lake/p.parquet"), bytes.into()).await.unwrap();
    let mut session = bucket(Arc::<Counting>::clone(&store), "lake").await;
    let spec = section("p.parquet", FileFormat::Parquet, &[("id", "id")]);
    let id = known("id", &["54321"]);
    let shape = session.describe(&spec, &id).await.unwrap();
    store.read.store(0, Ordering::SeqCst);
    let batches = rows(session.as_mut(), &spec, &id, &shape).await.unwrap();
    assert_eq!(column(&batches, "id"), ["54321"]);
    let read = store.read.load(Ordering::SeqCst);
    assert!(read * 50 < len, "{read} of {len} bytes read");
    let none = rows(session.as_mut(), &spec, &known("id", &["x"]), &shape).await.unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn no_column_of_a_row_group_is_held_as_a_whole() {
    let group = people(0..40_000, 1_000);
    let bytes = parquet_of(&[group], 500);
    let len = bytes.len() as u64;
    let store = Arc::new(Counting::default());
    store.inner.put(&Path::from("p.parquet"), bytes.into()).await.unwrap();
    let mut session = bucket(Arc::<Counting>::clone(&store), "").await;
    let mut spec = section("p.parquet", FileFormat::Parquet, &[("id", "id")]);
    spec.tenant_wide = true;
    let shape = session.describe(&spec, &Identifiers::new()).await.unwrap();
    store.read.store(0, Ordering::SeqCst);
    let batches = rows(session.as_mut(), &spec, &Identifiers::new(), &shape).await.unwrap();
    assert_eq!(column(&batches, "id").len(), 40_000);
    let (read, most) = (store.read.load(Ordering::SeqCst), store.most.load(Ordering::SeqCst));
    eprintln!("{read} of {len} bytes read, {most} of them at once");
    assert!(len > 32 << 20 && most <= 2 << 20, "{most} bytes of {len} at once");
    assert!(read < len + len / 10, "{read} of {len} bytes read: some of them twice");
    // Rows that lie far apart come in small batches: each holds on to its page.
    spec.tenant_wide = false;
    let far: Vec<String> = (0..40).map(|row| (row * 1_000).to_string()).collect();
    let far: Vec<&str> = far.iter().map(String::as_str).collect();
    let batches = rows(session.as_mut(), &spec, &known("id", &far), &shape).await.unwrap();
    assert_eq!(column(&batches, "id"), far);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 8), "{} batches", batches.len());
}

#[tokio::test]
async fn rows_far_wider_than_their_average_are_read_a_few_at_a_time() {
    let wide = 20_000..20_060;
    let text = |id: i64| {
        if wide.contains(&id) { format!("{id:08}").repeat(190_000) } else { id.to_string() }
    };
    let ids = 0..25_000;
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone())) as ArrayRef),
        ("payload", Arc::new(StringArray::from_iter_values(ids.clone().map(text)))),
    ]);
    let (batch, mut out) = (batch.unwrap(), Vec::new());
    // Each of the wide values has a page of its own.
    let properties =
        WriterProperties::builder().set_write_batch_size(1).set_dictionary_enabled(false).build();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let len = out.len() as u64;
    let store = Arc::new(Counting::default());
    store.inner.put(&Path::from("x.parquet"), out.into()).await.unwrap();
    let mut session = bucket(Arc::<Counting>::clone(&store), "").await;
    let mut spec = section("x.parquet", FileFormat::Parquet, &[("id", "id")]);
    let wanted: Vec<String> =
        ids.clone().filter(|id| id % 3 > 0).map(|id| id.to_string()).collect();
    let some = known("id", &wanted.iter().map(String::as_str).collect::<Vec<_>>());
    for (tenant_wide, known, expected) in [
        (true, Identifiers::new(), ids.clone().collect::<Vec<_>>()),
        (false, some, ids.filter(|id| id % 3 > 0).collect()),
    ] {
        spec.tenant_wide = tenant_wide;
        let shape = session.describe(&spec, &known).await.unwrap();
        store.read.store(0, Ordering::SeqCst);
        let batches = rows(session.as_mut(), &spec, &known, &shape).await.unwrap();
        let read = store.read.load(Ordering::SeqCst);
        assert!(read > len + (8 << 20), "{read} of {len} bytes read: no batch was too much");
        let mut left = expected.iter();
        for batch in batches {
            let ids = batch.column(0).as_primitive::<Int64Type>().values().iter();
            for (id, payload) in ids.zip(batch.column(1).as_string::<i32>()) {
                assert_eq!(Some(id), left.next());
                assert!(payload == Some(text(*id).as_str()), "row {id}");
            }
        }
        assert_eq!(left.next(), None);
    }
}

#[tokio::test]
async fn wide_values_are_cut_into_batches() {
    let wide = "x".repeat(BATCH_BYTES / 4);
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![7; 64])) as ArrayRef),
        ("payload", Arc::new(StringArray::from(vec![wide.as_str(); 64]))),
    ]);
    let dir = TempDir::new().unwrap();
    let mut out = Vec::new();
    let batch = batch.unwrap();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert!(out.len() < BATCH_BYTES, "one value in a dictionary");
    fs::write(dir.path().join("x.parquet"), out).unwrap();
    let spec = section("x.parquet", FileFormat::Parquet, &[("id", "id")]);
    let seven = known("id", &["7"]);
    let (_, batches) = read(local(dir.path()).await.as_mut(), &spec, &seven).await.unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= 4), "{}", batches.len());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 64);
    let ids = batches[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(ids.value(0), 7);
}

#[tokio::test]
async fn int96_moments_far_from_ours_are_the_ones_that_were_written() {
    let schema = "message m { required int64 id; optional int96 at; optional group s { optional int96 at; } \
                  optional int64 near (TIMESTAMP(NANOS,false)); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    // 9999-12-31, 1582-10-15 and 1970-01-01 as Julian days, each 1.000001999 s after midnight.
    let nanos = 1_000_001_999_u32;
    let at = |day: u32| Int96::from(vec![nanos, 0, day]);
    let moments = [at(5_373_484), at(2_299_161), at(2_440_588)];
    let mut writing = group.next_column().unwrap().unwrap();
    writing.typed::<PlainInt64Type>().write_batch(&[7, 7, 7], None, None).unwrap();
    writing.close().unwrap();
    for deepest in [1, 2] {
        let mut writing = group.next_column().unwrap().unwrap();
        writing.typed::<Int96Type>().write_batch(&moments, Some(&[deepest; 3]), None).unwrap();
        writing.close().unwrap();
    }
    let mut writing = group.next_column().unwrap().unwrap();
    writing.typed::<PlainInt64Type>().write_batch(&[1, 2, 3], Some(&[1; 3]), None).unwrap();
    writing.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("x.parquet"), out).unwrap();
    let mut spec = section("x.parquet", FileFormat::Parquet, &[("id", "id")]);
    let mut session = local(dir.path()).await;
    let (shape, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    let found = batches[0].column_by_name("at").unwrap();
    let micros = found.as_primitive::<arrow_array::types::TimestampMicrosecondType>();
    let day = 86_400_000_000_i64;
    let wanted = [2_932_896, -141_427, 0].map(|days| days * day + 1_000_001);
    assert_eq!(micros.values(), &wanted);
    assert_eq!(
        column(&batches, "s"),
        ["9999-12-31", "1582-10-15", "1970-01-01"]
            .map(|day| format!("{{\"at\":\"{day}T00:00:01.000001\"}}"))
    );
    assert_eq!(column(&batches, "near")[2], "1970-01-01T00:00:00.000000003");
    let told = "column at holds INT96 moments: digits below a microsecond are cut off";
    assert_eq!(shape.notes.iter().filter(|note| *note == told).count(), 1, "{:?}", shape.notes);
    // The window looks at the same moments.
    let start = Some("2024-01-01T00:00:00Z".parse().unwrap());
    spec.window = Some(crate::silo::Window { column: "at".to_owned(), start, end: None });
    let (_, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "id").len(), 1);
}

#[tokio::test]
async fn a_footer_that_says_what_cannot_be_is_damage() {
    let dir = TempDir::new().unwrap();
    let sound = parquet_of(&[people(0..10, 10)], 10);
    let place = sound.len() - 8;
    let spec = section("x.parquet", FileFormat::Parquet, &[("id", "id")]);
    for len in [u32::MAX, 0x7fff_ffff, u32::try_from(sound.len()).unwrap()] {
        let mut bytes = sound.clone();
        bytes[place..place + 4].copy_from_slice(&len.to_le_bytes());
        fs::write(dir.path().join("x.parquet"), bytes).unwrap();
        let mut session = local(dir.path()).await;
        let error = session.describe(&spec, &known("id", &["7"])).await.unwrap_err();
        assert!(matches!(error, SiloError::Corrupt { .. }), "{error}");
    }
    // A part that ends behind the file, asked for as a damaged footer would have it.
    let place = super::super::place::Place::Local(Arc::new(super::super::local::LocalRoot::new(
        dir.path().to_owned(),
    )));
    let found = place.find("x.parquet").await.unwrap().unwrap();
    let error = place.range(&found, 4..u64::MAX / 2).await.unwrap_err();
    assert!(matches!(error, SiloError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn no_damage_of_a_footer_ends_more_than_the_section() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.parquet");
    let sound = parquet_of(&[people(0..20, 10)], 5);
    let spec = section("x.parquet", FileFormat::Parquet, &[("id", "id")]);
    let seven = known("id", &["7"]);
    let len = u32::from_le_bytes(sound[sound.len() - 8..sound.len() - 4].try_into().unwrap());
    let footer = sound.len() - 8 - usize::try_from(len).unwrap();
    let mut refused = 0;
    for place in footer..sound.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = sound.clone();
            bytes[place] ^= change;
            fs::write(&path, bytes).unwrap();
            let read = read(local(dir.path()).await.as_mut(), &spec, &seven).await;
            refused += u32::from(read.is_err());
        }
    }
    assert!(refused > len / 2, "only {refused} of {} damages were seen", len * 3);
}

/// Counts the bytes that are asked for.
#[derive(Debug, Default)]
struct Counting {
    inner: InMemory,
    read: AtomicU64,
    /// The longest of the answers.
    most: AtomicU64,
}

impl std::fmt::Display for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let head = options.head;
        let answer = self.inner.get_opts(location, options).await?;
        if !head {
            let len = answer.range.end - answer.range.start;
            self.read.fetch_add(len, Ordering::SeqCst);
            self.most.fetch_max(len, Ordering::SeqCst);
        }
        Ok(answer)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
