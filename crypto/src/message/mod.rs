//! Single messages: AES-256-GCM over a whole file, sealed piece by piece.
//!
//! This is what clients in browsers decrypt that know no streams, Penumbra among them: one nonce, one tag at the end,
//! and a length up to [`MAX_LEN`]. It is for handing files to such clients and for nothing else. Whoever opens a
//! message has to hold all of it before the tag says whether any of it is genuine; objects at rest are
//! [streams](crate::stream).
//!
//! There is no opener here: one that works in pieces would let plaintext out that nobody has authenticated.
//!
//! ```
//! use antumbra_crypto::{Secret32, message::MessageSealer};
//!
//! # fn main() -> Result<(), antumbra_crypto::Error> {
//! let key = Secret32::generate()?; // for this one message
//! let mut sealer = MessageSealer::new(&key, [7; 12], b"");
//! let mut file = *b"one person's data";
//! let (front, back) = file.split_at_mut(5);
//! sealer.seal(front)?;
//! sealer.seal(back)?;
//! let tag = sealer.finish();
//! assert_ne!(&file, b"one person's data");
//! assert_eq!(tag.len(), antumbra_crypto::message::TAG_LEN);
//! # Ok(())
//! # }
//! ```

mod hash;
mod sealer;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use sealer::{MAX_LEN, MessageSealer, NONCE_LEN, TAG_LEN};

/// Bytes of a block of AES and GHASH.
const BLOCK_LEN: usize = 16;

/// A block of AES and GHASH.
type Block = [u8; BLOCK_LEN];
