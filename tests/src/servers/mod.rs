//! Servers that keep the root key outside, servers that hold what is exported, and what stands between them and the daemon.
//!
//! Each is started on a free port, waited for by asking it, and ended by its process id. A server that is not installed fails
//! the story that wants it.

mod child;

mod gate;
mod mariadb;
mod moto;
mod openbao;
mod rest;
mod s3;
mod sail;

pub use gate::{Gate, Shut};
pub use mariadb::MariaDb;
pub use moto::{Moto, MotoUser};
pub use openbao::{AppRole, OpenBao};
pub use rest::{Answered, Asked, Rest};
pub use s3::S3;
pub use sail::Sail;
