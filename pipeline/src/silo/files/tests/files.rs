//! Which files are read, and which never are.

use std::fs;
use std::path::Path as FsPath;
use std::sync::Arc;

use antumbra_config::FileFormat;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tempfile::TempDir;

use super::super::fault;
use super::{attachments, bucket, column, known, local, read, rows, section};
use crate::SiloError;
use crate::silo::Identifiers;

#[tokio::test]
async fn a_file_that_changed_since_it_was_listed_is_tried_again_later() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, "id\n7\n").unwrap();
    let spec = section("x.csv", FileFormat::Csv, &[("id", "id")]);
    let seven = known("id", &["7"]);
    let mut session = local(dir.path()).await;
    let shape = session.describe(&spec, &seven).await.unwrap();
    fs::write(&path, "id\n7\n7\n").unwrap();
    let error = rows(session.as_mut(), &spec, &seven, &shape).await.unwrap_err();
    assert_eq!(error, fault::changed());
    assert_eq!(error.retry(), antumbra_crypto::Retry::Later);

    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let path = Path::from("x.csv");
    store.put(&path, "id\n7\n".into()).await.unwrap();
    let mut session = bucket(Arc::clone(&store), "").await;
    let shape = session.describe(&spec, &seven).await.unwrap();
    store.put(&path, "id\n8\n".into()).await.unwrap();
    let error = rows(session.as_mut(), &spec, &seven, &shape).await.unwrap_err();
    assert_eq!(error, fault::changed());
    store.delete(&path).await.unwrap();
    let error = rows(session.as_mut(), &spec, &seven, &shape).await.unwrap_err();
    assert_eq!(error, fault::changed());
}

#[tokio::test]
async fn nothing_outside_the_directory_is_read() {
    let dir = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret.csv"), "id\n7\n").unwrap();
    fs::create_dir_all(outside.path().join("more")).unwrap();
    fs::write(outside.path().join("more/x.csv"), "id\n7\n").unwrap();
    let link = |from: &FsPath, name: &str| {
        std::os::unix::fs::symlink(from, dir.path().join(name)).unwrap();
    };
    link(&outside.path().join("secret.csv"), "out.csv");
    link(&outside.path().join("more"), "out");
    link(&dir.path().join("loop.csv"), "loop.csv");
    link(FsPath::new("."), "here");
    let mut session = local(dir.path()).await;
    for pattern in ["**/*.csv", "out.csv", "out/x.csv", "out/*.csv"] {
        let spec = section(pattern, FileFormat::Csv, &[("id", "id")]);
        let error = session.describe(&spec, &known("id", &["7"])).await.unwrap_err();
        assert!(matches!(error, SiloError::Missing { .. }), "{pattern}: {error}");
    }
    fs::write(dir.path().join("in.csv"), "id\n7\n").unwrap();
    link(&dir.path().join("in.csv"), "also.csv");
    let spec = section("**/*.csv", FileFormat::Csv, &[("id", "id")]);
    let (_, batches) =
        read(local(dir.path()).await.as_mut(), &spec, &known("id", &["7"])).await.unwrap();
    assert_eq!(column(&batches, "id"), ["7", "7"], "the file and the link to it");
    for path in ["{id}", "a/{id}", "out/{id}"] {
        let spec = attachments(path);
        for value in ["../secret.csv", "secret.csv", "out.csv", "..", "/etc/passwd", "x.csv"] {
            let found = session.attachments(&spec, &known("id", &[value])).await.unwrap();
            assert!(found.is_empty(), "{path} {value}");
        }
    }
}

#[tokio::test]
async fn a_folder_outside_is_not_even_listed() {
    let dir = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    // Whoever lists the folder fails: this name is none that is taken.
    let strange = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff.csv");
    fs::write(outside.path().join(strange), "id\n7\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("out")).unwrap();
    fs::create_dir(dir.path().join("in")).unwrap();
    fs::write(dir.path().join("in/x.csv"), "id\n7\n").unwrap();
    std::os::unix::fs::symlink(dir.path().join("in"), dir.path().join("also")).unwrap();
    let mut session = local(dir.path()).await;
    let seven = known("id", &["7"]);
    let spec = section("out/*.csv", FileFormat::Csv, &[("id", "id")]);
    let error = session.describe(&spec, &seven).await.unwrap_err();
    let what = "every file that out/*.csv names".to_owned();
    assert_eq!(error, SiloError::Missing { what });
    let spec = section("also/*.csv", FileFormat::Csv, &[("id", "id")]);
    let (_, batches) = read(session.as_mut(), &spec, &seven).await.unwrap();
    assert_eq!(column(&batches, "id"), ["7"]);
    let found = session.attachments(&attachments("out/{id}.*"), &seven).await.unwrap();
    assert!(found.is_empty());
}

#[tokio::test]
async fn attachments_are_found_once_and_copied_as_they_are() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for (name, text) in [
        ("f/7.png", "seven"),
        ("f/8.png", "eight"),
        ("f/d/7/a.pdf", "a"),
        ("f/d/7/b.pdf", "b"),
        ("f/d/70/c.pdf", "c"),
    ] {
        store.put(&Path::from(name), text.into()).await.unwrap();
    }
    let mut session = bucket(Arc::clone(&store), "f").await;
    let spec = attachments("{id}.png");
    let ids = known("id", &["9", "7", "7", "../7"]);
    let found = session.attachments(&spec, &ids).await.unwrap();
    let names: Vec<&str> = found.iter().map(|attached| attached.name.as_str()).collect();
    assert_eq!(names, ["7.png"]);
    assert!(!format!("{:?}", found[0]).contains('7'));
    let shape = session.describe(&spec, &ids).await.unwrap();
    assert_eq!(
        shape.notes,
        [
            "1 values of identifiers cannot be a part of a file's name: no file was looked for",
            "no file for 1 values of identifiers"
        ]
    );
    let bytes: Vec<Bytes> =
        session.attachment(&found[0]).await.unwrap().try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"seven");
    store.put(&Path::from("f/7.png"), "other".into()).await.unwrap();
    let changed = session.attachment(&found[0]).await.map(|_| ());
    assert_eq!(changed, Err(fault::changed()));
    let found =
        session.attachments(&attachments("d/{id}/*.pdf"), &known("id", &["7"])).await.unwrap();
    let names: Vec<&str> = found.iter().map(|attached| attached.name.as_str()).collect();
    assert_eq!(names, ["d/7/a.pdf", "d/7/b.pdf"]);
    let mut whole = attachments("d/{id}/*.pdf");
    whole.tenant_wide = true;
    assert_eq!(session.attachments(&whole, &Identifiers::new()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_place_for_attachments_is_looked_at_without_knowing_anybody() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    store.put(&Path::from("f/a/b/7.png"), "seven".into()).await.unwrap();
    let nobody = Identifiers::new();
    for mut session in [local(dir.path()).await, bucket(Arc::clone(&store), "f").await] {
        for (path, advice) in [("a/{id}.png", 0), ("gone/{id}.png", 1), ("{id}/*", 0)] {
            let explained = session.explain(&attachments(path), &nobody).await.unwrap();
            assert_eq!(explained.advice.len(), advice, "{path}");
        }
    }
    let mut session = local(&dir.path().join("none")).await;
    let error = session.explain(&attachments("a/{id}.png"), &nobody).await.unwrap_err();
    assert_eq!(error, SiloError::Missing { what: "the folder".to_owned() });
}

#[tokio::test]
async fn a_session_beside_another_reads_the_same_files() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.csv"), "id\n7\n").unwrap();
    let spec = section("*.csv", FileFormat::Csv, &[("id", "id")]);
    let seven = known("id", &["7"]);
    let mut session = local(dir.path()).await;
    let shape = session.describe(&spec, &seven).await.unwrap();
    fs::write(dir.path().join("b.csv"), "id\n7\n").unwrap();
    let mut beside = session.beside().await.unwrap().unwrap();
    let batches = rows(beside.as_mut(), &spec, &seven, &shape).await.unwrap();
    assert_eq!(column(&batches, "id"), ["7"]);
}

#[tokio::test]
async fn how_files_would_be_read_is_said_without_a_value() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.csv"), "id\n7\n").unwrap();
    let mut spec = section("*.csv", FileFormat::Csv, &[("idd", "id")]);
    spec.key = vec!["id".to_owned()];
    let mut session = local(dir.path()).await;
    let explained = session.explain(&spec, &known("id", &["canary"])).await.unwrap();
    assert_eq!(explained.statement, "files *.csv where idd in (:id)");
    assert_eq!(explained.plan, ["1 files of format csv, 5 bytes"]);
    assert_eq!(explained.advice[0], "`match` names column idd, which is missing");
    assert_eq!(explained.advice.len(), 2);
    assert!(!format!("{explained:?}").contains("canary"));
}
