//! Sealed streams: Tink's AES256-GCM-HKDF-1MB, byte for byte.
//!
//! A stream is a header and chunks. Each chunk is sealed by itself under a key that belongs to
//! this stream alone, with its number and a last-chunk flag in the nonce, so chunks cannot be
//! reordered, repeated, dropped or cut off, and any one of them opens without the others.
//! `FORMAT.md` § Stream cites the layout.
//!
//! [`Sealer`] writes, [`Opener`] reads at random, [`Reader`] reads from front to back.
//!
//! ```
//! use antumbra_crypto::{Context, stream::{DataKey, Opener, Sealer, HEADER_LEN}};
//!
//! # fn main() -> Result<(), antumbra_crypto::Error> {
//! let key = DataKey::generate()?;
//! let place = Context::new("example/object").with("tenant").with("job").with("object");
//!
//! let mut object = Vec::new();
//! let mut sealer = Sealer::new(&key, &place)?;
//! sealer.push(b"one person's data", &mut object)?;
//! sealer.finish(&mut object)?;
//!
//! let opener = Opener::new(&key, &place, &object[..HEADER_LEN], object.len() as u64)?;
//! let range = opener.chunk_cipher_range(0);
//! let mut chunk = object[range.start as usize..range.end as usize].to_vec();
//! assert_eq!(opener.open_chunk(0, &mut chunk)?, b"one person's data");
//! # Ok(())
//! # }
//! ```

mod header;
mod key;
mod layout;
mod opener;
mod reader;
mod sealer;
#[cfg(test)]
mod vectors;

pub use key::DataKey;
pub use layout::{CHUNK_LEN, HEADER_LEN, MAX_CHUNKS, TAG_LEN, sealed_len};
pub use opener::Opener;
pub use reader::Reader;
pub use sealer::Sealer;
