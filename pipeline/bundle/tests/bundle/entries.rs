//! One entry read alone: every range, both encodings, no more than is needed.

use std::io::Read;

use antumbra_bundle::{ContentEncoding, Entry, Method, ReadableEntry};
use object_store::GetRange;
use proptest::prelude::*;

use crate::room::{Room, all, block_on, noise, text};

const MIB: usize = 1 << 20;

async fn entry(room: &Room, method: Method) -> (Vec<u8>, ReadableEntry) {
    let parts = [text(2 * MIB + 99), noise(70_000, 5), b"-".to_vec(), text(MIB)];
    let mut segments = room.pack("a", method, 6, &[&parts[0], &parts[1]]).await;
    segments.extend(room.pack("b", method, 6, &[&parts[2], &parts[3]]).await);
    (parts.concat(), ReadableEntry::new(Entry::of_segments("e", method, segments)))
}

#[test]
fn gzip_is_what_a_gzip_reader_expects_and_as_long_as_promised() {
    block_on(async {
        let room = Room::new();
        let (plain, entry) = entry(&room, Method::Deflated).await;
        let gzip =
            all(entry.read(&room.objects, ContentEncoding::Gzip, 0..u64::MAX).unwrap()).await;
        assert_eq!(entry.len(ContentEncoding::Gzip), Some(gzip.len() as u64));
        let mut decoder = flate2::read::GzDecoder::new(gzip.as_slice());
        let mut back = Vec::new();
        decoder.read_to_end(&mut back).unwrap();
        assert!(back == plain);
        assert!(decoder.into_inner().is_empty(), "bytes after the gzip member");
    });
}

#[test]
fn an_empty_file_is_readable_in_both_encodings() {
    block_on(async {
        let room = Room::new();
        let entry = ReadableEntry::new(Entry::of_segments("e", Method::Deflated, vec![]));
        assert_eq!(entry.len(ContentEncoding::Identity), Some(0));
        let read = |encoding| entry.read(&room.objects, encoding, 0..u64::MAX).unwrap();
        assert!(all(read(ContentEncoding::Identity)).await.is_empty());
        let gzip = all(read(ContentEncoding::Gzip)).await;
        assert_eq!(entry.len(ContentEncoding::Gzip), Some(gzip.len() as u64));
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut back).unwrap();
        assert!(back.is_empty());
    });
}

#[test]
fn stored_entries_have_no_gzip_form() {
    block_on(async {
        let room = Room::new();
        let (_, entry) = entry(&room, Method::Stored).await;
        assert_eq!(entry.len(ContentEncoding::Gzip), None);
        assert!(entry.read(&room.objects, ContentEncoding::Gzip, 0..1).is_none());
    });
}

#[test]
fn a_range_behind_the_last_flush_touches_the_chunks_from_there_only() {
    block_on(async {
        let room = Room::new();
        let plain = noise(9 * MIB + 5, 1);
        let segments = room.pack("big", Method::Deflated, 1, &[&plain]).await;
        let flush = *segments[0].flushes.last().unwrap();
        let entry = ReadableEntry::new(Entry::of_segments("e", Method::Deflated, segments));
        room.store.take_reads();
        let len = plain.len() as u64;
        let read = entry.read(&room.objects, ContentEncoding::Identity, len - 1..len).unwrap();
        assert_eq!(all(read).await, plain[plain.len() - 1..]);
        let reads = room.store.take_reads();
        assert!(reads.len() <= 3, "{reads:?}");
        for (_, range) in &reads {
            let Some(GetRange::Bounded(range)) = range else { panic!("{range:?}") };
            // The header, or chunks that hold something behind the flush.
            assert!(range.end == 40 || range.end > flush.stored, "{range:?} {flush:?}");
        }
    });
}

#[test]
fn a_record_that_promises_too_much_or_too_little_is_an_error() {
    block_on(async {
        let room = Room::new();
        let plain = text(300_000);
        for method in [Method::Deflated, Method::Stored] {
            let good = room.pack(&format!("{method:?}"), method, 6, &[&plain]).await.remove(0);
            let check = async |segment| {
                let entry = Entry::of_segments("e", method, vec![segment]);
                ReadableEntry::new(entry).check(&room.objects).await
            };
            check(good.clone()).await.unwrap();
            let mut other = good.clone();
            other.crc32 ^= 1;
            assert_eq!(check(other).await.unwrap_err().code(), "bundle_corrupt");
            let mut other = good.clone();
            other.plain_len += 1;
            assert_eq!(check(other).await.unwrap_err().code(), "bundle_corrupt");
            let mut other = good.clone();
            other.plain_len -= 1;
            assert_eq!(check(other).await.unwrap_err().code(), "bundle_corrupt");
            let mut other = good.clone();
            other.offset = 1 << 40;
            assert_eq!(check(other).await.unwrap_err().code(), "bundle_corrupt");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn every_range_is_the_slice_of_the_whole(
        ranges in prop::collection::vec((0_usize..4_000_000, 0_usize..2_000_000), 12),
        edges in prop::collection::vec((0_usize..6, 0_usize..6, 0_usize..3), 8),
    ) {
        block_on(async {
            let room = Room::new();
            for method in [Method::Deflated, Method::Stored] {
                let (plain, entry) = entry(&room, method).await;
                for encoding in [ContentEncoding::Identity, ContentEncoding::Gzip] {
                    let Some(stream) = entry.read(&room.objects, encoding, 0..u64::MAX) else {
                        continue;
                    };
                    let whole = all(stream).await;
                    assert_eq!(entry.len(encoding), Some(whole.len() as u64));
                    if encoding == ContentEncoding::Identity {
                        assert!(whole == plain);
                    }
                    // Around flushes, segments and the ends as well as anywhere.
                    let edge = [0, MIB, 2 * MIB, 2 * MIB + 99, 2 * MIB + 70_099, whole.len()];
                    let near = edges.iter().map(|(a, b, off)| {
                        (edge[*a].saturating_sub(*off), edge[*b].saturating_sub(edge[*a]) + off)
                    });
                    for (start, len) in ranges.iter().copied().chain(near) {
                        let end = start + len;
                        let range = start as u64..end as u64;
                        let part = all(entry.read(&room.objects, encoding, range).unwrap()).await;
                        let (from, to) = (start.min(whole.len()), end.min(whole.len()));
                        assert!(part == whole[from..to], "{method:?} {encoding:?} {start}..{end}");
                    }
                }
            }
        });
    }
}
