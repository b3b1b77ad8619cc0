//! How people start Antumbra: one file for each command.
//!
//! What a command was asked for goes to stdout; everything else goes to stderr.

mod args;
mod exit;
mod run;

mod api_key;
mod audit;
mod config;
mod export;
mod healthcheck;
mod keys;
mod plan;
mod request;
mod serve;
mod silo;
mod verify;

mod progress;
mod selection;
mod table;
mod unfinished;
mod words;

mod http_client;
mod key_files;
mod logs;
mod out;
mod private_file;
mod settings;
mod signals;

#[cfg(test)]
pub(crate) mod testing;

pub use args::Cli;
pub use exit::Exit;
pub use run::{failed, parse};

pub(crate) use args::{DemoArgs, DemoSilo};
pub(crate) use http_client::HttpClient;
pub(crate) use key_files::{KeyFiles, generate as generate_keys};
pub(crate) use out::{note, say};
pub(crate) use private_file::{create_private_dir, read_private, write_private};
pub(crate) use signals::Signals;
pub(crate) use verify::{check, shown};
pub(crate) use {logs::init as init_logs, settings::hear};
