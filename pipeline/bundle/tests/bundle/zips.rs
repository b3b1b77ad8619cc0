//! The computed zip: foreign readers open it, and every range of it is the slice of the whole.

use std::fs;
use std::io::{Cursor, Read};
use std::process::Command;

use antumbra_bundle::{BundleError, Entry, Method, ZipLayout};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::room::{Room, all, block_on, noise, python, text};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn entries(room: &Room) -> (Vec<Entry>, Vec<(String, Vec<u8>)>) {
    let (json, big, blob) = (text(70_000), text(1_500_000), noise(1_200_000, 9));
    let mut files = vec![
        ("shop/a.json".to_owned(), json.clone()),
        ("shop/b.parquet".to_owned(), blob.clone()),
        ("shop/empty.json".to_owned(), vec![]),
        ("shop/\u{fc}ber \u{65e5}\u{672c}.json".to_owned(), [&big[..], b"]\n"].concat()),
        ("manifest.json".to_owned(), b"{}\n".to_vec()),
    ];
    files.sort_by_key(|(name, _)| usize::from(name == "manifest.json"));
    let a = room.pack("a", Method::Deflated, 6, &[&json]).await;
    let b = room.pack("b", Method::Stored, 6, &[&blob[..500_000], &blob[500_000..]]).await;
    let c = room.pack("c", Method::Deflated, 1, &[&big, b"]\n"]).await;
    let entries = vec![
        Entry::of_segments(&files[0].0, Method::Deflated, a),
        Entry::of_segments(&files[1].0, Method::Stored, b),
        Entry::of_segments(&files[2].0, Method::Deflated, vec![]),
        Entry::of_segments(&files[3].0, Method::Deflated, c),
        Entry::inline(&files[4].0, files[4].1.clone()),
    ];
    (entries, files)
}

#[test]
fn foreign_readers_find_every_file_whole() {
    block_on(async {
        let room = Room::new();
        let (entries, files) = entries(&room).await;
        let layout = ZipLayout::new(&entries, at("2026-03-01T12:34:57Z")).unwrap();
        let bytes = all(layout.read(&room.objects, 0..u64::MAX)).await;
        assert_eq!(layout.len(), bytes.len() as u64);

        let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        zip.validate_header_consistency().unwrap();
        assert_eq!(zip.len(), files.len());
        for (index, (name, content)) in files.iter().enumerate() {
            let mut entry = zip.by_index(index).unwrap();
            assert_eq!(entry.name().unwrap(), name.as_str());
            assert_eq!(entry.unix_mode(), Some(0o100_644));
            let mut back = Vec::new();
            entry.read_to_end(&mut back).unwrap();
            assert!(&back == content, "{name}");
        }

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.zip");
        fs::write(&path, &bytes).unwrap();
        let script = "import sys, zipfile\n\
            z = zipfile.ZipFile(sys.argv[1])\n\
            assert z.testzip() is None\n\
            for i in z.infolist(): print(i.filename, i.file_size, i.date_time, i.flag_bits)";
        let said = python(script, &path);
        assert_eq!(said.lines().count(), files.len());
        for (line, (name, content)) in said.lines().zip(&files) {
            assert_eq!(line, format!("{name} {} (2026, 3, 1, 12, 34, 56) 2048", content.len()));
        }
        // Where it is installed; Python has judged already where it is not.
        if let Ok(unzip) = Command::new("unzip").arg("-t").arg(&path).output() {
            assert!(unzip.status.success(), "{}", String::from_utf8_lossy(&unzip.stdout));
        }
    });
}

#[test]
fn the_same_entries_give_the_same_bytes() {
    block_on(async {
        let room = Room::new();
        let (entries, _) = entries(&room).await;
        let time = at("2026-03-01T12:34:57Z");
        let read = async || {
            all(ZipLayout::new(&entries, time).unwrap().read(&room.objects, 0..u64::MAX)).await
        };
        assert!(read().await == read().await);
    });
}

#[test]
fn an_archive_without_entries_is_one() {
    block_on(async {
        let room = Room::new();
        let layout = ZipLayout::new(&[], at("2026-03-01T12:34:56Z")).unwrap();
        let bytes = all(layout.read(&room.objects, 0..u64::MAX)).await;
        assert_eq!(bytes.len(), 22);
        assert_eq!(zip::ZipArchive::new(Cursor::new(bytes)).unwrap().len(), 0);
    });
}

#[test]
fn names_that_a_reader_could_misplace_are_refused() {
    let time = at("2026-03-01T12:34:56Z");
    let layout = |names: &[&str]| {
        let entries: Vec<_> = names.iter().map(|name| Entry::inline(*name, "x")).collect();
        ZipLayout::new(&entries, time)
    };
    for name in [
        "", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "./a", "a\\b", "a\nb", "a\0b",
        "\u{7f}", "a\u{85}b",
    ] {
        assert!(matches!(layout(&[name]), Err(BundleError::Corrupt { .. })), "{name:?}");
    }
    for name in ["a", "a/b.json", "...", "a/..b", "\u{65e5}\u{672c}/x", " a"] {
        assert!(layout(&[name]).is_ok(), "{name:?}");
    }
    for pair in [["a/B", "A/b"], ["\u{dc}", "\u{fc}"], ["a", "a"]] {
        assert!(matches!(layout(&pair), Err(BundleError::Corrupt { .. })), "{pair:?}");
    }
    assert!(layout(&["a/b", "a/c"]).is_ok());
    let long = "n".repeat(65_535);
    assert!(layout(&[&long]).is_ok());
    assert!(matches!(layout(&[&format!("{long}n")]), Err(BundleError::Limit { .. })));
}

#[test]
fn times_are_those_of_ms_dos() {
    block_on(async {
        let room = Room::new();
        for (time, expected) in [
            ("1979-12-31T23:59:59Z", (1980, 1, 1, 0, 0, 0)),
            ("1980-01-01T00:00:00Z", (1980, 1, 1, 0, 0, 0)),
            ("2026-02-28T23:59:59.999Z", (2026, 2, 28, 23, 59, 58)),
            ("2024-02-29T00:00:01Z", (2024, 2, 29, 0, 0, 0)),
            ("2016-12-31T23:59:60Z", (2016, 12, 31, 23, 59, 58)),
            ("2107-12-31T23:59:59Z", (2107, 12, 31, 23, 59, 58)),
            ("2108-01-01T00:00:00Z", (2107, 12, 31, 23, 59, 58)),
            ("-000044-03-15T12:00:00Z", (1980, 1, 1, 0, 0, 0)),
        ] {
            let layout = ZipLayout::new(&[Entry::inline("a", "x")], at(time)).unwrap();
            let bytes = all(layout.read(&room.objects, 0..u64::MAX)).await;
            let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
            let found = zip.by_index(0).unwrap().last_modified().unwrap();
            let found = (
                found.year(),
                found.month(),
                found.day(),
                found.hour(),
                found.minute(),
                found.second(),
            );
            assert_eq!(found, expected, "{time}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn every_range_of_the_archive_is_the_slice_of_the_whole(
        ranges in prop::collection::vec((0_u64..1_400_000, 0_u64..600_000), 40),
    ) {
        block_on(async {
            let room = Room::new();
            let (entries, _) = entries(&room).await;
            let layout = ZipLayout::new(&entries, at("2026-03-01T12:34:57Z")).unwrap();
            let whole = all(layout.read(&room.objects, 0..u64::MAX)).await;
            let small = (0..60).map(|near_end| (layout.len() - near_end, near_end));
            for (start, len) in ranges.into_iter().chain(small) {
                let part = all(layout.read(&room.objects, start..start + len)).await;
                let from = usize::try_from(start).unwrap().min(whole.len());
                let to = usize::try_from(start + len).unwrap().min(whole.len());
                assert!(part == whole[from..to], "{start}+{len}");
            }
        });
    }
}
