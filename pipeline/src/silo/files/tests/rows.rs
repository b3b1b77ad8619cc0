//! CSV, NDJSON and JSON.

use std::fs;

use antumbra_config::FileFormat;
use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use async_compression::tokio::write::ZstdEncoder;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::{column, declare, gzip, known, local, parquet_of, read, section};
use crate::silo::{ColumnType, Filter, Identifiers, SectionSource, Window};
use crate::{SiloError, Value};

#[tokio::test]
async fn csv_files_are_read_in_the_order_of_names_as_one_table() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("e")).unwrap();
    fs::write(dir.path().join("e/b.csv"), "note,id,price\nlast,7,1.5\n").unwrap();
    fs::write(dir.path().join("e/a.csv"), "id,mail\n7,x@y.z\n8,other@y.z\n07,\n").unwrap();
    let packed = gzip(&[b"id,mail\n7,", b"\"in\n two\"\n"]).await;
    fs::write(dir.path().join("e/c.csv.gz"), packed).unwrap();
    fs::write(dir.path().join("e/no.txt"), "id\n7\n").unwrap();
    let mut session = local(dir.path()).await;
    let mut section = section("e/*.csv*", FileFormat::Csv, &[("id", "customer")]);
    let (shape, batches) =
        read(session.as_mut(), &section, &known("customer", &["7"])).await.unwrap();
    assert!(!shape.keyed && shape.ordered_by.is_empty());
    assert_eq!(shape.statement, "files e/*.csv* where id in (:customer)");
    assert_eq!(column(&batches, "id"), ["7", "7", "7"]);
    assert_eq!(column(&batches, "mail"), ["x@y.z", "-", "in\n two"]);
    assert_eq!(column(&batches, "note"), ["-", "last", "-"]);
    declare(&mut section, "price", "decimal(4,2)");
    declare(&mut section, "id", "integer");
    let (shape, batches) =
        read(session.as_mut(), &section, &known("customer", &["7"])).await.unwrap();
    let price = ColumnType::Decimal { precision: 4, scale: 2 };
    assert!(shape.columns.iter().any(|column| column.kind == price));
    assert_eq!(column(&batches, "id"), ["7", "7", "7"]);
    assert_eq!(column(&batches, "_more"), ["-", "-", "-"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_without_its_name() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("ada@example.com.csv"), "id\n1\n").unwrap();
    fs::write(dir.path().join("canary@example.com.csv"), "id,x\n1,2\n3\n").unwrap();
    let section = section("*.csv", FileFormat::Csv, &[("id", "id")]);
    let error =
        read(local(dir.path()).await.as_mut(), &section, &known("id", &["1"])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "is damaged: file 2 of 2 that *.csv names: row 2 has 1 cells, and the header 2"
    );
}

#[tokio::test]
async fn compressed_data_that_ends_too_early_is_an_error() {
    let dir = TempDir::new().unwrap();
    let text = format!("id\n{}", "7\n".repeat(100_000));
    let packed = gzip(&[text.as_bytes()]).await;
    let mut zstd = ZstdEncoder::new(Vec::new());
    zstd.write_all(text.as_bytes()).await.unwrap();
    zstd.shutdown().await.unwrap();
    let zstd = zstd.into_inner();
    let section = section("x.csv*", FileFormat::Csv, &[("id", "id")]);
    let seven = known("id", &["7"]);
    for (name, packed) in [("x.csv.gz", packed), ("x.csv.zst", zstd)] {
        let path = dir.path().join(name);
        fs::write(&path, &packed).unwrap();
        let (_, batches) = read(local(dir.path()).await.as_mut(), &section, &seven).await.unwrap();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 100_000, "{name}");
        fs::write(&path, &packed[..packed.len() - 5]).unwrap();
        let error = read(local(dir.path()).await.as_mut(), &section, &seven).await.unwrap_err();
        assert!(matches!(error, SiloError::Corrupt { .. }), "{name}: {error}");
        let mut more = packed.clone();
        more.extend_from_slice(b"garbage behind it");
        fs::write(&path, &more).unwrap();
        let error = read(local(dir.path()).await.as_mut(), &section, &seven).await.unwrap_err();
        assert!(matches!(error, SiloError::Corrupt { .. }), "{name}: {error}");
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn items_are_selected_and_surprises_are_kept() {
    let dir = TempDir::new().unwrap();
    let lines =
        "{\"id\":7,\"a\":1}\n{\"id\":\"7\",\"a\":[1]}\n{\"id\":8,\"a\":2}\n{\"a\":3}\n[7]\n";
    fs::write(dir.path().join("x.ndjson"), lines).unwrap();
    let document = r#"{"data":[{"id":7,"a":4},{"id":70,"a":5}]}"#;
    fs::write(dir.path().join("x.json"), document).unwrap();
    let mut session = local(dir.path()).await;
    let mut spec = section("x.ndjson", FileFormat::Ndjson, &[("id", "id")]);
    let (_, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "a"), ["1", "[1]"]);
    assert_eq!(column(&batches, "id"), ["7", "\"7\""]);
    spec.tenant_wide = true;
    let (_, batches) = read(session.as_mut(), &spec, &Identifiers::new()).await.unwrap();
    assert_eq!(column(&batches, "a"), ["1", "[1]", "2", "3", "-"]);
    assert_eq!(column(&batches, "_more"), ["-", "-", "-", "-", "[7]"]);
    let mut spec = section("x.json", FileFormat::Json, &[("id", "id")]);
    let SectionSource::Files { files, .. } = &mut spec.source else { panic!("no files") };
    files.items = "/data".to_owned();
    let (_, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "a"), ["4"]);
}

#[tokio::test]
async fn identifiers_are_found_whatever_their_type() {
    let dir = TempDir::new().unwrap();
    let lines = "{\"mail\":\"a@b.c\",\"id\":7}\n{\"mail\":\"a@b.c\",\"id\":\"x\"}\n{\"mail\":\"a@b.c\",\"id\":7}\n{\"mail\":\"o@b.c\",\"id\":9}\n{\"mail\":\"a@b.c\"}\n";
    fs::write(dir.path().join("x.ndjson"), lines).unwrap();
    fs::write(dir.path().join("x.csv"), "mail,id\nA@b.c,7\na@b.c,007\n").unwrap();
    let mut session = local(dir.path()).await;
    let mail = known("email", &["A@B.c"]);
    let spec = section("x.ndjson", FileFormat::Ndjson, &[("mail", "email")]);
    let columns = ["id".to_owned(), "mail".to_owned()];
    let found = session.distinct(&spec, &mail, &columns, 10).await.unwrap();
    let mails = vec![Value::Text("a@b.c".to_owned())];
    assert_eq!(found, [vec![Value::Integer(7), Value::Text("x".to_owned())], mails]);
    let found = session.distinct(&spec, &mail, &columns, 1).await.unwrap();
    assert_eq!(found[0].len(), 2, "one more than the limit");
    let mut spec = section("x.csv", FileFormat::Csv, &[("mail", "email")]);
    declare(&mut spec, "id", "integer");
    let found = session.distinct(&spec, &mail, &columns[..1], 10).await.unwrap();
    assert_eq!(found, [[Value::Text("007".to_owned())]]);
    let missing = session.distinct(&spec, &mail, &["no".to_owned()], 10).await;
    assert_eq!(missing, Err(SiloError::Missing { what: "column: no".to_owned() }));
}

#[tokio::test]
async fn window_and_filters_narrow_every_format() {
    let dir = TempDir::new().unwrap();
    let csv = "id,at,c\n7,2024-01-01T00:00:00Z,a\n7,2024-01-02,a\n7,2024-01-01,b\n7,,a\n8,soon,a\n";
    fs::write(dir.path().join("x.csv"), csv).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int32Array::from(vec![7, 7, 7, 7])) as ArrayRef),
        (
            "at",
            Arc::new(arrow_array::TimestampMicrosecondArray::from(vec![
                Some(1_704_067_200_000_000),
                Some(1_704_153_600_000_000),
                Some(1_704_067_200_000_000),
                None,
            ])),
        ),
        ("c", Arc::new(StringArray::from(vec!["a", "a", "b", "a"]))),
    ]);
    fs::write(dir.path().join("x.parquet"), parquet_of(&[batch.unwrap()], 2)).unwrap();
    let mut session = local(dir.path()).await;
    for (pattern, format) in [("x.csv", FileFormat::Csv), ("x.parquet", FileFormat::Parquet)] {
        let mut spec = section(pattern, format, &[("id", "id")]);
        spec.window = Some(Window {
            column: "at".to_owned(),
            start: Some("2024-01-01T00:00:00Z".parse().unwrap()),
            end: Some("2024-01-02T00:00:00Z".parse().unwrap()),
        });
        spec.filters = vec![Filter {
            column: "c".to_owned(),
            field: "campaignIds".to_owned(),
            values: vec!["a".to_owned()],
        }];
        let (_, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
        assert_eq!(column(&batches, "c"), ["a"], "{pattern}");
        spec.filters[0].values.clear();
        let (_, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
        assert!(batches.is_empty(), "{pattern}");
        spec.filters[0].column = "gone".to_owned();
        let missing = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap_err();
        assert_eq!(missing, SiloError::Missing { what: "column: gone".to_owned() });
    }
    let mut spec = section("x.csv", FileFormat::Csv, &[("id", "id")]);
    spec.window = Some(Window { column: "at".to_owned(), start: None, end: None });
    let error = read(session.as_mut(), &spec, &known("id", &["8"])).await.unwrap_err();
    assert!(error.to_string().contains("time column at cannot be read"), "{error}");
    assert!(!error.to_string().contains("soon"));
}

#[tokio::test]
async fn a_member_that_the_sample_lacks_selects_the_items_that_have_it() {
    let dir = TempDir::new().unwrap();
    let early = "{\"id\":7}\n".repeat(1_200);
    let late = "{\"id\":7,\"at\":\"2024-01-01T00:00:00Z\",\"c\":\"a\"}\n{\"id\":8,\"c\":\"a\"}\n";
    fs::write(dir.path().join("x.ndjson"), early + late).unwrap();
    let mut session = local(dir.path()).await;
    let mut spec = section("x.ndjson", FileFormat::Ndjson, &[("id", "id")]);
    spec.window = Some(Window {
        column: "at".to_owned(),
        start: Some("2024-01-01T00:00:00Z".parse().unwrap()),
        end: None,
    });
    spec.filters = vec![Filter {
        column: "c".to_owned(),
        field: "campaignIds".to_owned(),
        values: vec!["a".to_owned()],
    }];
    let (shape, batches) = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "id"), ["7"]);
    for column in ["column at ", "column c "] {
        assert!(shape.notes.iter().any(|note| note.starts_with(column)), "{:?}", shape.notes);
    }
    spec.filters[0].column = "ID".to_owned();
    let missing = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap_err();
    assert_eq!(missing, SiloError::Missing { what: "column ID".to_owned() });
}

#[tokio::test]
async fn a_time_that_is_no_seconds_is_an_error_and_no_row_left_out() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("day.csv"), "id,at\n8,\n7,20240131\n").unwrap();
    fs::write(dir.path().join("seconds.csv"), "id,at\n7,1704067200\n").unwrap();
    fs::write(dir.path().join("millis.ndjson"), "{\"id\":8}\n{\"id\":7,\"at\":1704067200000}\n")
        .unwrap();
    let millis = RecordBatch::try_from_iter([
        ("id", Arc::new(Int32Array::from(vec![7])) as ArrayRef),
        ("at", Arc::new(arrow_array::Int64Array::from(vec![1_704_067_200_000]))),
    ]);
    fs::write(dir.path().join("millis.parquet"), parquet_of(&[millis.unwrap()], 2)).unwrap();
    fs::write(dir.path().join("sound.ndjson"), "{\"id\":7,\"at\":1704067200}\n").unwrap();
    let mut session = local(dir.path()).await;
    let mut told = Vec::new();
    for (name, format) in [
        ("day.csv", FileFormat::Csv),
        ("seconds.csv", FileFormat::Csv),
        ("millis.ndjson", FileFormat::Ndjson),
        ("millis.parquet", FileFormat::Parquet),
        ("sound.ndjson", FileFormat::Ndjson),
    ] {
        let mut spec = section(name, format, &[("id", "id")]);
        let start = Some("2024-01-01T00:00:00Z".parse().unwrap());
        spec.window = Some(Window { column: "at".to_owned(), start, end: None });
        told.push(match read(session.as_mut(), &spec, &known("id", &["7"])).await {
            Ok((_, batches)) => format!("{} rows", column(&batches, "id").len()),
            Err(error) => error.to_string(),
        });
    }
    assert_eq!(
        told,
        [
            "is damaged: day.csv: row 2: its time column at cannot be read as a time",
            "is damaged: seconds.csv: row 1: its time column at cannot be read as a time",
            "is damaged: millis.ndjson: line 2: its time column at cannot be read as a time",
            "is damaged: millis.parquet: a time of time column at cannot be read as a time",
            "1 rows"
        ]
    );
}

#[tokio::test]
async fn a_file_without_a_column_that_selects_is_an_error_and_not_passed_over() {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, columns: [&str; 2]| {
        fs::write(dir.path().join(format!("{name}.csv")), format!("{}\n7,a\n", columns.join(",")))
            .unwrap();
        let batch = RecordBatch::try_from_iter([
            (columns[0], Arc::new(Int32Array::from(vec![7])) as ArrayRef),
            (columns[1], Arc::new(StringArray::from(vec!["a"]))),
        ]);
        let bytes = parquet_of(&[batch.unwrap()], 2);
        fs::write(dir.path().join(format!("{name}.parquet")), bytes).unwrap();
    };
    for (second, told) in [
        (["ID", "c"], "column: id (there is ID, another name)"),
        (["customer", "c"], "column: id"),
        (["id", "campaign"], "column: c"),
    ] {
        write("1", ["id", "c"]);
        write("2", second);
        for (pattern, format) in [("*.csv", FileFormat::Csv), ("*.parquet", FileFormat::Parquet)] {
            let mut spec = section(pattern, format, &[("id", "id")]);
            spec.filters = vec![Filter {
                column: "c".to_owned(),
                field: "campaignIds".to_owned(),
                values: vec!["a".to_owned()],
            }];
            let mut session = local(dir.path()).await;
            let error = read(session.as_mut(), &spec, &known("id", &["7"])).await.unwrap_err();
            let what = format!("{told} in file 2 of 2 that {pattern} names");
            assert_eq!(error, SiloError::Missing { what });
            let explained = session.explain(&spec, &known("id", &["7"])).await;
            let advice = explained.map(|explained| explained.advice.concat());
            if second[0] != "ID" {
                assert!(advice.unwrap().contains(&format!("{told} is missing in file 2 of 2")));
            }
        }
    }
}

#[tokio::test]
async fn values_that_stand_for_a_header_are_in_no_error() {
    let dir = TempDir::new().unwrap();
    let spec = section("*.csv", FileFormat::Csv, &[("id", "id")]);
    for (one, two) in [
        ("7,canary@example.com,canary@example.com\n", "id\n7\n"),
        ("id,canary\n7,x\n", "id,Canary\n7,x\n"),
        ("canary,7\ncanary,8\n", "canary,7\n"),
    ] {
        fs::write(dir.path().join("1.csv"), one).unwrap();
        fs::write(dir.path().join("2.csv"), two).unwrap();
        let error =
            read(local(dir.path()).await.as_mut(), &spec, &known("id", &["7"])).await.unwrap_err();
        assert!(!format!("{error}{error:?}").to_lowercase().contains("canary"), "{error}");
    }
    let header = |from: usize| (from..from + 1_600).map(|number| format!("c{number}"));
    for (name, from) in [("1.csv", 0), ("2.csv", 1)] {
        let names: Vec<String> = header(from).chain(["id".to_owned()]).skip(1).collect();
        fs::write(dir.path().join(name), names.join(",")).unwrap();
    }
    let error =
        read(local(dir.path()).await.as_mut(), &spec, &known("id", &["7"])).await.unwrap_err();
    assert_eq!(error.to_string(), "the files have more than 1600 columns together");
}

#[tokio::test]
async fn files_with_nothing_in_them_are_told_from_files_without_rows() {
    let dir = TempDir::new().unwrap();
    for (name, format, text, told) in [
        ("x.csv", FileFormat::Csv, "", Err("is damaged: x.csv: it has no header")),
        ("x.csv", FileFormat::Csv, "\u{feff}id,what\r\n", Ok(0)),
        ("x.csv", FileFormat::Csv, "\u{feff}id,what\r\n7,\"a\r\nb\"\r\n", Ok(1)),
        ("x.ndjson", FileFormat::Ndjson, "", Ok(0)),
        ("x.json", FileFormat::Json, "", Err("is damaged: x.json: it is not a JSON document")),
        ("x.json", FileFormat::Json, "[]", Ok(0)),
        (
            "x.parquet",
            FileFormat::Parquet,
            "",
            Err("is damaged: x.parquet: it is no whole Parquet file: it ends too early"),
        ),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
        let mut spec = section(name, format, &[("id", "id")]);
        if format != FileFormat::Parquet {
            declare(&mut spec, "id", "text");
        }
        let found = read(local(dir.path()).await.as_mut(), &spec, &known("id", &["7"])).await;
        let found = found.map(|(_, batches)| batches.iter().map(RecordBatch::num_rows).sum());
        assert_eq!(found.map_err(|error| error.to_string()), told.map_err(str::to_owned), "{text}");
    }
}
