//! Segments: any bytes, any writes, any flush; joined they are one deflate stream.

use antumbra_bundle::{
    ContentEncoding, Entry, Method, PackWriter, ReadableEntry, Segment, SegmentWriter,
};
use flate2::{Decompress, FlushDecompress, Status};
use proptest::prelude::*;

use crate::room::{Room, all, block_on, noise, text};

const MIB: usize = 1 << 20;

/// The stored bytes of deflated segments, taken out of the gzip form.
async fn stored(room: &Room, segments: Vec<Segment>) -> Vec<u8> {
    let entry = ReadableEntry::new(Entry::of_segments("x", Method::Deflated, segments));
    let gzip = all(entry.read(&room.objects, ContentEncoding::Gzip, 0..u64::MAX).unwrap()).await;
    gzip[10..gzip.len() - 8 - 2].to_vec()
}

/// Inflates with an empty dictionary; says whether the stream ended (a block had BFINAL).
fn inflate(mut input: &[u8]) -> (Vec<u8>, bool) {
    let mut inflate = Decompress::new(false);
    let mut out = Vec::new();
    loop {
        out.reserve(MIB);
        let (taken, made) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress_vec(input, &mut out, FlushDecompress::None).unwrap();
        input = &input[usize::try_from(inflate.total_in() - taken).unwrap()..];
        if status == Status::StreamEnd {
            assert!(input.is_empty(), "bytes after the final block");
            return (out, true);
        }
        if inflate.total_in() == taken && inflate.total_out() == made {
            assert!(input.is_empty(), "inflating stopped before the end");
            return (out, false);
        }
    }
}

#[test]
fn every_flush_point_starts_with_an_empty_dictionary_at_every_level() {
    block_on(async {
        let room = Room::new();
        let plain = text(3 * MIB + 12_345);
        for level in 0..=9 {
            let name = format!("level-{level}");
            let segments = room.pack(&name, Method::Deflated, level, &[&plain]).await;
            assert_eq!(segments[0].flushes.len(), 3, "level {level}");
            let bytes = stored(&room, segments.clone()).await;
            assert_eq!(bytes.len() as u64, segments[0].stored_len);
            for flush in &segments[0].flushes {
                assert_eq!(flush.plain % MIB as u64, 0);
                let (from, at) =
                    (usize::try_from(flush.stored).unwrap(), usize::try_from(flush.plain).unwrap());
                let (rest, ended) = inflate(&bytes[from..]);
                assert!(rest == plain[at..], "level {level}, flush at {at}");
                assert!(!ended);
            }
        }
    });
}

#[test]
fn whole_mebibytes_have_no_flush_at_their_end() {
    block_on(async {
        let room = Room::new();
        for (case, len) in [MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB].into_iter().enumerate() {
            for (kind, plain) in [text(len), noise(len, 3), vec![0; len]].into_iter().enumerate() {
                let segments =
                    room.pack(&format!("{case}-{kind}"), Method::Deflated, 1, &[&plain]).await;
                let flushes: Vec<u64> =
                    segments[0].flushes.iter().map(|flush| flush.plain).collect();
                let expected: Vec<u64> =
                    (1..).map(|n| n << 20).take_while(|at| *at < len as u64).collect();
                assert_eq!(flushes, expected, "{len} bytes");
                let (back, ended) = inflate(&stored(&room, segments).await);
                assert!(back == plain && !ended, "{len} bytes of kind {kind}");
            }
        }
    });
}

#[test]
fn segments_joined_are_one_raw_deflate_stream_and_their_checksums_combine() {
    block_on(async {
        let room = Room::new();
        let parts = [text(MIB + 7), noise(300_000, 1), vec![b'x'], text(2 * MIB), noise(MIB, 2)];
        let whole = parts.concat();
        let mut segments = room.pack("a", Method::Deflated, 6, &[&parts[0], &parts[1]]).await;
        segments
            .extend(room.pack("b", Method::Deflated, 1, &[&parts[2], &parts[3], &parts[4]]).await);
        assert_eq!(segments.len(), 5);
        let mut bytes = stored(&room, segments.clone()).await;
        let (back, ended) = inflate(&bytes);
        assert!(back == whole && !ended);
        bytes.extend_from_slice(&[0x03, 0x00]);
        let (back, ended) = inflate(&bytes);
        assert!(back == whole && ended);
        let entry = Entry::of_segments("x", Method::Deflated, segments);
        assert_eq!(entry.crc32, crc32fast::hash(&whole));
        assert_eq!(entry.plain_len, whole.len() as u64);
        assert_eq!(entry.stored_len(), bytes.len() as u64);
    });
}

#[test]
fn a_segment_without_bytes_is_none_and_the_writer_stays_usable() {
    block_on(async {
        let room = Room::new();
        for method in [Method::Stored, Method::Deflated] {
            let name = format!("{method:?}");
            let mut pack = PackWriter::create(&room.objects, name.clone()).await.unwrap();
            let mut writer = SegmentWriter::new(method, 6);
            assert_eq!(writer.finish(&mut pack).await.unwrap(), None);
            writer.write(b"", &mut pack).await.unwrap();
            assert_eq!(writer.finish(&mut pack).await.unwrap(), None);
            writer.write(b"first", &mut pack).await.unwrap();
            let first = writer.finish(&mut pack).await.unwrap().unwrap();
            assert_eq!(writer.finish(&mut pack).await.unwrap(), None);
            writer.write(b"", &mut pack).await.unwrap();
            writer.write(b"second", &mut pack).await.unwrap();
            let second = writer.finish(&mut pack).await.unwrap().unwrap();
            assert_eq!(second.offset, first.offset + first.stored_len);
            assert_eq!(second.crc32, crc32fast::hash(b"second"));
            pack.finish().await.unwrap();
            let entry = ReadableEntry::new(Entry::of_segments("x", method, vec![first, second]));
            let read = entry.read(&room.objects, ContentEncoding::Identity, 0..u64::MAX).unwrap();
            assert_eq!(all(read).await, b"firstsecond");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_bytes_written_in_any_pieces_come_back(
        pieces in prop::collection::vec((0_usize..400_000, any::<bool>(), any::<u64>()), 0..8),
        ends in prop::collection::vec(any::<bool>(), 8),
        level in 0_u32..=9,
        stored in any::<bool>(),
    ) {
        let method = if stored { Method::Stored } else { Method::Deflated };
        let pieces: Vec<Vec<u8>> = pieces
            .into_iter()
            .map(|(len, noisy, seed)| if noisy { noise(len, seed) } else { text(len) })
            .collect();
        let whole = pieces.concat();
        block_on(async {
            let room = Room::new();
            let mut pack = PackWriter::create(&room.objects, "p".to_owned()).await.unwrap();
            let mut writer = SegmentWriter::new(method, level);
            let mut segments = Vec::new();
            for (piece, end) in pieces.iter().zip(ends) {
                writer.write(piece, &mut pack).await.unwrap();
                if end {
                    segments.extend(writer.finish(&mut pack).await.unwrap());
                }
            }
            segments.extend(writer.finish(&mut pack).await.unwrap());
            pack.finish().await.unwrap();
            let entry = ReadableEntry::new(Entry::of_segments("x", method, segments));
            entry.check(&room.objects).await.unwrap();
            let read = entry.read(&room.objects, ContentEncoding::Identity, 0..u64::MAX).unwrap();
            assert!(all(read).await == whole);
        });
    }
}
