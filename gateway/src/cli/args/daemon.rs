//! Which flags do the commands have that run a daemon or ask it how it is?

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SettingsArgs;

/// What the demo may be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Directory to work in, made if absent [default: antumbra/demo in the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Port to listen on; 0 takes any free one [default: 5039]
    #[arg(long, value_name = "PORT", default_value_t = 5039, hide_default_value = true)]
    pub(crate) port: u16,
    /// Where the shop's data is: a file, or a PostgreSQL server of the demo's own
    #[arg(long, value_enum, default_value_t)]
    pub(crate) silo: DemoSilo,
    /// End after the download instead of serving until Ctrl-C
    #[arg(long)]
    pub(crate) once: bool,
    /// Page events of the busiest person, when the shop is made
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) events: Option<u32>,
}

/// Where the demo's shop is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoSilo {
    /// A file
    #[default]
    Sqlite,
    /// A server that the demo starts and stops; its programs must be installed
    Postgres,
}

/// Which daemon to ask.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct HealthcheckArgs {
    /// The daemon's base URL [default: the address in the settings]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) url: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}
