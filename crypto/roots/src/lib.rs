//! Where the root key lives: the implementations of [`antumbra_crypto::Root`].
//!
//! The root key wraps the key-encryption keys of the ring and nothing else. [`LocalRoot`] holds it
//! in memory, from a key file or from a text that somebody else kept (an environment variable, a
//! systemd credential).

mod error;
mod key_file;
mod local;

pub use error::Error;
pub use key_file::generate_key_file;
pub use local::LocalRoot;
