//! The embedded job store: one SQLite file, owned by one process.
//!
//! Reading order: [`store`] opens the file and runs transactions, [`job_store`] is the trait over it, and each file
//! after that holds the statements of one part of a job's life. Every statement is a constant; values are bound.

mod connection;
mod migrate;
mod reseal;
mod sealing;
mod store;

mod job_store;

mod work;

mod listing;
mod requests;

mod leases;
mod moves;

mod commit;
mod plan;
mod segments;

mod publish;

mod delivery;
mod grants;

mod forget;
mod keys;

mod api_keys;
mod audit;

mod flushes;
mod rows;
mod sums;
mod values;

#[cfg(test)]
mod tests;

pub use sealing::Sealing;
pub use store::SqliteStore;
