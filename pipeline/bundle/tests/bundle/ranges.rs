//! A range costs the chunks it touches: no other chunk is asked for, so no other is opened.

use std::ops::Range;

use antumbra_bundle::{ContentEncoding, Entry, Method, ReadableEntry, ZipLayout};
use antumbra_crypto::stream::{CHUNK_LEN, HEADER_LEN, TAG_LEN};
use jiff::Timestamp;
use object_store::GetRange;
use proptest::prelude::*;

use crate::room::{Room, all, block_on, noise};

const FIRST: u64 = (CHUNK_LEN - HEADER_LEN - TAG_LEN) as u64;
const LATER: u64 = (CHUNK_LEN - TAG_LEN) as u64;

/// The chunks that hold a plaintext range of an object, by `FORMAT.md` alone.
fn touched(range: Range<u64>) -> Vec<u64> {
    let chunk = |offset: u64| offset.checked_sub(FIRST).map_or(0, |beyond| 1 + beyond / LATER);
    if range.is_empty() {
        Vec::new()
    } else {
        (chunk(range.start)..=chunk(range.end - 1)).collect()
    }
}

/// The chunks that were asked for since the last call, in order; the header may be asked for once in front of them.
fn asked(room: &Room) -> Vec<u64> {
    let reads: Vec<_> = room.store.take_reads().into_iter().map(|(_, range)| range).collect();
    let header = Some(GetRange::Bounded(0..HEADER_LEN as u64));
    let chunks = reads.strip_prefix(&[header]).unwrap_or(&reads);
    let index = |range: &Option<GetRange>| {
        let bounds = match range {
            Some(GetRange::Bounded(bounds)) => Some(bounds.clone()),
            _ => None,
        };
        let range = bounds.expect("never is all of an object read");
        let index = range.start / CHUNK_LEN as u64;
        let start = (index * CHUNK_LEN as u64).max(HEADER_LEN as u64);
        assert_eq!(range.start, start, "a chunk is read from its start");
        assert!(range.end <= (index + 1) * CHUNK_LEN as u64, "one chunk at a time");
        index
    };
    chunks.iter().map(index).collect()
}

#[test]
fn ranges_at_every_border_open_the_chunks_they_touch() {
    block_on(async {
        let room = Room::new();
        let plain = noise(usize::try_from(FIRST + 3 * LATER).unwrap() + 100, 9);
        let len = plain.len() as u64;
        let segments = room.pack("o", Method::Stored, 0, &[&plain]).await;
        let entry = ReadableEntry::new(Entry::of_segments("x", Method::Stored, segments));
        room.store.take_reads();
        let borders = [0, FIRST, FIRST + LATER, FIRST + 2 * LATER, FIRST + 3 * LATER, len];
        for border in borders {
            for start in border.saturating_sub(1)..=border + 1 {
                for want in [0, 1, 2, 64 << 10, LATER, LATER + 1, len] {
                    let range = start.min(len)..(start + want).min(len);
                    let read = entry
                        .read(&room.objects, ContentEncoding::Identity, range.clone())
                        .unwrap();
                    let place =
                        usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                    assert!(all(read).await == plain[place], "{range:?}");
                    assert_eq!(asked(&room), touched(range.clone()), "{range:?}");
                }
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_range_of_an_archive_opens_the_chunks_it_touches(
        start in 0..5_000_000_u64, want in 1..2_000_000_u64,
    ) {
        block_on(async {
            let room = Room::new();
            let plain = noise(5_000_000, 4);
            let segments = room.pack("o", Method::Stored, 0, &[&plain]).await;
            let entries = [Entry::of_segments("x", Method::Stored, segments)];
            let layout = ZipLayout::new(&entries, Timestamp::UNIX_EPOCH).unwrap();
            room.store.take_reads();
            let head = all(layout.read(&room.objects, 0..1)).await;
            assert_eq!(head, b"P", "the archive begins with a header that is in no object");
            assert!(asked(&room).is_empty());
            // Where the entry's bytes begin in the archive: it is followed by what is computed.
            let whole = all(layout.read(&room.objects, 0..u64::MAX)).await;
            let data = whole.windows(32).position(|window| window == &plain[..32]).unwrap() as u64;
            room.store.take_reads();
            let (from, to) = (data + start, (data + start + want).min(data + 5_000_000));
            all(layout.read(&room.objects, from..to)).await;
            prop_assert_eq!(asked(&room), touched(from - data..to - data));
            Ok(())
        })?;
    }
}
