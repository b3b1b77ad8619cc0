//! Which commands are there?

use clap::{Parser, Subcommand};

use super::{
    ApiKeyCommand, AuditCommand, ConfigCommand, DemoArgs, ExportArgs, HealthcheckArgs, KeysCommand,
    PlanArgs, RequestCommand, SettingsArgs, SiloCommand, VerifyArgs,
};
use crate::cli::exit;

/// A self-hosted privacy gateway and export daemon.
#[derive(Debug, Parser)]
#[command(name = "antumbra", version, disable_help_subcommand = true, after_help = exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

/// What the command line asks for.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Run the daemon: gateway and worker
    Serve(SettingsArgs),
    /// Try everything: an invented shop, one person's request, the finished bundle
    Demo(DemoArgs),
    /// Export one person's data to a zip, without a daemon
    ///
    /// Plans, collects and packages in this process, with the settings' silos and keys. What it works with stays sealed in
    /// a directory beside the zip and is removed at the end, also after a failure or Ctrl-C. The zip appears complete or
    /// not at all.
    #[command(after_help = exit::HELP)]
    Export(Box<ExportArgs>),
    /// Say what an export would read, without reading it
    ///
    /// Prints how identifiers lead from datapoint to datapoint, and for each section its statement, columns, key and
    /// estimated rows. Values are counted and never printed.
    #[command(after_help = exit::HELP)]
    Plan(Box<PlanArgs>),
    /// Submit, list, watch and download requests of a running daemon
    #[command(subcommand, disable_help_subcommand = true, after_help = exit::HELP)]
    Request(RequestCommand),
    /// Verify a bundle offline: signature, every hash, row counts
    #[command(after_help = exit::HELP)]
    Verify(VerifyArgs),
    /// Look at the silos
    #[command(subcommand, disable_help_subcommand = true)]
    Silo(SiloCommand),
    /// Manage the daemon's keys
    #[command(subcommand, disable_help_subcommand = true)]
    Keys(KeysCommand),
    /// Manage the keys of callers
    #[command(subcommand, disable_help_subcommand = true)]
    ApiKey(ApiKeyCommand),
    /// Read the audit log
    #[command(subcommand, disable_help_subcommand = true)]
    Audit(AuditCommand),
    /// Look at the settings
    #[command(subcommand, disable_help_subcommand = true)]
    Config(ConfigCommand),
    /// Ask a running daemon whether it is well; exits 0 or 1
    Healthcheck(HealthcheckArgs),
}
