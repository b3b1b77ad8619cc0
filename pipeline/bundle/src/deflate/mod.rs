//! A fast deflate ([RFC 1951](https://www.rfc-editor.org/rfc/rfc1951)) for what a bundle is made of: pieces of about a mebibyte,
//! each with an empty dictionary, none of them the last.
//!
//! Ours rather than a library's for the level that is the default: zlib's fastest levels write codes fixed in 1996, which
//! makes rows of text a third larger, or spend their time on short matches. No library writes pieces that are not the last
//! and knows their whole input beforehand. The other levels are zlib's.

mod bits;
mod block;
mod codes;
mod deflater;
mod huffman;
mod matches;

pub(crate) use deflater::Deflater;
