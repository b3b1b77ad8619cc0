//! The harness of the end-to-end stories: starts the real binary, talks to it over HTTP, looks at its files from outside.
//!
//! What a story knows, a client, an operator or a thief could know, too. Of the product it links `antumbra-crypto`, to hold its bytes
//! against those of other software, and `antumbra-roots`, to run its suite against real servers; no story sees into the daemon.
//! `tests/run` builds the binary and installs the readers; whatever is missing fails the story that needs it.

mod environment;
mod program;

mod house;
mod prepared;

mod daemon;
mod patience;
pub mod proc;
mod running;

mod certificate;
mod client;
mod compliance;
mod journey;
mod load;
mod objects;
mod postgres;
mod servers;
mod store;
mod walk;

mod canary;
mod shop_needles;

pub mod fuzz;

pub use canary::Needles;
pub use certificate::Certificate;
pub use client::{Client, Reply};
pub use compliance::Compliance;
pub use daemon::{Daemon, Serve};
pub use environment::{
    binary, duckdb, given_binary, given_python, left_out, python, repository, seed, use_binary,
};
pub use house::{House, private};
pub use journey::{Caller, Download, EMAIL, LOYALTY, submission, submission_of};
pub use load::Load;
pub use objects::SealedObject;
pub use patience::{PATIENCE, until};
pub use postgres::Postgres;
pub use prepared::{Prepared, Scale};
pub use program::{Ran, checker, command, run, sha256_hex};
pub use running::Running;
pub use servers::{
    Answered, AppRole, Asked, Gate, MariaDb, Moto, MotoUser, OpenBao, Rest, S3, Sail, Shut,
};
pub use shop_needles::ShopNeedles;
pub use store::{JobRow, StoreView};
pub use walk::{Step, steps, walk};
