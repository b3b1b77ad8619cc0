//! What must hold for any bytes whatever that a silo hands over: the targets of the fuzzer, which ordinary tests run on its corpora,
//! too. A target panics when something does not hold, and else says whether it took the bytes for what they claim to be.

pub use super::files::fuzz::{csv, json_items};
pub use super::items::fuzz::item_rows;
pub use super::postgres::fuzz::postgres_value;

/// A target of the fuzzer.
pub type Target = fn(&[u8]) -> bool;

/// All targets by name: also the names of their corpora's folders.
pub const TARGETS: [(&str, Target); 4] = [
    ("csv", csv),
    ("json_items", json_items),
    ("item_rows", item_rows),
    ("postgres_value", postgres_value),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(name);
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    #[test]
    fn every_file_of_every_corpus_is_as_the_targets_demand() {
        for (name, target) in TARGETS {
            let corpus = corpus(name);
            let taken = corpus.iter().filter(|bytes| target(bytes)).count();
            // A corpus that everything is taken of, or nothing, does not show what a target is for.
            assert!(taken >= 1 && taken < corpus.len(), "{name}: {taken} of {}", corpus.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn changed_files_of_the_corpora_are_as_the_targets_demand(
            which in any::<prop::sample::Index>(),
            file in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..5),
        ) {
            let (name, target) = *which.get(&TARGETS);
            let files = corpus(name);
            let mut bytes = file.get(&files).clone();
            for (at, byte, how) in changes {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, b"\"\\{}[],:\n\r0e-.u"[usize::from(byte) % 15]),
                    _ => drop(bytes.remove(at)),
                }
            }
            target(&bytes);
        }
    }
}
