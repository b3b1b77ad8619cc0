//! Files as a source: rows of them, and files that are handed out as they are, up to an archive that `verify` believes.

use std::fs;
use std::sync::Arc;

use antumbra_bundle::verify::verify;
use antumbra_pipeline::FileRowCounter;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;

use crate::room::{Outcome, PARTIAL, Room, block_on, outcome, request, work};

/// A silo `lake` beside the silo `shop`, which has no datapoint.
const LAKE: &str = r#"
[[silo]]
name = "lake"
type = "files"
location = { path = "lake" }

[[silo.datapoint]]
name = "events"
files = { pattern = "events/*.csv" }
match = { mail = "email" }

[[silo.datapoint]]
name = "people"
files = { pattern = "people.ndjson" }
match = { mail = "email" }
provides = { customer_id = "id" }

[[silo.datapoint]]
name = "faces"
attachment = { path = "avatars/{customer_id}.png" }

[[silo.datapoint]]
name = "letters"
attachment = { path = "letters/{email}/*" }
"#;

fn room() -> Room {
    let room = Room::new();
    drop(room.silo());
    let lake = room.dir.path().join("lake");
    for folder in ["events", "avatars", "letters/ada@example.com", "letters/bob@example.com"] {
        fs::create_dir_all(lake.join(folder)).unwrap();
    }
    let write = |name: &str, bytes: &[u8]| fs::write(lake.join(name), bytes).unwrap();
    write("events/1.csv", b"mail,what\nada@example.com,one\nbob@example.com,two\n");
    write("events/2.csv", b"what,mail\nthree,ada@example.com\n");
    write(
        "people.ndjson",
        b"{\"mail\":\"ada@example.com\",\"id\":7}\n{\"mail\":\"bob@example.com\",\"id\":8}\n",
    );
    write("avatars/7.png", &[137, 80, 78, 71, 0, 1, 2]);
    write("avatars/8.png", b"bob's face");
    write("letters/ada@example.com/a letter.TXT", "dear Ada, ".repeat(1_000).as_bytes());
    write("letters/ada@example.com/empty.txt", b"");
    write("letters/ada@example.com/z.ada", b"of no known kind");
    write("letters/bob@example.com/b.txt", b"dear Bob");
    room
}

fn export(room: &Room) -> Outcome {
    room.run(PARTIAL, LAKE, request())
}

#[test]
fn attachments_are_entries_of_their_own_and_their_names_are_told_in_the_manifest_alone() {
    let room = room();
    let out = export(&room);
    assert_eq!(out.section("events").rows, 2);
    assert_eq!(out.file("lake/faces/0001.png"), [137, 80, 78, 71, 0, 1, 2]);
    assert_eq!(out.file("lake/letters/0001.txt"), "dear Ada, ".repeat(1_000).as_bytes());
    assert_eq!(out.file("lake/letters/0002.txt"), b"");
    assert_eq!(out.file("lake/letters/0003.bin"), b"of no known kind");
    let section = out.section("letters");
    assert_eq!((section.outcome.as_str(), section.rows), ("complete", 0));
    let attachments = section.attachments.as_ref().unwrap();
    let originals: Vec<(&str, &str)> = attachments
        .iter()
        .map(|attached| (attached.name.as_str(), attached.original_name.as_str()))
        .collect();
    assert_eq!(
        originals,
        [
            ("lake/letters/0001.txt", "letters/ada@example.com/a letter.TXT"),
            ("lake/letters/0002.txt", "letters/ada@example.com/empty.txt"),
            ("lake/letters/0003.bin", "letters/ada@example.com/z.ada"),
        ]
    );
    let files: Vec<(&str, &str, &str)> = out
        .content()
        .files
        .iter()
        .filter(|file| file.format == "RAW")
        .map(|file| (file.name.as_str(), file.datapoint.as_str(), file.media_type.as_str()))
        .collect();
    assert_eq!(files[0], ("lake/faces/0001.png", "faces", "image/png"));
    assert_eq!(files[1], ("lake/letters/0001.txt", "letters", "text/plain"));
    assert_eq!(files.len(), 4);
    let report = String::from_utf8(out.file("report/index.html").to_vec()).unwrap();
    assert!(report.contains("a letter.TXT"), "{report}");
}

#[test]
fn two_exports_of_the_same_files_have_the_same_content() {
    let room = room();
    let (one, two) = (export(&room), export(&room));
    assert_eq!(one.manifest().content_sha256, two.manifest().content_sha256);
}

#[test]
fn an_archive_with_attachments_is_verified() {
    let room = room();
    let settings = room.settings(PARTIAL, LAKE);
    let path = room.dir.path().join("bundle.zip");
    let content = block_on(async {
        let engine = room.engine(settings, Arc::new(InMemory::new()));
        let job = engine.submit(request()).await.unwrap().job.id;
        work(&engine, &room.clock, job).await;
        let stored = engine.store().job(job).await.unwrap();
        let bundle = engine.open_bundle(&stored).await.unwrap();
        let pieces: Vec<_> = bundle.read_bundle(0..u64::MAX).try_collect().await.unwrap();
        fs::write(&path, pieces.concat()).unwrap();
        outcome(&engine, job).await
    });
    assert_eq!(content.content().outcome, "complete");
    let verdict = verify(&path, None, &FileRowCounter).unwrap();
    assert_eq!(verdict.faults, Vec::<String>::new());
    let raw = verdict.files.iter().filter(|file| file.rows.is_none()).count();
    assert_eq!(raw, 5, "four attachments and the report");
}

#[test]
fn a_person_without_files_has_an_empty_section_and_a_remark() {
    let room = room();
    fs::remove_file(room.dir.path().join("lake/avatars/7.png")).unwrap();
    let out = export(&room);
    let section = out.section("faces");
    assert_eq!(section.outcome, "empty");
    assert_eq!(section.attachments.as_deref(), Some(&[][..]));
    assert_eq!(section.notes, ["no file for 1 values of identifiers"]);
}

#[test]
fn a_folder_without_the_files_of_settings_fails_its_section_alone() {
    let room = room();
    fs::remove_dir_all(room.dir.path().join("lake/events")).unwrap();
    let out = export(&room);
    let section = out.section("events");
    assert_eq!(
        (section.outcome.as_str(), section.code.as_deref()),
        ("failed", Some("silo_missing"))
    );
    assert_eq!(out.section("faces").outcome, "complete");
    assert_eq!(out.content().outcome, "partial");
}
