//! Which texts have the shape of a secret? Password hashes, JSON web tokens, private keys, keys of well-known services; and in a
//! column or member whose name tells, anything that looks random.
//!
//! A shape counts wherever it is in a text, and the whole text counts then: what is left of a secret may still be one.

mod api_key;
mod hash;
mod pem;
mod run;
mod telling;
mod token;

mod scanner;
#[cfg(test)]
mod tests;

pub(super) use scanner::{Columns, SecretKind};
