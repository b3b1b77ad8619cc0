//! How people start Antumbra: one file for each command.
//!
//! What a command was asked for goes to stdout; everything else goes to stderr.

mod args;
mod exit;
mod run;

mod api_key;
mod config;
mod healthcheck;
mod keys;
mod serve;
mod verify;

mod http_client;
mod key_files;
mod logs;
mod out;
mod private_file;
mod settings;
mod signals;

pub use args::Cli;
pub use exit::Exit;
pub use run::{failed, parse};

pub(crate) use args::DemoArgs;
pub(crate) use http_client::HttpClient;
pub(crate) use key_files::{KeyFiles, generate as generate_keys};
pub(crate) use out::{note, say};
pub(crate) use private_file::{create_private_dir, read_private, write_private};
pub(crate) use signals::Signals;
pub(crate) use verify::{check, shown};
pub(crate) use {logs::init as init_logs, settings::hear};
