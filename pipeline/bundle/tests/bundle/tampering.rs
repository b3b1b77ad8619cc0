//! What somebody with the object store can do: every change is an error, and no byte before it is wrong.

use antumbra_bundle::{ContentEncoding, Entry, JobObjects, Method, ReadableEntry, ZipLayout};
use bytes::Bytes;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;

use crate::room::{JOB, Room, TENANT, all, block_on, noise, text, until_error};

const CHUNK: usize = 1 << 20;
const OTHER: &str = "0192f0a4-0000-7000-8000-000000000002";

struct Bundle {
    room: Room,
    entries: Vec<Entry>,
    layout: ZipLayout,
    whole: Vec<u8>,
}

impl Bundle {
    async fn new() -> Self {
        let room = Room::new();
        let first = room.pack("1", Method::Stored, 0, &[&noise(2_500_000, 1)]).await;
        let second = room.pack("2", Method::Stored, 0, &[&noise(2_500_000, 2)]).await;
        let third = room.pack("3", Method::Deflated, 1, &[&text(3_000_000), b"]"]).await;
        let entries = vec![
            Entry::of_segments("a", Method::Stored, first),
            Entry::of_segments("b", Method::Stored, second),
            Entry::of_segments("c", Method::Deflated, third),
        ];
        let layout = ZipLayout::new(&entries, Timestamp::UNIX_EPOCH).unwrap();
        let whole = all(layout.read(&room.objects, 0..u64::MAX)).await;
        Self { room, entries, layout, whole }
    }

    fn path(object: &str) -> Path {
        Path::from(format!("jobs/{JOB}/{object}"))
    }

    async fn get(&self, object: &str) -> Vec<u8> {
        let store = &self.room.store;
        store.get(&Self::path(object)).await.unwrap().bytes().await.unwrap().to_vec()
    }

    async fn put(&self, object: &str, bytes: Vec<u8>) {
        self.room.store.put(&Self::path(object), Bytes::from(bytes).into()).await.unwrap();
    }

    /// Reads zip and entries; each must fail with `code`, after right bytes only.
    async fn refused(&self, objects: &JobObjects, codes: &[&str]) {
        let (got, error) = until_error(self.layout.read(objects, 0..u64::MAX)).await;
        let error = error.expect("the zip was read to its end");
        assert!(codes.contains(&error.code()), "{error:?}");
        assert!(self.whole.starts_with(&got), "a wrong byte came before the error");
        let mut failed = 0;
        for entry in &self.entries {
            let readable = ReadableEntry::new(entry.clone());
            for encoding in [ContentEncoding::Identity, ContentEncoding::Gzip] {
                let Some(stream) = readable.read(&self.room.objects, encoding, 0..u64::MAX) else {
                    continue;
                };
                let truth = all(stream_of_truth(entry, encoding).await).await;
                let (got, error) = until_error(stream).await;
                assert!(truth.starts_with(&got), "a wrong byte came before the error");
                failed += usize::from(error.is_some());
            }
        }
        let same_place = std::ptr::eq(objects, &raw const self.room.objects);
        assert!(failed > 0 || !same_place, "no entry noticed");
    }
}

/// The entry as it is in a bundle that nobody touched.
async fn stream_of_truth(entry: &Entry, encoding: ContentEncoding) -> antumbra_bundle::ByteStream {
    let untouched = Bundle::new().await;
    let entry = untouched.entries.iter().find(|other| other.name == entry.name).unwrap().clone();
    ReadableEntry::new(entry).read(&untouched.room.objects, encoding, 0..u64::MAX).unwrap()
}

#[test]
fn objects_that_changed_places_do_not_open() {
    block_on(async {
        let bundle = Bundle::new().await;
        let (one, two) = (bundle.get("1").await, bundle.get("2").await);
        assert_eq!(one.len(), two.len(), "else lengths alone would tell");
        bundle.put("1", two).await;
        bundle.put("2", one).await;
        bundle.refused(&bundle.room.objects, &["object_altered"]).await;
    });
}

#[test]
fn an_object_cut_at_a_chunk_border_is_noticed() {
    block_on(async {
        for keep in [CHUNK, 2 * CHUNK] {
            let bundle = Bundle::new().await;
            let mut bytes = bundle.get("1").await;
            bytes.truncate(keep);
            bundle.put("1", bytes).await;
            bundle.refused(&bundle.room.objects, &["object_altered", "bundle_corrupt"]).await;
        }
    });
}

#[test]
fn an_object_cut_anywhere_is_altered_and_not_a_fault_that_passes() {
    block_on(async {
        for keep in [0, 1, 39, 40, 55, 56, CHUNK + 16, CHUNK + 17] {
            let bundle = Bundle::new().await;
            let mut bytes = bundle.get("1").await;
            bytes.truncate(keep);
            bundle.put("1", bytes).await;
            bundle.refused(&bundle.room.objects, &["object_altered", "bundle_corrupt"]).await;
        }
    });
}

#[test]
fn an_object_that_grew_is_noticed() {
    block_on(async {
        for more in [1, 17, CHUNK] {
            let bundle = Bundle::new().await;
            let mut bytes = bundle.get("2").await;
            bytes.extend(vec![0; more]);
            bundle.put("2", bytes).await;
            bundle.refused(&bundle.room.objects, &["object_altered"]).await;
        }
    });
}

#[test]
fn a_missing_object_is_lost() {
    block_on(async {
        for object in ["1", "2", "3"] {
            let bundle = Bundle::new().await;
            bundle.room.store.delete(&Bundle::path(object)).await.unwrap();
            bundle.refused(&bundle.room.objects, &["object_lost"]).await;
        }
    });
}

#[test]
fn objects_moved_to_another_job_or_tenant_do_not_open() {
    block_on(async {
        let bundle = Bundle::new().await;
        for object in ["1", "2", "3"] {
            let bytes = bundle.get(object).await;
            let path = Path::from(format!("jobs/{OTHER}/{object}"));
            bundle.room.store.put(&path, Bytes::from(bytes).into()).await.unwrap();
        }
        for (tenant, job) in [(TENANT, OTHER), ("other", JOB)] {
            let objects = bundle.room.opened_as(tenant, job);
            let (got, error) = until_error(bundle.layout.read(&objects, 0..u64::MAX)).await;
            assert_eq!(error.unwrap().code(), "object_altered");
            assert!(bundle.whole.starts_with(&got) && got.len() < 100);
        }
    });
}

#[test]
fn deleting_a_job_leaves_other_jobs_alone() {
    block_on(async {
        let bundle = Bundle::new().await;
        let other = Path::from(format!("jobs/{OTHER}/1"));
        bundle.room.store.put(&other, Bytes::from_static(b"x").into()).await.unwrap();
        bundle.room.objects.delete_all().await.unwrap();
        bundle.room.objects.delete_all().await.unwrap();
        bundle.refused(&bundle.room.objects, &["object_lost"]).await;
        assert!(bundle.room.store.head(&other).await.is_ok());
    });
}

#[test]
fn a_pack_that_was_given_up_is_not_there() {
    block_on(async {
        let room = Room::new();
        let create =
            |name: &str| antumbra_bundle::PackWriter::create(&room.objects, name.to_owned());
        let mut dropped = create("dropped").await.unwrap();
        dropped.write(&noise(3 * CHUNK, 1)).await.unwrap();
        drop(dropped);
        let mut aborted = create("aborted").await.unwrap();
        aborted.write(&noise(3 * CHUNK, 1)).await.unwrap();
        aborted.abort().await.unwrap();
        let listed = futures::StreamExt::count(room.store.list(None)).await;
        assert_eq!(listed, 0);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_flipped_bit_of_any_object_is_noticed_before_it_is_sent(
        object in 1_u8..=3, place in any::<prop::sample::Index>(), bit in 0_u8..8,
    ) {
        block_on(async {
            let bundle = Bundle::new().await;
            let object = object.to_string();
            let mut bytes = bundle.get(&object).await;
            let at = place.index(bytes.len());
            bytes[at] ^= 1 << bit;
            bundle.put(&object, bytes).await;
            bundle.refused(&bundle.room.objects, &["object_altered"]).await;
        });
    }
}
