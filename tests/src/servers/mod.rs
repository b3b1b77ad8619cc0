//! Servers that keep the root key outside, and what stands between them and the daemon.
//!
//! Each is started on a free port, waited for by asking it, and ended by its process id. A server that is not installed fails
//! the story that wants it.

mod child;

mod gate;
mod moto;
mod openbao;

pub use gate::{Gate, Shut};
pub use moto::{Moto, MotoUser};
pub use openbao::{AppRole, OpenBao};
