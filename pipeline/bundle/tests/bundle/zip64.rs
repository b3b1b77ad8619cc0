//! zip64, where a 32-bit field cannot hold its value and nowhere else: read by hand against APPNOTE 6.3.10, and by Python.

use std::io::{Cursor, Seek, SeekFrom, Write};

use antumbra_bundle::{Body, Entry, Method, Segment, ZipLayout};
use jiff::Timestamp;

use crate::room::{Room, all, block_on, python};

const MAX32: u64 = 0xffff_ffff;

/// An entry whose bytes are said to be somewhere; only what stands around them is read.
fn huge(name: &str, method: Method, plain_len: u64, stored_len: u64) -> Entry {
    let end = if method == Method::Deflated { 2 } else { 0 };
    let segment = Segment {
        object: "nowhere".to_owned(),
        offset: 0,
        stored_len: stored_len - end,
        plain_len,
        crc32: 0x1234_5678,
        flushes: vec![],
    };
    Entry {
        name: name.to_owned(),
        method,
        plain_len,
        crc32: 0x1234_5678,
        body: Body::Segments(vec![segment]),
    }
}

/// Little-endian fields, front to back.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn next(&mut self, len: usize) -> u64 {
        let (field, rest) = self.0.split_at(len);
        self.0 = rest;
        field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn skip(&mut self, len: usize) -> Vec<u8> {
        let (field, rest) = self.0.split_at(len);
        self.0 = rest;
        field.to_vec()
    }
}

/// What the headers of one entry say.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    version: u64,
    stored: u64,
    plain: u64,
    offset: Option<u64>,
    zip64: Vec<u64>,
}

fn local(bytes: &[u8], name: &str) -> (Said, usize) {
    let mut fields = Fields(bytes);
    assert_eq!(fields.next(4), 0x0403_4b50);
    let version = fields.next(2);
    assert_eq!(fields.next(2), 1 << 11);
    fields.skip(2 + 4);
    assert_eq!(fields.next(4), 0x1234_5678);
    let (stored, plain) = (fields.next(4), fields.next(4));
    assert_eq!(fields.next(2), name.len() as u64);
    let extra = usize::try_from(fields.next(2)).unwrap();
    assert_eq!(fields.skip(name.len()), name.as_bytes());
    let zip64 = zip64(&fields.skip(extra));
    (Said { version, stored, plain, offset: None, zip64 }, 30 + name.len() + extra)
}

fn central(fields: &mut Fields<'_>, name: &str) -> Said {
    assert_eq!(fields.next(4), 0x0201_4b50);
    assert_eq!(fields.next(2), 3 << 8 | 45);
    let version = fields.next(2);
    assert_eq!(fields.next(2), 1 << 11);
    fields.skip(2 + 4);
    assert_eq!(fields.next(4), 0x1234_5678);
    let (stored, plain) = (fields.next(4), fields.next(4));
    assert_eq!(fields.next(2), name.len() as u64);
    let extra = usize::try_from(fields.next(2)).unwrap();
    fields.skip(2 + 2 + 2);
    assert_eq!(fields.next(4), 0o100_644 << 16);
    let offset = Some(fields.next(4));
    assert_eq!(fields.skip(name.len()), name.as_bytes());
    let zip64 = zip64(&fields.skip(extra));
    Said { version, stored, plain, offset, zip64 }
}

fn zip64(extra: &[u8]) -> Vec<u64> {
    if extra.is_empty() {
        return vec![];
    }
    let mut fields = Fields(extra);
    assert_eq!(fields.next(2), 1);
    let len = usize::try_from(fields.next(2)).unwrap();
    assert_eq!(len, fields.0.len());
    (0..len / 8).map(|_| fields.next(8)).collect()
}

fn said(version: u64, sizes: (u64, u64), offset: Option<u64>, zip64: &[u64]) -> Said {
    Said { version, stored: sizes.0, plain: sizes.1, offset, zip64: zip64.to_vec() }
}

#[test]
fn sizes_and_offsets_that_do_not_fit_are_in_the_zip64_field_and_others_are_not() {
    block_on(async {
        let room = Room::new();
        let (five, six) = (5 << 30, 6 << 30);
        let entries = [
            huge("fits", Method::Stored, MAX32 - 1, MAX32 - 1),
            huge("at the limit", Method::Stored, MAX32, MAX32),
            huge("plain only", Method::Deflated, five, 1_000),
            huge("both", Method::Deflated, six, five),
            huge("only far away", Method::Deflated, 9, 11),
        ];
        let layout = ZipLayout::new(&entries, Timestamp::UNIX_EPOCH).unwrap();
        let read = async |range| all(layout.read(&room.objects, range)).await;

        let mut starts = vec![];
        let mut at = 0_u64;
        let expected = [
            said(20, (MAX32 - 1, MAX32 - 1), None, &[]),
            said(45, (MAX32, MAX32), None, &[MAX32, MAX32]),
            said(45, (MAX32, MAX32), None, &[five, 1_000]),
            said(45, (MAX32, MAX32), None, &[six, five]),
            said(20, (11, 9), None, &[]),
        ];
        for (entry, expected) in entries.iter().zip(expected) {
            starts.push(at);
            let extra = if expected.zip64.is_empty() { 0 } else { 20 };
            let len = 30 + entry.name.len() as u64 + extra;
            let (found, header) = local(&read(at..at + len).await, &entry.name);
            assert_eq!(found, expected, "{}", entry.name);
            assert_eq!(header as u64, len);
            at += len + entry.stored_len();
        }

        let directory = read(at..layout.len()).await;
        let mut fields = Fields(&directory);
        let far = |index: usize| starts[index];
        for (entry, expected) in entries.iter().zip([
            said(20, (MAX32 - 1, MAX32 - 1), Some(0), &[]),
            said(45, (MAX32, MAX32), Some(MAX32), &[MAX32, MAX32, far(1)]),
            said(45, (1_000, MAX32), Some(MAX32), &[five, far(2)]),
            said(45, (MAX32, MAX32), Some(MAX32), &[six, five, far(3)]),
            said(45, (11, 9), Some(MAX32), &[far(4)]),
        ]) {
            assert_eq!(central(&mut fields, &entry.name), expected, "{}", entry.name);
        }
        let len = (directory.len() - fields.0.len()) as u64;

        // APPNOTE 4.3.14 to 4.3.16.
        let expected: [(usize, u64); 22] = [
            (4, 0x0606_4b50),
            (8, 44),
            (2, 3 << 8 | 45),
            (2, 45),
            (4, 0),
            (4, 0),
            (8, 5),
            (8, 5),
            (8, len),
            (8, at),
            (4, 0x0706_4b50),
            (4, 0),
            (8, at + len),
            (4, 1),
            (4, 0x0605_4b50),
            (2, 0),
            (2, 0),
            (2, 5),
            (2, 5),
            (4, len),
            (4, MAX32),
            (2, 0),
        ];
        for (index, (width, value)) in expected.into_iter().enumerate() {
            assert_eq!(fields.next(width), value, "field {index}");
        }
        assert!(fields.0.is_empty());
    });
}

/// The directory of a sparse file of ten gibibytes, as Python reads it.
#[test]
fn python_finds_entries_behind_four_gibibytes() {
    block_on(async {
        let room = Room::new();
        let entries = [
            huge("big.json", Method::Deflated, 9 << 30, 5 << 30),
            huge("bigger.parquet", Method::Stored, 5 << 30, 5 << 30),
            Entry::inline("last.txt", "found"),
        ];
        let layout = ZipLayout::new(&entries, Timestamp::UNIX_EPOCH).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse.zip");
        let mut file = std::fs::File::create(&path).unwrap();
        let mut at = 0;
        for entry in &entries[..2] {
            let len = 30 + entry.name.len() as u64 + 20;
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&all(layout.read(&room.objects, at..at + len)).await).unwrap();
            at += len + entry.stored_len();
        }
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&all(layout.read(&room.objects, at..u64::MAX)).await).unwrap();
        drop(file);
        let script = "import sys, zipfile\n\
            z = zipfile.ZipFile(sys.argv[1])\n\
            for i in z.infolist(): print(i.filename, i.file_size, i.compress_size, i.header_offset)\n\
            for i in z.infolist(): z.open(i).close()\n\
            print(z.read('last.txt').decode())";
        let first = 30 + 8 + 20 + (5_u64 << 30);
        let second = first + 30 + 14 + 20 + (5 << 30);
        let expected = format!(
            "big.json {} {} 0\nbigger.parquet {} {} {first}\nlast.txt 5 5 {second}\nfound\n",
            9_u64 << 30,
            5_u64 << 30,
            5_u64 << 30,
            5_u64 << 30
        );
        assert_eq!(python(script, &path), expected);
    });
}

#[test]
fn more_entries_than_sixteen_bits_count() {
    block_on(async {
        let room = Room::new();
        for count in [65_534_u64, 65_535, 65_536, 70_001] {
            let entries: Vec<_> =
                (0..count).map(|id| Entry::inline(format!("e/{id}"), id.to_string())).collect();
            let layout = ZipLayout::new(&entries, Timestamp::UNIX_EPOCH).unwrap();
            let bytes = all(layout.read(&room.objects, 0..u64::MAX)).await;
            let has_zip64 = bytes[bytes.len() - 42..].starts_with(&0x0706_4b50_u32.to_le_bytes());
            assert_eq!(has_zip64, count >= 65_535, "{count}");
            let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
            assert_eq!(zip.len() as u64, count);
            let last = format!("e/{}", count - 1);
            assert_eq!(zip.by_name(&last).unwrap().size(), last.len() as u64 - 2);
            if count == 70_001 {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("many.zip");
                std::fs::write(&path, &bytes).unwrap();
                let script = "import sys, zipfile\n\
                    z = zipfile.ZipFile(sys.argv[1])\n\
                    assert all(z.read(f'e/{n}') == str(n).encode() for n in range(0, 70001, 97))\n\
                    print(len(z.infolist()))";
                assert_eq!(python(script, &path), "70001\n");
            }
        }
    });
}
