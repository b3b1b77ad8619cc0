//! What must hold for any bytes whatever: the targets of the fuzzer, which ordinary tests run on its corpora, too.
//!
//! A target panics when something does not hold, and else says whether it took the bytes for genuine. Every key in here is fixed and
//! known to everybody, so that what was once genuine stays so; nothing that a gateway keeps is sealed with them.
//!
//! The fuzzer's own package includes this folder, and links `antumbra-crypto` and no more: nothing here may use the rest of the harness.

mod fixed;

mod download_key;
mod envelope;
mod header;
mod internal_key;
mod recipe;
mod ring_file;
mod stream_open;

mod seeds;

pub use download_key::download_key;
pub use envelope::envelope;
pub use header::header;
pub use internal_key::internal_key;
pub use ring_file::ring_file;
pub use seeds::{Seed, ring_seeds, seeds};
pub use stream_open::stream_open;

/// A target of the fuzzer.
pub type Target = fn(&[u8]) -> bool;

/// All targets by name: also the names of their corpora's folders.
pub const TARGETS: [(&str, Target); 6] = [
    ("header", header),
    ("stream_open", stream_open),
    ("envelope", envelope),
    ("ring_file", ring_file),
    ("download_key", download_key),
    ("internal_key", internal_key),
];
